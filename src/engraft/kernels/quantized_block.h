#pragma once

#include <cstddef>

#include "engraft/kernels/inverted_residual.h"

namespace engraft {

/// Between which bounds the values of a block lie.
struct BlockRanges {
  float x_low = 0, x_high = 0;
  float expanded_high = 0, depthwise_high = 0;  ///< of e and d, which are not negative
};

/// Whether the kernels compute it in 8-bit integers: as is_fusable(), but for the network's first
/// convolution, and with values between that are not negative. (With its few channels the first
/// block is where integers cost most accuracy, and a tenth of the time.)
[[nodiscard]] bool is_quantizable(const InvertedResidual& block);

/// Bytes of the weights as the kernel reads them, and of its scratch memory; both are to begin at a
/// cache line.
[[nodiscard]] std::size_t quantized_packed_size(const InvertedResidual& block);
[[nodiscard]] std::size_t quantized_scratch_size(const InvertedResidual& block);

/// Weights of every convolution as integers -127…127 with one scale for each of its output
/// channels; x, e and d as 0…255, each with the scale at which its range just fits, and x with a
/// zero point. What lies outside the ranges is cut off.
void pack(const InvertedResidual& block, const InvertedResidualWeights& weights,
          const BlockRanges& ranges, std::byte* packed);

/// Rows [first_row, last_row) of y, of each of so many pictures.
struct QuantizedBlockRun {
  const std::byte* packed = nullptr;
  const float* x = nullptr;
  float* y = nullptr;  ///< does not overlap x
  std::byte* scratch = nullptr;
  int pictures = 1;
  int first_row = 0, last_row = 0;
};

/// The block with products of 8-bit integers and sums of 32-bit ones (Jacob et al. 2018,
/// "Quantization and Training of Neural Networks…"); x and y are floats, as is the addition of x.
/// Runs on the calling thread. A value of y has the same bits whatever the rows and pictures of the
/// call, and on every processor with fused multiply-add. Faster than in floats only where there is
/// AVX512-VNNI.
void quantized_block(const InvertedResidual& block, const QuantizedBlockRun& run);

}  // namespace engraft
