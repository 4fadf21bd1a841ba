#pragma once

#include "engraft/kernels/gate.h"

namespace engraft {

/// The backward pass of one picture's depthwise convolution
/// y[i,j,c] = b[c] + Σ_uv x[s·i+u−top, s·j+v−left, c] · w[u,v,c], zeros around the picture.
struct DepthwiseBackward {
  int height = 0, width = 0, channels = 0;  ///< of x
  int kernel = 3, stride = 1;
  int pad_top = 0, pad_left = 0;  ///< zeros before the picture; those after it follow from the size
  int out_height = 0, out_width = 0;
  Gate input_gate = Gate::kOpen;  ///< the activation that made x: dx is gated by it
  Gate output_gate =
      Gate::kOpen;           ///< the activation that made y: dy is gated by it first, in place
  const float* x = nullptr;  ///< [height,width,channels]
  const float* y = nullptr;  ///< [out_height,out_width,channels]; unread where output_gate is open
  const float* w = nullptr;  ///< [kernel,kernel,channels]; unread where dx is null
  float* dy = nullptr;       ///< [out_height,out_width,channels]
  float* dx = nullptr;       ///< [height,width,channels], written; null: not wanted
  float* dw = nullptr;       ///< [kernel,kernel,channels], added to
  float* db = nullptr;       ///< [channels], added to; null: no bias
};

/// In this order, but in one pass over the picture:
///   dy[i,j,c] = 0 where output_gate is closed at y[i,j,c]
///   dw[u,v,c] += Σ_ij x[s·i+u−top, s·j+v−left, c] · dy[i,j,c]
///   db[c] += Σ_ij dy[i,j,c]
///   dx[r,q,c] = Σ_uv dy[(r+top−u)/s, (q+left−v)/s, c] · w[u,v,c], over the (u,v) where both
///   quotients are whole and inside dy; 0 where input_gate is closed at x[r,q,c]
/// Runs on the calling thread. The arrays do not overlap, but for x and y, which are only read.
void depthwise_backward(const DepthwiseBackward& spec);

}  // namespace engraft
