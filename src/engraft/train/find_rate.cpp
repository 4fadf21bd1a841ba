#include "engraft/train/find_rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "engraft/base/error.h"
#include "engraft/base/progress.h"

namespace engraft {
namespace {

// A smoothed loss has gone too far up at so many times its lowest value so far, or its first one.
constexpr double kTooFarFromLowest = 4;
constexpr double kTooFarFromStart = 2;
/// Standard errors that are more than chance.
constexpr double kSure = 3.5;
/// Share of the loss below which a change is of no account.
constexpr double kOfAccount = 0.01;

/// m = Σ wᵢxᵢ/Σ wᵢ, wᵢ = βˢ⁻ⁱ, and its standard error, from the unbiased variance of the xᵢ about
/// m: √(Σ wᵢ²/(Σ wᵢ)² · Σ wᵢ(xᵢ-m)²/Σ wᵢ / (1 - Σ wᵢ²/(Σ wᵢ)²)); 0 for a single x.
class Smoother {
 public:
  void add(double x) {
    sum_ = kRateSmoothing * sum_ + 1;
    squares_ = kRateSmoothing * kRateSmoothing * squares_ + 1;
    const double share = 1 / sum_;
    const double off = x - mean_;
    mean_ += share * off;
    variance_ = (1 - share) * (variance_ + share * off * off);
  }
  [[nodiscard]] double mean() const { return mean_; }
  [[nodiscard]] double error() const {
    const double concentration = squares_ / (sum_ * sum_);
    return concentration < 1 ? std::sqrt(concentration * variance_ / (1 - concentration)) : 0;
  }

