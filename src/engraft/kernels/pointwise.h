#pragma once

#include <cstddef>
#include <cstdint>

#include "engraft/kernels/gate.h"

namespace engraft {

/// A 1×1 convolution, or a dense layer where a pixel is a picture:
/// y[p,o] = act(b[o] + Σ_i x[p,i]·w[i,o]), i ascending.
/// x: [pixels,in]  w: [in,out]  b: [out]  y: [pixels,out]
struct Pointwise {
  std::int64_t in = 0, out = 0;
  Gate activation = Gate::kOpen;
};

/// Floats of the weights as the kernel reads them; they are to begin at a cache line.
[[nodiscard]] std::size_t packed_size(const Pointwise& layer);
/// b: null where there is no bias.
void pack(const Pointwise& layer, const float* w, const float* b, float* packed);

/// Channels of y that can be computed for themselves: any multiple.
inline constexpr int kPointwiseStep = 48;

/// Channels [first_channel, last_channel) of y at every pixel; multiples of kPointwiseStep or the
/// last. Runs on the calling thread. A value of y has the same bits whatever the pixels and
/// channels of the call.
struct PointwiseRun {
  const float* packed = nullptr;
  const float* x = nullptr;
  float* y = nullptr;
  std::int64_t pixels = 0;
  std::int64_t first_channel = 0, last_channel = 0;
};
void pointwise(const Pointwise& layer, const PointwiseRun& run);

}  // namespace engraft
