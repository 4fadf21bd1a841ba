#pragma once

#include <span>

#include "engraft/base/rng.h"

namespace engraft {

/// Inverted dropout: each value is 0 with probability `rate` in [0, 1), else 1/(1-rate). 16 random
/// bits a value: the rate is met within 1/65536.
void draw_dropout_mask(Rng rng, float rate, std::span<float> mask);

}  // namespace engraft
