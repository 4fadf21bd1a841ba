#include "growth_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace engraft::bench {
namespace {

constexpr double kInset = 14;  ///< between the box' sides and the first and last point
constexpr double kHeadroom = 1.08;

double scaled(Scale scale, double value) {
  return scale == Scale::kLinear        ? value
         : scale == Scale::kPowersOfTwo ? std::log2(value)
                                        : std::log10(value);
}

std::vector<double> measured_values(const Growth& growth) {
  std::vector<double> values;
  for (const auto* group : {&growth.lines, &growth.expected}) {
    for (const Series& series : *group) {
      std::ranges::copy_if(series.values, std::back_inserter(values),
                           [](double value) { return std::isfinite(value) && value > 0; });
    }
  }
  return values;
}

}  // namespace

double Frame::x(double value) const {
  const double from = scaled(x_scale, first), to = scaled(x_scale, last);
  const double share = to > from ? (scaled(x_scale, value) - from) / (to - from) : 0.5;
  return box.x + kInset + (box.width - 2 * kInset) * share;
}

double Frame::y(double value) const {
  const double from = scaled(y_scale, low), to = scaled(y_scale, high);
  return box.bottom() - box.height * (scaled(y_scale, value) - from) / (to - from);
}

Frame frame_of(const Growth& growth, const Rectangle& box) {
  std::vector<double> values = measured_values(growth);
  if (values.empty()) values = {1};
  const auto [least, most] = std::ranges::minmax(values);
  Frame frame{.box = box,
              .x_scale = growth.x_scale,
              .y_scale = growth.y_scale,
              .first = growth.xs.front(),
              .last = growth.xs.back(),
              .low = 0,
              .high = kHeadroom * most};
  if (growth.y_scale != Scale::kLinear) {
    frame.low = std::pow(10.0, std::floor(std::log10(least)));
    frame.high =
        std::pow(10.0, std::max(std::ceil(std::log10(most)), std::floor(std::log10(least)) + 1));
  }
  return frame;
}

std::string short_number(double value) {
  int thousands = 0;
  for (; std::abs(value) >= 999.5 && thousands < 4; ++thousands) value /= 1000;
  const char* const prefix[] = {"", " k", " M", " G", " T"};
  return fmt::format("{:.3g}{}", value, prefix[thousands]);
}

std::string value_text(double value, const std::string& unit) {
  if (unit == "s") {
    return value < 0.9995e-3 ? fmt::format("{:.3g} µs", value * 1e6)
           : value < 0.9995  ? fmt::format("{:.3g} ms", value * 1e3)
           : value < 999.5   ? fmt::format("{:.3g} s", value)
                             : fmt::format("{:.0f} s", value);
  }
  if (unit == "bytes") {
    const std::string number = short_number(value);
    return number + (number.find(' ') == std::string::npos ? " B" : "B");
  }
  return short_number(value);
}

}  // namespace engraft::bench
