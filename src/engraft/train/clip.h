#pragma once

#include <span>

#include "engraft/base/thread_pool.h"

namespace engraft {

/// ‖g‖₂ = √Σ g², in double and in an order that depends on the size alone: the same bits for any
/// number of threads. NaN where g has a NaN, infinite where it has an infinity and no NaN.
[[nodiscard]] double global_norm(std::span<const float> g, ThreadPool& pool);

/// What to multiply a gradient of this norm by so that it has at most max_norm: 1 where norm ≤
/// max_norm, else max_norm/norm (Pascanu et al. 2013, §3.2). 1, too, for a norm that is NaN or
/// infinite: no factor mends such a gradient, and whoever asked for the norm sees it. Throws
/// Error(kUsage) unless max_norm is above 0 and finite.
[[nodiscard]] float clip_factor(double norm, float max_norm);

/// g ← factor·g; a factor of 1 leaves every bit.
void scale(std::span<float> g, float factor);

}  // namespace engraft
