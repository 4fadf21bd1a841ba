#include "engraft/kernels/dropout.h"

#include <cmath>

namespace engraft {

void draw_dropout_mask(Rng rng, float rate, std::span<float> mask) {
  const auto dropped = static_cast<std::uint32_t>(std::lround(static_cast<double>(rate) * 65536));
  const float kept = 1 / (1 - rate);
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    bits = i % 2 == 0 ? rng.next_u32() : bits >> 16;
    mask[i] = (bits & 0xffff) < dropped ? 0.0f : kept;
  }
}

}  // namespace engraft
