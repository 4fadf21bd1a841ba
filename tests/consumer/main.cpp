// Builds a small random network, saves it as one file, and classifies a picture with it, and with
// the network that is part of the library: the library as a user sees it.
#include <cstdio>
#include <filesystem>

#include "engraft/base/rng.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/model/classifier.h"
#include "engraft/version.h"

int main() {
  engraft::Model model;
  model.network.graph = engraft::mobilenet_v2({.width = 0.35f, .image_size = 96, .classes = 3});
  model.network.weights = engraft::random_weights(model.network.graph, 1);
  model.preprocessing.width = model.preprocessing.height = 96;
  model.labels = {"ant", "bee", "wasp"};
  const auto file = std::filesystem::temp_directory_path() / "engraft-consumer.onnx";
  engraft::save_model(model, file);

  const engraft::Classifier classifier(file);
  const auto predictions = classifier.classify(engraft::Image(320, 240));
  float sum = 0;
  for (const auto& prediction : predictions) {
    std::printf("%s %.4f\n", prediction.label.c_str(), static_cast<double>(prediction.probability));
    sum += prediction.probability;
  }
  std::filesystem::remove(file);
  // The model inside the library needs no file.
  const engraft::Classifier built_in("engraft-mini");
  if (built_in.classify(engraft::Image(320, 240), 3).size() != 3) return 1;
  std::printf("engraft %s\n", engraft::kVersion);
  return predictions.size() == 3 && sum > 0.999f && sum < 1.001f ? 0 : 1;
}
