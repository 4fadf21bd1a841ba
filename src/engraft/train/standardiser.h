#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engraft/tensor/tensor.h"
#include "engraft/train/dense_layer.h"

namespace engraft {

/// x' = (x - mean)·scale: each feature's own mean over the training rows, and one scale for all,
/// 1/√(mean of the features' variances). Centring lets every feature speak from the first step;
/// the common scale makes learning rate and weight decay mean the same for features of any size
/// (pooled, logits, probabilities). A scale for each feature would blow up the many that hardly
/// vary, and was no better on any of three sets of pictures. A feature that does not vary at all
/// has scale 0: it can teach nothing.
struct Standardiser {
  std::vector<float> mean;
  std::vector<float> scale;

  /// Statistics of the given rows of values [n,F], worked out in double.
  static Standardiser fit(const Tensor& values, std::span<const std::size_t> rows);

  /// to = (row - mean)·scale; all of F values.
  void apply(std::span<const float> row, std::span<float> to) const;

  /// The layer that gives on raw x what `layer` gives on x':
  ///   Σ w·(x-mean)·scale + b  =  Σ (w·scale)·x + (b - Σ w·scale·mean),   worked out in double.
  [[nodiscard]] DenseParameters<float> fold_into(const DenseParameters<float>& layer) const;
};

}  // namespace engraft
