#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace engraft::bench {

/// How long a point is measured: its value is the median of the repetitions that fit, after one
/// that does not count.
struct Effort {
  double seconds = 0.5;             ///< all repetitions together, at least
  std::size_t repetitions = 5;      ///< at least, unless they take four times those seconds
  std::size_t most_rows = 1000000;  ///< of features
};

enum class Scale {
  kLinear,
  kPowersOfTwo,
  kPowersOfTen,
};

/// A point that could not be measured.
inline constexpr double kLeftOut = std::numeric_limits<double>::quiet_NaN();

/// Values at each of a question's xs; kLeftOut is a gap.
struct Series {
  std::string name;
  std::string unit;
  std::vector<double> values = {};
};

/// What one question was answered: how something grows with something.
struct Growth {
  std::string key;     ///< for programs
  std::string title;   ///< what grows
  std::string remark;  ///< what was measured, with the unit of y
  std::string x_name;
  Scale x_scale = Scale::kLinear;
  Scale y_scale = Scale::kLinear;  ///< linear ones begin at 0
  std::vector<double> xs = {};     ///< rising
  std::vector<Series> lines = {};
  std::vector<Series> expected = {};       ///< what the lines are held against; none or one
  std::vector<Series> notes = {};          ///< further facts of each x; none or one
  std::vector<std::string> left_out = {};  ///< in a line each: which points, and why
};

/// Pictures a second that features are extracted from, on synthetic pictures and random weights.
[[nodiscard]] Growth growth_with_threads(const Effort& effort);
[[nodiscard]] Growth growth_with_batch(const Effort& effort);
[[nodiscard]] Growth growth_with_image_size(const Effort& effort);
[[nodiscard]] Growth growth_with_width(const Effort& effort);
/// Size of a feature cache's file and the time to write and to read it, in a temporary folder. An
/// interruption (SIGINT, SIGTERM) removes that folder and throws Error(kCancelled).
[[nodiscard]] Growth growth_of_cache(const Effort& effort);
/// Time of an epoch of head training.
[[nodiscard]] Growth growth_of_head(const Effort& effort);

}  // namespace engraft::bench
