#include "engraft/image/filter_taps.h"

#include <algorithm>
#include <cmath>

namespace engraft {
namespace {

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

/// Keys 1981, "Cubic convolution interpolation for digital image processing", with a = -½.
double keys_cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

struct Filter {
  double (*at)(double);
  double support;
};

Filter filter_of(Interpolation interpolation) {
  if (interpolation == Interpolation::kBicubic) return {keys_cubic, 2.0};
  return {triangle, 1.0};
}

}  // namespace

FilterTaps::FilterTaps(const ResampleAxis& axis, Interpolation interpolation) {
  const Filter filter = filter_of(interpolation);
  const double scale = static_cast<double>(axis.from) / static_cast<double>(axis.to);
  const double widening = std::max(scale, 1.0);
  const double support = filter.support * widening;
  std::vector<double> row;
  starts_.push_back(0);
  for (int i = 0; i < axis.count; ++i) {
    const double centre = (static_cast<double>(axis.first + i) + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int last = std::min(axis.from, static_cast<int>(centre + support + 0.5));
    row.clear();
    double sum = 0;
    for (int x = first; x < last; ++x) {
      row.push_back(filter.at((x - centre + 0.5) / widening));
      sum += row.back();
    }
    firsts_.push_back(first);
    for (const double weight : row) weights_.push_back(static_cast<float>(weight / sum));
    starts_.push_back(weights_.size());
  }
}

TapRange FilterTaps::range() const {
  const auto taps = static_cast<int>(starts_.back() - starts_[firsts_.size() - 1]);
  return {firsts_.front(), firsts_.back() + taps};
}

void FilterTaps::skip(int count) {
  for (int& first : firsts_) first -= count;
}

}  // namespace engraft
