#pragma once

#include <string_view>

#include "engraft/graph/graph.h"

namespace engraft {

/// MobileNetV2 as in Sandler et al. 2018, table 2, with Keras' layer names and padding (batch norm
/// ε = 1e-3).
struct MobileNetV2Spec {
  float width = 1.0f;    ///< α in (0, 16]: multiplies every layer's channels, rounded to eights
  int image_size = 224;  ///< input [image_size, image_size, 3]; 32 to 4096
  int classes = 1000;    ///< of the top; 0: no top, the output is the pooled features [C]
  int features = 0;      ///< channels of the last convolution; 0: 1280, and times α above 1
};

/// The output is the probabilities (kProbabilitiesValue), without a top the pooled features
/// (kPooledValue). Throws Error(kUsage) for a spec out of range.
[[nodiscard]] Graph mobilenet_v2(const MobileNetV2Spec& spec);

/// max(8, ⌊v+4⌋ div 8 · 8), plus 8 where that lost more than a tenth.
[[nodiscard]] int make_divisible(double channels);

/// Names of the values that surgery and training cut at.
inline constexpr std::string_view kPooledValue = "global_average_pooling2d";
inline constexpr std::string_view kLogitsValue = "predictions";
inline constexpr std::string_view kProbabilitiesValue = "predictions_softmax";

}  // namespace engraft
