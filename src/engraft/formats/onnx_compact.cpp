#include "engraft/formats/onnx_compact.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "engraft/formats/half.h"

namespace engraft::onnx_format {
namespace {

/// Below it a kernel is a few hundred bytes whatever its type, and finer values cost nothing.
constexpr std::int64_t kLeastInt8 = 1024;

constexpr float kLargestInt8 = 127;
constexpr float kLargestScale = std::numeric_limits<float>::max() / 256;

float largest_magnitude(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  return largest;
}

/// A scale too small for a normal float would lose its digits.
float scale_for(float largest) {
  if (largest == 0) return 1;
  return std::max(largest / kLargestInt8, std::numeric_limits<float>::min());
}

}  // namespace

StoredAs compact_storage(const Shape& shape, std::span<const float> values) {
  if (shape.rank() < 2) return StoredAs::kFloat;
  const float largest = largest_magnitude(values);
  const bool finite = std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
  if (!finite) return StoredAs::kFloat;
  const bool depthwise = shape.rank() == 3;
  if (!depthwise && shape.elements() >= kLeastInt8 && largest / kLargestInt8 <= kLargestScale) {
    return StoredAs::kInt8;
  }
  return largest <= kLargestHalf ? StoredAs::kHalf : StoredAs::kFloat;
}

Int8Values to_int8(std::span<const float> values, const ChannelAxis& axis) {
  Int8Values result{.values = std::vector<std::int8_t>(values.size()),
                    .scales = std::vector<float>(axis.channels, 0)};
  for (std::size_t i = 0; i < values.size(); ++i) {
    float& largest = result.scales[i / axis.stride % axis.channels];
    largest = std::max(largest, std::fabs(values[i]));
  }
  std::ranges::transform(result.scales, result.scales.begin(), scale_for);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float steps = std::round(values[i] / result.scales[i / axis.stride % axis.channels]);
    result.values[i] = static_cast<std::int8_t>(std::clamp(steps, -kLargestInt8, kLargestInt8));
  }
  return result;
}

void from_int8(std::span<const std::int8_t> values, std::span<const float> scales,
               const ChannelAxis& axis, std::span<float> to) {
  if (values.empty()) return;
  assert(scales.size() == axis.channels && to.size() == values.size());
  assert(values.size() % (axis.channels * axis.stride) == 0);
  const auto convert = [&](std::size_t begin, std::size_t count, const auto& scale) {
    for (std::size_t k = 0; k < count; ++k) {
      to[begin + k] = static_cast<float>(values[begin + k]) * scale(k);
    }
  };
  if (axis.stride == 1) {
    for (std::size_t i = 0; i < values.size(); i += axis.channels) {
      convert(i, axis.channels, [&](std::size_t k) { return scales[k]; });
    }
  } else {
    for (std::size_t i = 0; i < values.size(); i += axis.stride) {
      const float scale = scales[i / axis.stride % axis.channels];
      convert(i, axis.stride, [=](std::size_t) { return scale; });
    }
  }
}

bool usable_scale(float scale) {
  return scale > 0 && scale <= kLargestScale;  // NaN is neither
}

std::vector<std::uint16_t> to_halves(std::span<const float> values) {
  std::vector<std::uint16_t> halves(values.size());
  std::ranges::transform(values, halves.begin(), float_to_half);
  return halves;
}

void from_halves(std::span<const std::uint16_t> halves, std::span<float> to) {
  std::ranges::transform(halves, to.begin(), half_to_float);
}

}  // namespace engraft::onnx_format
