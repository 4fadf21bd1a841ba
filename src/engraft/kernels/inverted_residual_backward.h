#pragma once

#include "engraft/kernels/inverted_residual.h"

namespace engraft {

/// Where a block's weights get their gradients, all added to; laid out as InvertedResidualWeights.
struct InvertedResidualGradients {
  float* expand = nullptr;
  float* expand_bias = nullptr;
  float* depthwise = nullptr;
  float* depthwise_bias = nullptr;
  float* project = nullptr;
  float* project_bias = nullptr;
};

/// Floats of the weights as the backward pass reads them, and of its scratch memory.
[[nodiscard]] std::size_t backward_packed_size(const InvertedResidual& block);
[[nodiscard]] std::size_t backward_scratch_size(const InvertedResidual& block);
void pack_backward(const InvertedResidual& block, const InvertedResidualWeights& weights,
                   float* packed);

struct InvertedResidualBackward {
  const float* packed = nullptr;           ///< by pack()
  const float* packed_backward = nullptr;  ///< by pack_backward()
  int pictures = 1;                        ///< which stand behind each other in x, dy and dx
  const float* x = nullptr;
  const float* dy = nullptr;
  float* dx = nullptr;   ///< overlaps nothing; null: not wanted (nor possible, of a 3×3 expansion)
  bool adds_dx = false;  ///< dx += rather than dx =
  InvertedResidualGradients gradients;
  float* scratch = nullptr;
};

/// The gradients of inverted_residual(), those of weights summed over the pictures:
///   dd = gate(d)·(dy·projectᵀ)      d_project += dᵀ·dy       d_project_bias += Σ dy
///   de = gate(e)·(dd ⋆ᵀ depthwise)  d_depthwise += e ⋆ dd    d_depthwise_bias += Σ dd
///   dx = de·expandᵀ (+ dy)          d_expand += xᵀ·de        d_expand_bias += Σ de
/// e and d, which the way there has not kept, are computed once more, a few rows at a time: cheaper
/// than fetching them. Runs on the calling thread; the order of the sums depends on the block, the
/// pictures of a call and the processor's vectors alone.
void inverted_residual_backward(const InvertedResidual& block, const InvertedResidualBackward& run);

}  // namespace engraft
