#pragma once

#include <cstddef>
#include <vector>

#include "engraft/image/resample.h"
#include "engraft/kernels/resample.h"

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

  /// As the kernels take it; borrowed.
  [[nodiscard]] FilterTable table() const { return {firsts_, starts_, weights_}; }
  /// All samples that any output looks at.
  [[nodiscard]] TapRange range() const;
  /// Leaves out so many samples at the begin, which no output looks at: sample `count` is number 0.
  void skip(int count);

 private:
  std::vector<int> firsts_;
  std::vector<std::size_t> starts_;  // one more than outputs
  std::vector<float> weights_;
};

}  // namespace engraft
