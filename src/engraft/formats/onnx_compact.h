#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engraft/tensor/shape.h"

namespace engraft::onnx_format {

/// How one parameter lies in a compact file.
enum class StoredAs { kFloat, kHalf, kInt8 };

/// kInt8 for kernels with so many values that it pays, kHalf for other kernels (depthwise ones
/// among them), kFloat for vectors (biases, batch norm) and for values that neither of the others
/// holds.  `shape`: as Weights have it, outputs last.
[[nodiscard]] StoredAs compact_storage(const Shape& shape, std::span<const float> values);

/// Which values share a scale: value i is of channel (i / stride) % channels.
struct ChannelAxis {
  std::size_t channels = 1;
  std::size_t stride = 1;
};

/// w ≈ values · scales[channel], |w - values · scale| ≤ scale / 2.
struct Int8Values {
  std::vector<std::int8_t> values;  ///< -127 … 127
  std::vector<float> scales;        ///< a channel each: max|w| / 127; 1 where all are 0
};
/// Symmetric int8 with a scale a channel, rounded to nearest, ties away from 0. Values must be
/// finite.
[[nodiscard]] Int8Values to_int8(std::span<const float> values, const ChannelAxis& axis);

/// to = values · scale. The scales must be usable_scale(), one a channel; the values whole rows of
/// channels · stride.
void from_int8(std::span<const std::int8_t> values, std::span<const float> scales,
               const ChannelAxis& axis, std::span<float> to);
/// Above 0, and times any int8 it stays finite.
[[nodiscard]] bool usable_scale(float scale);

[[nodiscard]] std::vector<std::uint16_t> to_halves(std::span<const float> values);
void from_halves(std::span<const std::uint16_t> halves, std::span<float> to);

}  // namespace engraft::onnx_format
