#include "engraft/image/augment_rand.h"

#include <cmath>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/image/augment_colour.h"
#include "engraft/image/augment_tones.h"
#include "engraft/image/augment_warp.h"

namespace engraft {
namespace {

constexpr double kMostDegrees = 30;
constexpr double kMostFactor = 0.9;
constexpr double kMostShear = 0.3;
constexpr double kMostShift = 0.45;
constexpr int kBitsLost = 4;

Image with_colours(Image image, const ColourFactors& factors) {
  adjust_colours(image, factors);
  return image;
}

Image warp_by(RandOperation operation, const Image& image, double strength) {
  Affine from;
  switch (operation) {
    case RandOperation::kRotate:
      from = rotation_by(kMostDegrees * strength);
      break;
    case RandOperation::kShearX:
      from.xy = kMostShear * strength;
      break;
    case RandOperation::kShearY:
      from.yx = kMostShear * strength;
      break;
    case RandOperation::kTranslateX:
      from.dx = std::round(kMostShift * strength * image.width);
      break;
    case RandOperation::kTranslateY:
      from.dy = std::round(kMostShift * strength * image.height);
      break;
    default:
      throw Error(ErrorKind::kInternal, "an operation of RandAugment that moves nothing");
  }
  return warp(image, from);
}

}  // namespace

std::string_view name_of(RandOperation operation) {
  constexpr std::array<std::string_view, kRandOperations.size()> kNames{
      "identity", "autocontrast", "equalize",  "rotate",  "solarize", "colour",      "posterize",
      "contrast", "brightness",   "sharpness", "shear_x", "shear_y",  "translate_x", "translate_y"};
  return kNames[static_cast<std::size_t>(operation)];
}

Image apply(RandOperation operation, Image image, double strength) {
  const double factor = 1 + kMostFactor * strength;
  switch (operation) {
    case RandOperation::kIdentity:
      return image;
    case RandOperation::kAutocontrast:
      autocontrast(image);
      return image;
    case RandOperation::kEqualize:
      equalize(image);
      return image;
    case RandOperation::kSolarize:
      solarize(image, 256 - static_cast<int>(std::lround(256 * std::abs(strength))));
      return image;
    case RandOperation::kPosterize:
      posterize(image, 8 - static_cast<int>(std::lround(kBitsLost * std::abs(strength))));
      return image;
    case RandOperation::kSharpness:
      sharpen(image, static_cast<float>(factor));
      return image;
    case RandOperation::kColour:
      return with_colours(std::move(image), {.saturation = factor});
    case RandOperation::kContrast:
      return with_colours(std::move(image), {.contrast = factor});
    case RandOperation::kBrightness:
      return with_colours(std::move(image), {.brightness = factor});
    case RandOperation::kRotate:
    case RandOperation::kShearX:
    case RandOperation::kShearY:
    case RandOperation::kTranslateX:
    case RandOperation::kTranslateY:
      break;
  }
  return warp_by(operation, image, strength);
}

Image rand_augment(Image image, int count, float magnitude, Rng& rng) {
  for (int i = 0; i < count; ++i) {
    const auto drawn = rng.below(static_cast<std::uint32_t>(kRandOperations.size()));
    const double sign = rng.uniform() < 0.5f ? -1 : 1;
    image =
        apply(kRandOperations[drawn], std::move(image), sign * static_cast<double>(magnitude) / 10);
  }
  return image;
}

}  // namespace engraft
