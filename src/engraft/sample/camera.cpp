#include "engraft/sample/camera.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace engraft::plates {
namespace {

/// (1-b)·x + b·(1 2 1)/4 · x along rows and columns; edges repeated.
void soften(Radiance& picture, float share) {
  const int width = picture.size.width;
  const int height = picture.size.height;
  const float side = 0.25f * share;
  const float middle = 1 - 2 * side;
  for (int y = 0; y < height; ++y) {
    Rgb* row = picture.row(y);
    Rgb before = row[0];
    for (int x = 0; x < width; ++x) {
      const Rgb here = row[x];
      row[x] = here * middle + (before + row[std::min(x + 1, width - 1)]) * side;
      before = here;
    }
  }
  std::vector<Rgb> above(picture.row(0), picture.row(0) + width);
  for (int y = 0; y < height; ++y) {
    Rgb* row = picture.row(y);
    const Rgb* below = picture.row(std::min(y + 1, height - 1));
    for (int x = 0; x < width; ++x) {
      const Rgb here = row[x];
      row[x] = here * middle + (above[static_cast<std::size_t>(x)] + below[x]) * side;
      above[static_cast<std::size_t>(x)] = here;
    }
  }
}

/// Exposure to a value in [0, 1]: highlights roll off as on film. A table over light in [0, 4),
/// with straight lines between its points.
class Film {
 public:
  explicit Film(const Camera& camera) {
    for (std::size_t i = 0; i < curve_.size(); ++i) {
      const float light = static_cast<float>(i) / kStepsPerUnit;
      const float value = 1 - std::exp(-1.75f * camera.exposure * light);
      curve_[i] = clamp01(0.18f + camera.contrast * (value - 0.18f));
    }
  }
  [[nodiscard]] float operator()(float light) const {
    const float place = std::clamp(light * kStepsPerUnit, 0.0f, kSteps - 1.0f);
    const auto i = static_cast<std::size_t>(place);
    return mix(curve_[i], curve_[i + 1], place - static_cast<float>(i));
  }

 private:
  static constexpr int kStepsPerUnit = 256;
  static constexpr int kSteps = 4 * kStepsPerUnit;
  std::array<float, kSteps + 1> curve_;
};

/// Four bytes of a draw summed: close to normal, deviation 1.
float noise_of(std::uint32_t bits) {
  const auto sum =
      static_cast<int>((bits & 0xFF) + (bits >> 8 & 0xFF) + (bits >> 16 & 0xFF) + (bits >> 24));
  constexpr float kDeviation = 147.8f;  // of the sum of four uniform bytes
  return static_cast<float>(sum - 510) / kDeviation;
}

}  // namespace

Image photograph(Radiance picture, const Camera& camera, Rng& rng) {
  soften(picture, camera.blur);
  const Film film(camera);
  const SrgbEncoder& srgb = srgb_encoder();
  Image image(picture.size.width, picture.size.height);
  const auto height = static_cast<float>(image.height);
  for (int y = 0; y < image.height; ++y) {
    const float v = (static_cast<float>(y) + 0.5f) / height - 0.5f;
    const Rgb* from = picture.row(y);
    std::uint8_t* to = image.row(y);
    for (int x = 0; x < image.width; ++x, to += 3) {
      const float u =
          (static_cast<float>(x) + 0.5f - 0.5f * static_cast<float>(image.width)) / height;
      const float dimming = 1 / (1 + camera.vignette * (u * u + v * v));
      const Rgb light = from[x] * dimming;
      const Rgb value{film(light.r), film(light.g), film(light.b)};
      // Photon noise grows with the root of the light; the eye of the sensor is the same for all
      // colours, plus a little of each colour's own.
      const std::uint32_t bits = rng.next_u32();
      const float shared = noise_of(bits);
      const float own = noise_of(bits * 0x9E3779B1u);
      const float level = camera.grain * (0.3f + std::sqrt(value.g));
      to[0] = srgb(value.r + level * (0.8f * shared + 0.5f * own) * (0.4f + value.r));
      to[1] = srgb(value.g + level * 0.9f * shared * (0.4f + value.g));
      to[2] = srgb(value.b + level * (0.8f * shared - 0.5f * own) * (0.4f + value.b));
    }
  }
  return image;
}

}  // namespace engraft::plates
