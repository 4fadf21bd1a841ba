#pragma once

#include <cstddef>
#include <span>

namespace engraft {

/// Elements whose squares are summed in one piece: norms are put together from these pieces in
/// their order, so that the pieces may be worked out by any number of threads for the same bits.
inline constexpr std::size_t kNormBlock = 65536;

/// Blocks of `size` elements: ⌈size/kNormBlock⌉. Block b is [b·kNormBlock, min(size,
/// (b+1)·kNormBlock)).
[[nodiscard]] std::size_t norm_blocks(std::size_t size);

/// Σ g², in double and in an order that depends on the size alone.
[[nodiscard]] double sum_of_squares(std::span<const float> block);

/// √Σ sums, for the sums of squares of all blocks in their order.
[[nodiscard]] double norm_of(std::span<const double> block_sums);

/// ‖g‖₂ = √Σ g², the same bits as from norm_of(sum_of_squares() of each block). NaN where g has a
/// NaN, infinite where it has an infinity and no NaN.
[[nodiscard]] double global_norm(std::span<const float> g);

/// What to multiply a gradient of this norm by so that it has at most max_norm: 1 where norm ≤
/// max_norm, else max_norm/norm (Pascanu et al. 2013, §3.2). 1, too, for a norm that is NaN or
/// infinite: no factor mends such a gradient, and whoever asked for the norm sees it. Throws
/// Error(kUsage) unless max_norm is above 0 and finite.
[[nodiscard]] float clip_factor(double norm, float max_norm);

/// g ← factor·g; a factor of 1 leaves every bit.
void scale(std::span<float> g, float factor);

/// Scales g down to a norm of max_norm, within rounding, where it has more, and leaves it bit by
/// bit where not. Returns the norm before: a caller stops where it is not finite. Errors as in
/// clip_factor().
double clip_by_global_norm(std::span<float> g, float max_norm);

}  // namespace engraft
