#pragma once

#include <array>
#include <span>

#include "engraft/base/rng.h"

namespace engraft::plates {

[[nodiscard]] inline bool chance(Rng& rng, float probability) {
  return rng.uniform() < probability;
}
template <typename T>
[[nodiscard]] const T& pick(Rng& rng, std::span<const T> choices) {
  return choices[rng.below(static_cast<std::uint32_t>(choices.size()))];
}
template <typename T, std::size_t N>
[[nodiscard]] const T& pick(Rng& rng, const T (&choices)[N]) {
  return pick(rng, std::span<const T>(choices));
}

/// Value noise: uniform random values on a grid of whole numbers, blended smoothly between. Repeats
/// every 64.
class Noise {
 public:
  explicit Noise(Rng& rng);
  /// In [0, 1), mean 0.5.
  [[nodiscard]] float at(float x, float y) const {
    const int cell_x = floor_of(x);
    const int cell_y = floor_of(y);
    const float tx = ease(x - static_cast<float>(cell_x));
    const float ty = ease(y - static_cast<float>(cell_y));
    const float top = cell(cell_x, cell_y) * (1 - tx) + cell(cell_x + 1, cell_y) * tx;
    const float bottom = cell(cell_x, cell_y + 1) * (1 - tx) + cell(cell_x + 1, cell_y + 1) * tx;
    return top * (1 - ty) + bottom * ty;
  }
  /// Octaves at doubling frequency and halving weight; in [0, 1), mean 0.5.
  [[nodiscard]] float fractal(float x, float y, int octaves) const;
  /// The grid's own value: a random number per cell.
  [[nodiscard]] float cell(int x, int y) const {
    return values_[static_cast<std::size_t>((y & (kSide - 1)) * kSide + (x & (kSide - 1)))];
  }

 private:
  static constexpr int kSide = 64;
  // std::floor is a function call on a processor that might lack its instruction; this is called
  // several times a pixel.
  static int floor_of(float x) {
    const int whole = static_cast<int>(x);
    return whole - (static_cast<float>(whole) > x ? 1 : 0);
  }
  static float ease(float t) { return t * t * (3 - 2 * t); }

  std::array<float, kSide * kSide> values_;
};

}  // namespace engraft::plates
