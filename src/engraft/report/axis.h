#pragma once

#include <string>
#include <vector>

namespace engraft {

/// Evenly spaced round values, 1, 2 or 5 times a power of ten apart.
struct Ticks {
  double step = 1;
  int decimals = 0;  ///< needed to write them
  std::vector<double> values;
};

struct TickRange {
  double low = 0, high = 1;  ///< finite, low < high
  double smallest_step = 0;  ///< 1 for whole numbers
};

/// All ticks inside the range, about `wanted` of them (≥ 1).
[[nodiscard]] Ticks round_ticks(const TickRange& range, int wanted);

[[nodiscard]] std::string tick_label(const Ticks& ticks, double value);

/// A place on a logarithmic axis.
struct LogTick {
  int digit = 1;  ///< 1 to 9; a power of ten itself has 1
  int power = 0;
  double value = 1;       ///< digit · 10^power
  bool labelled = false;  ///< only powers of ten are
};

/// Where a logarithmic axis lies: 0 < low < high, finite.
struct LogRange {
  double low = 0.1, high = 1;
};

/// All ticks inside the range, lowest first: 1, 2, … 9 times each power of ten. As many of the
/// powers are labelled as may be (≥ 1), evenly spaced, the highest first of all.
[[nodiscard]] std::vector<LogTick> log_ticks(const LogRange& range, int most_labels);

/// The upper end of an axis from 0 for these values, in any order; not finite ones are left out.
/// A few values more than 20 times the upper quartile would flatten all others: they do not count
/// and lie off the scale. Always > 0.
[[nodiscard]] double axis_top(std::vector<double> values);

}  // namespace engraft
