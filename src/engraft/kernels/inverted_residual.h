#pragma once

#include <cstddef>

#include "engraft/kernels/gate.h"

namespace engraft {

/// A k×k window that walks over a picture, zeros around it.
struct Window {
  int kernel = 1, stride = 1;
  int pad_top = 0, pad_left = 0;  ///< zeros before the picture; those behind follow from the sizes
};

/// MobileNetV2's block (Sandler et al. 2018), for one picture:
///   e = act(x ∗ expand + expand_bias)                   1×1 convolution to many channels
///   d = act(e ⋆ depthwise + depthwise_bias)             3×3 depthwise convolution
///   y = d·project + project_bias (+ x where residual)   1×1 convolution to few
/// x: [in_height,in_width,in]  e: [height,width,expanded]  d: [out_height,out_width,expanded]
/// y: [out_height,out_width,out]
/// The network's first convolution, 3×3 at stride 2, with the depthwise and 1×1 convolutions behind
/// it is such a block, too.
struct InvertedResidual {
  int in_height = 0, in_width = 0;
  int height = 0, width = 0;
  int out_height = 0, out_width = 0;
  int in = 0, expanded = 0, out = 0;  ///< channels
  Window expand;
  Window depthwise{.kernel = 3, .stride = 1, .pad_top = 1, .pad_left = 1};
  Gate expand_activation = Gate::kRelu6;
  Gate depthwise_activation = Gate::kRelu6;
  bool residual = false;
};

/// Whether the kernels take it: channels between in whole vectors of any processor, every picture
/// as big as the one before divided by the stride, rounded up, and padding as Keras or PyTorch do
/// it.
[[nodiscard]] bool is_fusable(const InvertedResidual& block);

struct InvertedResidualWeights {
  const float* expand = nullptr;          ///< [kernel, kernel, in, expanded]
  const float* expand_bias = nullptr;     ///< [expanded]
  const float* depthwise = nullptr;       ///< [3, 3, expanded]
  const float* depthwise_bias = nullptr;  ///< [expanded]
  const float* project = nullptr;         ///< [expanded, out]
  const float* project_bias = nullptr;    ///< [out]
};

/// Floats of the weights as the kernel reads them, and of its scratch memory. Both are to begin at
/// a cache line.
[[nodiscard]] std::size_t packed_size(const InvertedResidual& block);
[[nodiscard]] std::size_t scratch_size(const InvertedResidual& block);
void pack(const InvertedResidual& block, const InvertedResidualWeights& weights, float* packed);

/// Channels of e whose share in y can be computed for itself: any multiple, where the shorter side
/// of e is kNarrowSide pixels at most.
inline constexpr int kChannelStep = 48;
inline constexpr int kNarrowSide = 64;

/// What one call computes: rows [first_row, last_row) of y, of each of so many pictures, which
/// stand behind each other.
struct InvertedResidualRun {
  const float* packed = nullptr;
  const float* x = nullptr;
  float* y = nullptr;  ///< does not overlap x
  float* scratch = nullptr;
  int pictures = 1;
  int first_row = 0, last_row = 0;
  /// Only the share that these channels of e have in y, multiples of kChannelStep; that of channel
  /// 0 brings the bias and x. The sum of the shares is y. last_channel 0: all.
  int first_channel = 0, last_channel = 0;
};

/// Few rows of e and d exist at a time, a panel of channels at a time, in the nearest caches. Runs
/// on the calling thread. A value of y has the same bits whatever the rows and pictures of the
/// call.
void inverted_residual(const InvertedResidual& block, const InvertedResidualRun& run);

}  // namespace engraft
