#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "engraft/graph/surgery.h"
#include "engraft/tensor/tensor.h"

namespace engraft {

/// True if the file is there and begins with the HDF5 signature. Throws Error(kIo) if it is there
/// but cannot be opened.
[[nodiscard]] bool is_hdf5(const std::filesystem::path& path);

/// Every float dataset (16, 32 or 64 bits) of a Keras weights or whole-model file under
/// layer/weight ("Conv1/kernel", "bn_Conv1/moving_mean"): ":0" and outer model groups
/// ("model_weights/sequential_1/") are dropped, optimizer_weights is left out. Links are followed
/// inside the file only, and sizes are checked against the file's length before memory is taken.
/// Errors name the file: kNotFound and kIo; kBadInput if it is damaged or cut short; kUnsupported
/// for layouts of others than Keras 2.
[[nodiscard]] std::map<std::string, Tensor> read_keras_h5(const std::filesystem::path& path);

struct KerasOptions {
  /// The picture size to build the network for, if another than the file's own. Whole models tell
  /// theirs; weights alone do not: then it is read off the file's name (…_1.0_224.h5,
  /// …_0.35_96_no_top.h5), else it is 224.
  std::optional<int> image_size;
};

/// A MobileNetV2 in Keras' layer names, or in Keras' numbered ones (conv2d_7, in the model's
/// order): width and classes are read off the shapes, both top names (Logits, predictions) and
/// files without a top are taken; of a whole model with another head it is the base alone, without
/// a top. Parameter names in the result are those of graph/mobilenet_v2.h. Beside read_keras_h5's
/// errors throws kBadInput for weights that are missing or not finite, and kUnsupported for another
/// network, saying what was found instead.
[[nodiscard]] Network read_keras_mobilenet_v2(const std::filesystem::path& path,
                                              const KerasOptions& options = {});

}  // namespace engraft
