#pragma once

#include <cstddef>

#include "engraft/kernels/pointwise.h"

namespace engraft {

/// Whether the kernel takes it: channels of x in fours.
[[nodiscard]] bool is_quantizable(const Pointwise& layer);

/// Bytes of the weights as the kernel reads them, and of its scratch memory for so many pixels;
/// both are to begin at a cache line.
[[nodiscard]] std::size_t quantized_packed_size(const Pointwise& layer);
[[nodiscard]] std::size_t quantized_scratch_size(const Pointwise& layer, std::int64_t pixels);

/// Between which bounds the values of a layer's input lie.
struct InputRange {
  float low = 0, high = 0;
};

/// Weights as integers -127…127 with one scale for each channel of y, x as 0…255 with one scale and
/// zero point, at which its range just fits; what lies outside is cut off. b: null where there is
/// no bias.
void pack(const Pointwise& layer, const float* w, const float* b, const InputRange& range,
          std::byte* packed);

/// As PointwiseRun.
struct QuantizedPointwiseRun {
  const std::byte* packed = nullptr;
  const float* x = nullptr;
  float* y = nullptr;
  std::byte* scratch = nullptr;
  std::int64_t pixels = 0;
  std::int64_t first_channel = 0, last_channel = 0;
};

/// Products of 8-bit integers, sums of 32-bit ones. Runs on the calling thread. A value of y has
/// the same bits whatever the pixels and channels of the call, and on every processor with fused
/// multiply-add. Faster than in floats only where there is AVX512-VNNI.
void quantized_pointwise(const Pointwise& layer, const QuantizedPointwiseRun& run);

}  // namespace engraft
