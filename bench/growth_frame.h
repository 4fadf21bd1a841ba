#pragma once

#include <string>

#include "engraft/report/canvas.h"
#include "growth_measure.h"

namespace engraft::bench {

/// Where a question's values lie on the paper.
struct Frame {
  Rectangle box;
  Scale x_scale = Scale::kLinear, y_scale = Scale::kLinear;
  double first = 0, last = 1;  ///< x at the first and last point
  double low = 0, high = 1;    ///< y at the lower and upper edge
  [[nodiscard]] double x(double value) const;
  [[nodiscard]] double y(double value) const;
};

/// Linear y axes begin at 0; those in powers of ten begin and end with one.
[[nodiscard]] Frame frame_of(const Growth& growth, const Rectangle& box);

/// In three digits: "500", "10 k", "1.5 M".
[[nodiscard]] std::string short_number(double value);

/// A value with its unit: "35 ms", "5.6 MB"; of any unit but "s" and "bytes" the number alone.
[[nodiscard]] std::string value_text(double value, const std::string& unit);

}  // namespace engraft::bench
