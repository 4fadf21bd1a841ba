#pragma once

#include <cstdint>

#include "engraft/kernels/gate.h"

namespace engraft {

/// The extents of an array of pixels with their channels side by side.
struct ChannelShape {
  std::int64_t pixels = 0;
  std::int64_t channels = 0;
};

/// A batch norm that normalises by its batch's own statistics, as
/// y = scale·x + shift, scale = gamma·inverse_deviation, shift = beta − mean·scale. Each
/// [channels].
struct BatchNormStatistics {
  const float* scale = nullptr;
  const float* shift = nullptr;
  const float* mean = nullptr;
  const float* inverse_deviation = nullptr;  ///< 1 / √(variance + ε)
};

/// sums[c] += Σ_p x[p,c].  x: [pixels,channels]  sums: [channels]
void channel_sums(std::int64_t pixels, std::int64_t channels, const float* x, float* sums);

/// sum[c] += Σ_p (x[p,c]−pivot[c]) and sum_of_squares[c] += Σ_p (x[p,c]−pivot[c])².
/// x: [pixels,channels]  pivot, sum, sum_of_squares: [channels]. A pivot near the mean keeps the
/// variance, sum_of_squares/n − (sum/n)², free of cancellation. At most 128 pixels are added up in
/// float before a double takes them over.
void channel_moments(const ChannelShape& shape, const float* x, const float* pivot, double* sum,
                     double* sum_of_squares);

/// y[p,c] = act(scale[c]·x[p,c] + shift[c]), act being the activation of the gate: none, relu or
/// relu6.  x, y: [pixels,channels], may be the same array.
void scale_shift_gate(const ChannelShape& shape, const float* x, const float* scale,
                      const float* shift, Gate gate, float* y);

/// The two sums of batch norm's backward pass: with g = dy where the gate is open at
/// act(scale·x + shift), else 0, and x̂ = (x−mean)·inverse_deviation,
/// sum_dy[c] += Σ_p g[p,c] and sum_dy_xhat[c] += Σ_p g[p,c]·x̂[p,c]; they are the gradients of beta
/// and gamma, too.  x (before batch norm), dy (after the activation): [pixels,channels].
void batch_norm_backward_sums(const ChannelShape& shape, const float* x, const float* dy,
                              const BatchNormStatistics& statistics, Gate gate, double* sum_dy,
                              double* sum_dy_xhat);

/// Batch norm's backward pass through its own statistics:
/// dx[p,c] = scale[c]·(g[p,c] − mean_dy[c] − x̂[p,c]·mean_dy_xhat[c]), g and x̂ as above; mean_dy and
/// mean_dy_xhat are the sums above over the number of pixels of the whole batch.  dx: [pixels,
/// channels], may be dy.  Source: Ioffe and Szegedy 2015, §3.
void batch_norm_backward(const ChannelShape& shape, const float* x, const float* dy,
                         const BatchNormStatistics& statistics, const float* mean_dy,
                         const float* mean_dy_xhat, Gate gate, float* dx);

}  // namespace engraft
