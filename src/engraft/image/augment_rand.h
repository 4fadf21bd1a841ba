#pragma once

#include <array>
#include <string_view>

#include "engraft/base/rng.h"
#include "engraft/image/image.h"

namespace engraft {

/// RandAugment's operations. Source: Cubuk et al. 2019; the ranges are those of Cubuk et al. 2018,
/// "AutoAugment", reached at magnitude 10.
enum class RandOperation {
  kIdentity,
  kAutocontrast,
  kEqualize,
  kRotate,      ///< to ±30°
  kSolarize,    ///< from a threshold of 256 down to 0
  kColour,      ///< saturation, to 0.1 or 1.9
  kPosterize,   ///< from 8 bits down to 4
  kContrast,    ///< to 0.1 or 1.9
  kBrightness,  ///< to 0.1 or 1.9
  kSharpness,   ///< to 0.1 or 1.9
  kShearX,      ///< to ±0.3
  kShearY,
  kTranslateX,  ///< to ±45 % of the side
  kTranslateY,
};
inline constexpr std::array kRandOperations{
    RandOperation::kIdentity,   RandOperation::kAutocontrast, RandOperation::kEqualize,
    RandOperation::kRotate,     RandOperation::kSolarize,     RandOperation::kColour,
    RandOperation::kPosterize,  RandOperation::kContrast,     RandOperation::kBrightness,
    RandOperation::kSharpness,  RandOperation::kShearX,       RandOperation::kShearY,
    RandOperation::kTranslateX, RandOperation::kTranslateY};
[[nodiscard]] std::string_view name_of(RandOperation operation);

/// One operation. strength: magnitude / 10 with a sign, in [-1, 1]; the sign counts for those with
/// two directions. At 0 all but autocontrast and equalize change nothing. What a move uncovers is
/// filled by reflection.
[[nodiscard]] Image apply(RandOperation operation, Image image, double strength);

/// `count` operations of this magnitude, each drawn from all fourteen.
[[nodiscard]] Image rand_augment(Image image, int count, float magnitude, Rng& rng);

}  // namespace engraft
