#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engraft {

/// What engraft takes from the model_config of a whole Keras model.
struct KerasConfig {
  std::optional<int> image_size;  ///< of the first layer that takes square RGB pictures
  std::vector<float> epsilons;    ///< of every BatchNormalization, in the text's order
};

/// Reads the JSON text; text that is no JSON, or another program's, gives an empty result.
[[nodiscard]] KerasConfig parse_keras_config(std::string_view json);

}  // namespace engraft
