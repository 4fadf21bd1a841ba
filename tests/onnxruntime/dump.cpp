// dump --random FILE: writes a network with random weights, for where there are no real ones.
// dump --operators OUT_DIR: writes OUT_DIR/model.onnx, a small network of the operators that
// MobileNetV2 does without, with random weights, and for three pictures of noise the two files
// below. dump MODEL OUT_DIR PICTURE...: writes what ONNX Runtime needs to be compared with engraft:
// OUT_DIR/pixels.bin, the fitted pictures as raw RGB bytes [N,H,W,3], and OUT_DIR/expected.json
// with their size and engraft's own probabilities.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engraft/base/rng.h"
#include "engraft/engine/plan.h"
#include "engraft/formats/onnx.h"
#include "engraft/graph/graph_builder.h"
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

/// A squeeze-and-excitation block with the hard activations, and a product of equal shapes.
engraft::Graph gated_network() {
  using engraft::Op;
  using engraft::ValueId;
  engraft::GraphBuilder g({24, 16, 3});
  ValueId x = g.conv("stem", g.input(), {.channels = 16, .kernel = 3, .stride = 2});
  x = g.apply(Op::kHardSwish, "swish", g.batch_norm("norm", x, 1e-3f));
  ValueId gate = g.dense("squeeze", g.apply(Op::kGlobalAveragePool, "pool", x), 8);
  gate = g.dense("excite", g.apply(Op::kRelu, "relu", gate), 16);
  x = g.multiply("gated", x, g.apply(Op::kHardSigmoid, "gate", gate));
  x = g.multiply("product", x, g.apply(Op::kHardSigmoid, "sigmoid", x));
  x = g.dense("top", g.apply(Op::kGlobalAveragePool, "last_pool", x), 5);
  return g.finish(g.apply(Op::kSoftmax, "probabilities", x));
}

void write_operators(const std::filesystem::path& out) {
  constexpr int kPictures = 3;
  engraft::OnnxModel model{.network = {}, .preprocessing = {}, .metadata = {}};
  model.preprocessing.scale = {1 / 64.0f, 1 / 64.0f, 1 / 64.0f};
  model.preprocessing.offset = {-2, -2, -2};
  engraft::Graph& graph = model.network.graph = gated_network();
  model.network.weights = engraft::random_weights(graph, 1);
  engraft::write_file_atomic(out / "model.onnx", engraft::write_onnx(model));

  const auto plan =
      engraft::Plan::compile(graph, model.network.weights, {.batch = kPictures, .threads = 1});
  auto workspace = plan.make_workspace();
  std::string pixels;
  engraft::Rng rng(1);
  for (float& value : plan.input(workspace)) {
    const std::uint32_t pixel = rng.below(256);
    pixels += static_cast<char>(pixel);
    value = static_cast<float>(pixel) / 64 - 2;
  }
  const auto y = plan.forward(workspace);
  auto probabilities = nlohmann::json::array();
  for (std::size_t i = 0; i < y.size(); i += plan.output_size()) {
    probabilities.push_back(y.subspan(i, plan.output_size()));
  }
  engraft::write_file_atomic(out / "pixels.bin", pixels);
  engraft::write_file_atomic(
      out / "expected.json",
      nlohmann::json{{"width", 16}, {"height", 24}, {"probabilities", probabilities}}.dump());
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
  if (arguments.size() == 2 && arguments[0] == "--operators") {
    write_operators(arguments[1]);
    return 0;
  }
  if (arguments.size() < 3) return 2;
  return dump(arguments[0], arguments[1], {arguments.begin() + 2, arguments.end()});
}
