#pragma once

#include <cstdint>
#include <span>

#include "engraft/base/rng.h"
#include "engraft/image/augment.h"
#include "engraft/image/image.h"
#include "engraft/image/resize.h"

namespace engraft {

/// How two training pictures become one. The labels are mixed like the pictures: share of the first
/// one's, 1 - share of the second one's.
struct Mix {
  enum class Kind {
    kNone,
    kMixup,   ///< a weighted mean. Source: Zhang et al. 2018, "mixup: Beyond Empirical Risk…"
    kCutmix,  ///< a box of the second. Source: Yun et al. 2019, "CutMix: Regularization Strategy…"
  };
  Kind kind = Kind::kNone;
  float share = 1;  ///< of the first picture, λ
  Box box = {};     ///< kCutmix: what is the second's; empty where λ is nearly 1
  /// Which picture is the second: a uniform draw, to be mapped to the training pictures.
  std::uint64_t partner = 0;
};

/// λ ~ Beta(α, α). kCutmix: the box has 1 - λ of the area and its centre is anywhere; what sticks
/// out is cut off, and share is then that of the pixels left. With both on, each with probability
/// ½; partner is the same whichever is on. Errors: kUsage, as check() and for an empty size.
[[nodiscard]] Mix draw_mix(const Augmentation& augmentation, Size size, Rng& rng);

/// On normalised inputs [H,W,3] of that size. kMixup: first = λ · first + (1 - λ) · second;
/// kCutmix: second's box in first. Errors: kUsage where the lengths or the box do not fit the size.
void apply_mix(const Mix& mix, std::span<float> first, std::span<const float> second, Size size);

/// The same on pixels, rounded: for looking at. Both pictures are of one size.
[[nodiscard]] Image apply_mix(const Mix& mix, Image first, const Image& second);

}  // namespace engraft
