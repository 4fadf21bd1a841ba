#include "engraft/sample/noise.h"

namespace engraft::plates {

Noise::Noise(Rng& rng) {
  for (std::size_t i = 0; i < values_.size(); i += 2) {
    const std::uint32_t bits = rng.next_u32();  // two values a draw: 16 bits are plenty
    values_[i] = static_cast<float>(bits >> 16) * 0x1p-16f;
    values_[i + 1] = static_cast<float>(bits & 0xFFFF) * 0x1p-16f;
  }
}

float Noise::fractal(float x, float y, int octaves) const {
  float sum = 0;
  float weight = 1;
  float weights = 0;
  for (int octave = 0; octave < octaves; ++octave) {
    sum += weight * at(x, y);
    weights += weight;
    weight *= 0.5f;
    // Not exactly 2, and shifted, so that the octaves' grids do not line up.
    x = x * 2.03f + 17.3f;
    y = y * 2.03f + 5.7f;
  }
  return sum / weights;
}

}  // namespace engraft::plates