 private:
  double sum_ = 0, squares_ = 0, mean_ = 0, variance_ = 0;
};

bool fell(const RateTest& test, const RatePoint& point) {
  return point.change < -kSure * point.error && point.change < -kOfAccount * test.level;
}

bool rose(const RateTest& test, const RatePoint& point) {
  return point.change > kSure * point.error && point.change > kOfAccount * test.level;
}

/// Slope of the smoothed loss over log₁₀ of the rate, of the line of least squares through the
/// points within `reach` of i: Σ (x-x̄)(y-ȳ) / Σ (x-x̄)².
double slope_at(const RateTest& test, std::size_t i, std::size_t reach) {
  const std::size_t begin = i - std::min(i, reach);
  const std::size_t end = std::min(test.points.size(), i + reach + 1);
  const auto n = static_cast<double>(end - begin);
  const auto x = [&](std::size_t k) { return std::log10(double{test.points[k].rate}); };
  double x_mean = 0, y_mean = 0;
  for (std::size_t k = begin; k < end; ++k) {
    x_mean += x(k) / n;
    y_mean += test.points[k].change / n;
  }
  double covariance = 0, variance = 0;
  for (std::size_t k = begin; k < end; ++k) {
    covariance += (x(k) - x_mean) * (test.points[k].change - y_mean);
    variance += (x(k) - x_mean) * (x(k) - x_mean);
  }
  return variance > 0 ? covariance / variance : 0;
}

/// Steps to either side that a slope is taken over.
std::size_t reach_of(const RateSweep& sweep) {
  return std::max<std::size_t>(2, static_cast<std::size_t>(sweep.steps) / 20);
}

float two_digits(float value) {
  return std::strtof(fmt::format("{:.1e}", value).c_str(), nullptr);
}

}  // namespace

void RateSweep::check() const {
  require(
      low > 0 && std::isfinite(low),
      fmt::format("the lowest learning rate must be above 0, not {:g}: 1e-7 is a usual one", low));
  require(high <= kHighestSweepRate && high >= 10 * low,
          fmt::format("the highest learning rate must be at least ten times the lowest and at most "
                      "{:g}, not {:g}: 1 is a usual one",
                      kHighestSweepRate, high));
  require(steps >= kFewestSweepSteps && steps <= kMostSweepSteps,
          fmt::format("a sweep has {} to {} steps, not {}: 100 is a usual number",
                      kFewestSweepSteps, kMostSweepSteps, steps));
}

float RateSweep::rate(int step) const {
  const double along = static_cast<double>(step) / (steps - 1);
  return static_cast<float>(double{low} * std::pow(double{high} / double{low}, along));
}

std::size_t RateSweep::start() const {
  return static_cast<std::size_t>(steps) / 10;
}

RateTest test_rates(const RateSweep& sweep, const std::function<BatchLosses(float rate)>& step,
                    const std::function<void(const RatePoint&)>& on_point,
                    const std::stop_token& stop) {
  sweep.check();
  RateTest test;
  Smoother change;
  double level_sum = 0, lowest = std::numeric_limits<double>::infinity();
  for (int s = 0; s < sweep.steps; ++s) {
    throw_if_stopped(stop);
    RatePoint point{.rate = sweep.rate(s), .losses = {}};
    point.losses = step(point.rate);
    if (!std::isfinite(point.losses.now) || !std::isfinite(point.losses.at_start)) {
      test.end = SweepEnd::kDiverged;
      break;
    }
    change.add(double{point.losses.now} - double{point.losses.at_start});
    point.change = change.mean();
    point.error = change.error();
    level_sum += double{point.losses.at_start};
    test.points.push_back(point);
    test.level = level_sum / static_cast<double>(test.points.size());
    if (on_point) on_point(point);
    if (test.points.size() <= sweep.start()) continue;
    lowest = std::min(lowest, point.change);
    const double smoothed = test.level + point.change;
    const double limit =
        std::min(kTooFarFromLowest * (test.level + lowest), kTooFarFromStart * test.level);
    if (point.change > 0 && smoothed > limit) {
      test.end = SweepEnd::kDiverged;
      break;
    }
  }
  if (test.points.empty()) {
    throw Error(ErrorKind::kBadInput,
                "the loss is infinite or no number before any step: the weights of the network, or "
                "the pictures, are broken");
  }
  return test;
}

std::string_view name_of(RateVerdict verdict) {
  switch (verdict) {
    case RateVerdict::kFound:
      return "found";
    case RateVerdict::kStillFalling:
      return "still-falling";
    case RateVerdict::kNeverFell:
      return "never-fell";
    case RateVerdict::kRoseAtOnce:
      return "rose-at-once";
  }
  throw Error(ErrorKind::kInternal, "a verdict without a name");
}

RateSuggestion suggest_rate(const RateTest& test, const RateSweep& sweep) {
  const auto& points = test.points;
  require(!points.empty(), "a range test without a step suggests nothing");
  const std::size_t first = std::min(sweep.start(), points.size() - 1);
  const auto behind = points.begin() + static_cast<std::ptrdiff_t>(first);
  const auto lowest =
      std::min_element(behind, points.end(),
                       [](const RatePoint& a, const RatePoint& b) { return a.change < b.change; });
  RateSuggestion suggestion{.minimum = static_cast<std::size_t>(lowest - points.begin())};
  if (std::none_of(behind, points.end(), [&](const RatePoint& p) { return fell(test, p); })) {
    const bool short_lived = test.end == SweepEnd::kDiverged && points.size() <= 2 * sweep.start();
    suggestion.verdict = short_lived || rose(test, points[first]) ? RateVerdict::kRoseAtOnce
                                                                  : RateVerdict::kNeverFell;
    return suggestion;
  }
  const std::size_t reach = reach_of(sweep);
  const bool to_the_end =
      test.end == SweepEnd::kAllRates && points.size() - 1 - suggestion.minimum < reach;
  suggestion.verdict = to_the_end ? RateVerdict::kStillFalling : RateVerdict::kFound;
  double steepest = std::numeric_limits<double>::infinity();
  for (std::size_t i = first; i <= suggestion.minimum; ++i) {
    const double slope = slope_at(test, i, reach);
    if (slope < steepest) {
      steepest = slope;
      suggestion.steepest = i;
    }
  }
  suggestion.tenth_of_minimum = lowest->rate / 10;
  suggestion.rate = two_digits(lowest->rate / 3);
  return suggestion;
}

}  // namespace engraft
