#include "engraft/report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace engraft {
namespace {

constexpr double kSpike = 20;       ///< times the upper quartile
constexpr double kHeadroom = 1.06;  ///< above the highest value
constexpr double kLogSlack = 1e-5;  ///< of a logarithmic axis' length: its ends may be rounded

}  // namespace

Ticks round_ticks(const TickRange& range, int wanted) {
  const double rough =
      std::max((range.high - range.low) / std::max(wanted, 1), range.smallest_step);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  Ticks ticks;
  ticks.step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * 0.999) {
      ticks.step = factor * power;
      break;
    }
  }
  ticks.decimals = std::max(0, static_cast<int>(-std::floor(std::log10(ticks.step) + 1e-9)));
  const double slack = 1e-9 * ticks.step;
  const auto first = std::ceil((range.low - slack) / ticks.step);
  for (double k = first; k * ticks.step <= range.high + slack; ++k) {
    ticks.values.push_back(k == 0 ? 0.0 : k * ticks.step);
  }
  return ticks;
}

std::string tick_label(const Ticks& ticks, double value) {
  if (ticks.decimals > 4 || ticks.step >= 1e5) return fmt::format("{:.2g}", value);
  return fmt::format("{:.{}f}", value, ticks.decimals);
}

std::vector<LogTick> log_ticks(const LogRange& range, int most_labels) {
  const double low = std::log10(range.low), high = std::log10(range.high);
  const double slack = kLogSlack * (high - low);
  const int first = static_cast<int>(std::floor(low));
  const int last = static_cast<int>(std::floor(high + slack));
  // The lowest power may lie below the range.
  const int powers = last - static_cast<int>(std::ceil(low - slack)) + 1;
  const int most = std::max(most_labels, 1);
  const int every = std::max(1, (powers + most - 1) / most);
  std::vector<LogTick> ticks;
  for (int power = first; power <= last; ++power) {
    for (int digit = 1; digit <= 9; ++digit) {
      const double at = power + std::log10(digit);
      if (at < low - slack || at > high + slack) continue;
      ticks.push_back({.digit = digit,
                       .power = power,
                       .value = digit * std::pow(10.0, power),
                       .labelled = digit == 1 && (last - power) % every == 0});
    }
  }
  return ticks;
}

double axis_top(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value) || value <= 0; });
  if (values.empty()) return 1;
  std::sort(values.begin(), values.end());
  const double limit = kSpike * values[values.size() * 3 / 4];
  return kHeadroom * *std::prev(std::upper_bound(values.begin(), values.end(), limit));
}

}  // namespace engraft
