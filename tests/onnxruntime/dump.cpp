// dump --random FILE: writes a network with random weights, for where there are no real ones.
// dump MODEL OUT_DIR PICTURE...: writes what ONNX Runtime needs to be compared with engraft:
// OUT_DIR/pixels.bin, the fitted pictures as raw RGB bytes [N,H,W,3], and OUT_DIR/expected.json
// with their size and engraft's own probabilities.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/model/classifier.h"

namespace {

void write_random(const std::filesystem::path& file) {
  engraft::Model model;
  model.network.graph = engraft::mobilenet_v2({.width = 0.5f, .image_size = 128, .classes = 10});
  model.network.weights = engraft::random_weights(model.network.graph, 1);
  model.preprocessing.width = model.preprocessing.height = 128;
  for (char name = 'a'; name < 'a' + 10; ++name) model.labels.emplace_back(1, name);
  engraft::save_model(model, file);
}

int dump(const std::filesystem::path& model, const std::filesystem::path& out,
         const std::vector<std::filesystem::path>& pictures) {
  const engraft::Classifier classifier(model);
  const engraft::Preprocessing& input = classifier.model().preprocessing;

  const auto outcomes = classifier.classify_files(pictures);
  engraft::AtomicFile pixels(out / "pixels.bin");
  auto probabilities = nlohmann::json::array();
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (!outcomes[i].error.empty()) {
      fmt::print(stderr, "{}: {}\n", pictures[i].string(), outcomes[i].error);
      return 1;
    }
    const auto fitted =
        engraft::fit(engraft::read_image(pictures[i], engraft::decode_options(input)), input);
    pixels.write(std::as_bytes(std::span(fitted.pixels)));
    probabilities.push_back(outcomes[i].probabilities);
  }
  pixels.commit();
  engraft::write_file_atomic(out / "expected.json", nlohmann::json{{"width", input.width},
                                                                   {"height", input.height},
                                                                   {"probabilities", probabilities}}
                                                        .dump());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "--random") {
    write_random(arguments[1]);
    return 0;
  }
  if (arguments.size() < 3) return 2;
  return dump(arguments[0], arguments[1], {arguments.begin() + 2, arguments.end()});
}
