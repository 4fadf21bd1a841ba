#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engraft/tensor/tensor.h"

namespace engraft {

/// What a Keras HDF5 file holds, as far as engraft uses it.
struct KerasFile {
  /// Float datasets under layer/weight, as read_keras_h5 says.
  std::map<std::string, Tensor> weights;
  /// Layers with weights in the model's own order (attributes layer_names and weight_names); empty
  /// if the file does not say.
  std::vector<std::string> layers;
  /// The attribute model_config (JSON) of a whole model, else empty.
  std::string model_config;
};

/// Reads it with everything checked: links are followed inside the file only, no filter is loaded,
/// sizes are held against the file's length. Errors name the file: kNotFound, kIo, kBadInput for a
/// damaged one, kUnsupported for one laid out otherwise.
[[nodiscard]] KerasFile read_keras_file(const std::filesystem::path& path);

}  // namespace engraft
