#pragma once

#include <array>
#include <string>
#include <string_view>

#include "engraft/base/rng.h"
#include "engraft/image/image.h"
#include "engraft/image/preprocessing.h"

namespace engraft {

/// How training pictures are varied. Each part has a switch of its own; as declared, all are off.
/// In this order: crop, mirror, upside_down, rotation, RandAugment, colours, erasing; then, between
/// two pictures, mixup or cutmix (image/mix.h).
struct Augmentation {
  /// The crop keeps crop_min_area…1 of the largest box of its proportions that fits into the
  /// picture, anywhere in it. [0.01, 1]
  float crop_min_area = 1;
  /// Its proportions are 1/crop_max_stretch…crop_max_stretch times those that fit() would keep. [1,
  /// 4]. With both at 1 there is no crop.
  float crop_max_stretch = 1;
  float mirror = 0;       ///< probability of a left-right flip
  float upside_down = 0;  ///< probability of a top-bottom flip
  /// Degrees, uniform in ±rotation; the corners are filled by reflection. [0, 180]
  float rotation = 0;
  /// Factors uniform in [1 - x, 1 + x]; x in [0, 1].
  float brightness = 0, contrast = 0, saturation = 0;
  float hue = 0;        ///< share of the colour circle, uniform in ±hue; [0, 0.5]
  float grayscale = 0;  ///< probability of losing all colour
  /// Operations a picture, 0…10. Source: Cubuk et al. 2019, "RandAugment".
  int rand_augment = 0;
  float magnitude = 9;  ///< of these operations, 0 (nothing) … 10
  /// Probability that a box of 2–33 % of the picture turns into noise. Source: Zhong et al. 2020,
  /// "Random Erasing Data Augmentation".
  float erasing = 0;
  float mixup = 0;   ///< α of the Beta distribution, [0, 100]; 0: off
  float cutmix = 0;  ///< likewise; with both, each with probability ½

  bool operator==(const Augmentation&) const = default;
};

/// kLight: crops and mirror images that leave the subject in sight. kStandard: closer crops and
/// slightly changed colours, for fine-tuning on some hundred photos. kStrong: all of that,
/// RandAugment, erasing and mixing, for long runs.
enum class AugmentationPreset { kNone, kLight, kStandard, kStrong };
inline constexpr std::array kAugmentationPresets{
    AugmentationPreset::kNone, AugmentationPreset::kLight, AugmentationPreset::kStandard,
    AugmentationPreset::kStrong};
/// "none", "light", "standard", "strong".
[[nodiscard]] std::string_view name_of(AugmentationPreset preset);
[[nodiscard]] Augmentation augmentation_of(AugmentationPreset preset);

/// Throws Error(kUsage), which names the part and its range, if anything is out of range.
void check(const Augmentation& augmentation);

/// What is on, in a line for people: "crops of 35–100 %, mirrored, brightness ± 20 %"; "none".
[[nodiscard]] std::string summary_of(const Augmentation& augmentation);

/// Stable one-line JSON, the form in checkpoints. Throws as check() does. Reading throws
/// Error(kBadInput) for anything missing, unknown or out of range.
[[nodiscard]] std::string to_json(const Augmentation& augmentation);
[[nodiscard]] Augmentation augmentation_from_json(std::string_view json);

/// One way to look at a picture: any upright picture → width × height RGB. With nothing on, it is
/// bit for bit fit(). The draws are a function of rng alone, and the first of them are the same
/// whatever is on: to switch one part on leaves the choices of the others as they were (of erasing:
/// where; RandAugment shifts the noise itself). Mixing is not done here. Errors: kUsage, as check()
/// and fit().
[[nodiscard]] Image augment(const Image& image, const Preprocessing& preprocessing,
                            const Augmentation& augmentation, Rng rng);

}  // namespace engraft
