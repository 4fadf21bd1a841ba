#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/formats/onnx.h"
#include "engraft/graph/activation_ranges.h"
#include "engraft/graph/surgery.h"
#include "engraft/image/preprocessing.h"

namespace engraft {

/// What a network is computed in.
enum class Precision {
  kFloat32,
  kInt8,  ///< blocks and big layers in 8-bit integers, where the network's ranges are known
};
inline constexpr std::array kPrecisions{Precision::kFloat32, Precision::kInt8};
[[nodiscard]] std::string_view name_of(Precision precision);  // "float32", "int8"

/// A network with everything needed to use it rightly.
struct Model {
  Network network;  ///< output: probabilities [classes], or features for a base without a top
  Preprocessing preprocessing;
  /// Of the output, in order; empty for a base without a top. Each printable UTF-8, none empty,
  /// none twice.
  std::vector<std::string> labels;
  /// Where it came from: "source", "base", "trained_on", … No times: equal runs, equal files.
  std::map<std::string, std::string> provenance;
  /// Between which bounds the network's values lie (calibrate()); empty: nobody has looked.
  ActivationRanges ranges;
  Precision precision = Precision::kFloat32;  ///< chosen for it; kInt8 needs ranges
};

struct LoadOptions {
  /// Pixels a side, for weights files that do not fix it. Another size than a model.onnx was made
  /// for is an Error(kUsage).
  std::optional<int> image_size;
};

/// Opens what the first bytes say it is (or the library's own model, where is_embedded_model() says
/// that the path stands for that: load_model("engraft-mini")): an ONNX file of engraft's, or Keras
/// HDF5 weights of MobileNetV2 (then with Keras' preprocessing and, for 1000 classes, ImageNet's
/// labels). Errors begin with the path: kBadInput for a damaged file or one that is no model,
/// kUnsupported for a model that engraft does not read.
[[nodiscard]] Model load_model(const std::filesystem::path& path, const LoadOptions& options = {});

/// One file, written whole or not at all, bit for bit or compact (see write_onnx()). Equal models
/// give equal bytes. Throws Error(kUsage) for a model whose parts do not fit each other, which
/// load_model would refuse.
void save_model(const Model& model, const std::filesystem::path& path,
                WeightStorage storage = WeightStorage::kFloat);

/// Where training attaches a head to a base.
enum class FeatureLevel {
  kPooled,         ///< the features after pooling, [1280] at width 1.0
  kLogits,         ///< the base's own classes before softmax, [1000]
  kProbabilities,  ///< and after it
};
[[nodiscard]] std::string_view name_of(FeatureLevel level);  // "pooled", "logits", "probabilities"

/// The base for transfer: the model cut at that level, with the weights that this part needs. A
/// model that already carries people's own classes is cut below them, so that it can be trained
/// again. Throws Error(kUsage) for a level that the model does not have (weights without a top have
/// no logits).
[[nodiscard]] Network base_at(const Model& model, FeatureLevel level);

/// ILSVRC-2012's 1000 class names in Keras' order, and their WordNet ids ("n01440764"). A name is
/// the first lemma of its synset; where two classes share it, what it is a kind of stands behind,
/// "crane (wading bird)". Source: WordNet 3.0, by scripts/imagenet_classes.sh.
[[nodiscard]] const std::vector<std::string>& imagenet_labels();
[[nodiscard]] const std::vector<std::string>& imagenet_synsets();

}  // namespace engraft
