#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engraft/image/resample.h"

namespace engraft {

/// Source samples [first, last).
struct TapRange {
  int first = 0;
  int last = 0;
};

/// The weights of an antialiased resize along one axis. With s = from / to and the filter widened
/// by max(s, 1), output i is the weighted mean of the samples around (i + ½) · s; weights sum to 1,
/// also at the borders. Source: Pillow's documented resampling (convolution with area of support).
class FilterTaps {
 public:
  FilterTaps(const ResampleAxis& axis, Interpolation interpolation);

  [[nodiscard]] std::size_t outputs() const { return firsts_.size(); }
  /// The first sample that output i looks at, and the weights from there on.
  [[nodiscard]] int first(std::size_t i) const { return firsts_[i]; }
  [[nodiscard]] std::span<const float> weights(std::size_t i) const {
    return std::span(weights_).subspan(starts_[i], starts_[i + 1] - starts_[i]);
  }
  /// All samples that any output looks at.
  [[nodiscard]] TapRange range() const;

 private:
  std::vector<int> firsts_;
  std::vector<std::size_t> starts_;  // one more than outputs
  std::vector<float> weights_;
};

}  // namespace engraft
