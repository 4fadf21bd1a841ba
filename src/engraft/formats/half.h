#pragma once

#include <cstdint>

namespace engraft {

inline constexpr float kLargestHalf = 65504;

/// IEEE 754's binary16 as float, which holds each of them exactly.
[[nodiscard]] float half_to_float(std::uint16_t half);

/// The nearest binary16, ties to the even one; infinity for |x| ≥ 65520, a quiet NaN for NaN.
[[nodiscard]] std::uint16_t float_to_half(float x);

}  // namespace engraft
