#pragma once

#include <cstdint>

namespace engraft {

/// The extents of a 1×1 convolution, or of a dense layer where a pixel is a picture.
struct PointwiseGradientShape {
  std::int64_t pixels = 0;
  std::int64_t in = 0;   ///< channels of x
  std::int64_t out = 0;  ///< channels of dy
};

/// What a 1×1 convolution y[p,o] = b[o] + Σ_i x[p,i]·w[i,o] gives its weights:
/// dw[i,o] += Σ_p x[p,i]·dy[p,o] and db[o] += Σ_p dy[p,o].
/// x: [pixels,in]  dy: [pixels,out]  dw: [in,out]  db: [out], or null where there is no bias.
/// Runs on the calling thread; dw and db overlap nothing. The order of the sums depends on the
/// shape and on the processor's vectors alone.
void pointwise_weight_gradient(const PointwiseGradientShape& shape, const float* x, const float* dy,
                               float* dw, float* db);

}  // namespace engraft
