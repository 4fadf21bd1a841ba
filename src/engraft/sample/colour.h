#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace engraft::plates {

/// Linear light, 1 = a white sheet in the plain light of the scene.
struct Rgb {
  float r = 0, g = 0, b = 0;
};

[[nodiscard]] constexpr Rgb operator+(const Rgb& a, const Rgb& b) {
  return {a.r + b.r, a.g + b.g, a.b + b.b};
}
[[nodiscard]] constexpr Rgb operator*(const Rgb& a, const Rgb& b) {
  return {a.r * b.r, a.g * b.g, a.b * b.b};
}
[[nodiscard]] constexpr Rgb operator*(const Rgb& a, float s) {
  return {a.r * s, a.g * s, a.b * s};
}
/// t = 0: a, t = 1: b.
[[nodiscard]] constexpr Rgb mix(const Rgb& a, const Rgb& b, float t) {
  return a * (1 - t) + b * t;
}
[[nodiscard]] constexpr float mix(float a, float b, float t) {
  return a + (b - a) * t;
}
[[nodiscard]] constexpr float clamp01(float x) {
  return x < 0 ? 0 : x > 1 ? 1 : x;
}
/// 0 below low, 1 above high, 3t²-2t³ between.
[[nodiscard]] constexpr float smooth_step(float low, float high, float x) {
  const float t = clamp01((x - low) / (high - low));
  return t * t * (3 - 2 * t);
}

/// sRGB 0…255 → linear 0…1; IEC 61966-2-1.
[[nodiscard]] float linear_of(std::uint8_t srgb);

/// The way back, by a table of 4096 steps.
class SrgbEncoder {
 public:
  SrgbEncoder();
  [[nodiscard]] std::uint8_t operator()(float linear) const {
    return table_[static_cast<std::size_t>(clamp01(linear) * kSteps + 0.5f)];
  }

 private:
  static constexpr int kSteps = 4096;
  std::array<std::uint8_t, kSteps + 1> table_;
};
/// The one table, made on first use.
[[nodiscard]] const SrgbEncoder& srgb_encoder();

/// From 0xRRGGBB in sRGB.
[[nodiscard]] Rgb from_hex(std::uint32_t srgb);

}  // namespace engraft::plates
