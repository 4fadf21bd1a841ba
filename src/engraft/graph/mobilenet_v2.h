#pragma once

#include "engraft/graph/graph.h"

namespace engraft {

/// MobileNetV2 as in Sandler et al. 2018, table 2, with Keras' layer names and padding (batch norm
/// ε = 1e-3).
struct MobileNetV2Spec {
  float width = 1.0f;    ///< α: multiplies every layer's channels, rounded to eights
  int image_size = 224;  ///< input [image_size, image_size, 3], 32 or more
  int classes = 1000;    ///< of the top; 0: no top, the output is the pooled features [C]
};

/// Values of interest: "features" is not a node; the pooled features are
/// "global_average_pooling2d", the logits "predictions", the probabilities "predictions_softmax"
/// (the output when there is a top).
[[nodiscard]] Graph mobilenet_v2(const MobileNetV2Spec& spec);

/// max(8, ⌊v+4⌋ div 8 · 8), plus 8 where that lost more than a tenth.
[[nodiscard]] int make_divisible(float channels);

/// Names of the values that surgery and training cut at.
inline constexpr std::string_view kPooledValue = "global_average_pooling2d";
inline constexpr std::string_view kLogitsValue = "predictions";
inline constexpr std::string_view kProbabilitiesValue = "predictions_softmax";

}  // namespace engraft
