#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engraft/graph/surgery.h"
#include "engraft/image/preprocessing.h"

namespace engraft {

/// A network with everything needed to use it rightly.
struct Model {
  Network network;  ///< output: probabilities [classes], or features for a base without a top
  Preprocessing preprocessing;
  std::vector<std::string> labels;  ///< of the output, in order; empty for a base without a top
  /// Where it came from: "source", "engraft_version", "base", "trained_on", … No times: equal runs,
  /// equal files.
  std::map<std::string, std::string> provenance;
};

struct LoadOptions {
  std::optional<int> image_size;  ///< for weights files that do not fix one
};

/// Opens what the first bytes say it is: an ONNX file of engraft's, or Keras HDF5 weights of
/// MobileNetV2 (then with Keras' preprocessing and, for 1000 classes, ImageNet's labels).
[[nodiscard]] Model load_model(const std::filesystem::path& path, const LoadOptions& options = {});

/// One file, written whole or not at all. Equal models give equal bytes.
void save_model(const Model& model, const std::filesystem::path& path);

/// The base for transfer: the model cut where training attaches a head.
enum class FeatureLevel { kPooled, kLogits, kProbabilities };
[[nodiscard]] std::string_view name_of(FeatureLevel level);
[[nodiscard]] Network base_at(const Model& model, FeatureLevel level);

/// ILSVRC-2012's 1000 class names in Keras' order, and their WordNet ids ("n01440764"). Source:
/// WordNet 3.0.
[[nodiscard]] const std::vector<std::string>& imagenet_labels();
[[nodiscard]] const std::vector<std::string>& imagenet_synsets();

}  // namespace engraft
