#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "engraft/graph/surgery.h"
#include "engraft/tensor/tensor.h"

namespace engraft {

/// True if the file begins with the HDF5 signature.
[[nodiscard]] bool is_hdf5(const std::filesystem::path& path);

/// Every float dataset of a Keras weights or whole-model file under layer/weight ("Conv1/kernel",
/// "bn_Conv1/moving_mean"): ":0" and outer model groups ("model_weights/sequential_1/") are
/// dropped. Sizes are checked against the file's length before memory is taken. Errors name the
/// file.
[[nodiscard]] std::map<std::string, Tensor> read_keras_h5(const std::filesystem::path& path);

struct KerasOptions {
  /// Weights do not say which picture size they were trained at; unset: from the file's name
  /// (…_1.0_224.h5), else 224.
  std::optional<int> image_size;
};

/// A MobileNetV2 in Keras' layer names: width and classes are read off the shapes, both top names
/// (Logits, predictions) and files without a top are taken; a whole model gives its base. Parameter
/// names in the result are those of graph/mobilenet_v2.h. Throws Error(kBadInput) for a damaged
/// file and Error(kUnsupported) for another network, saying what was found instead.
[[nodiscard]] Network read_keras_mobilenet_v2(const std::filesystem::path& path,
                                              const KerasOptions& options = {});

}  // namespace engraft
