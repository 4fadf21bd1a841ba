#include "engraft/train/ema.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"

namespace engraft {

Ema::Ema(std::span<const float> weights, float decay)
    : average_(weights.begin(), weights.end()), decay_(decay) {
  if (!(decay >= 0 && decay < 1)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the decay of averaged weights must be in [0, 1), not {}: 0.999 is a "
                            "usual one",
                            decay));
  }
}

double Ema::decay_at(std::int64_t t) const {
  const auto step = static_cast<double>(t);
  return std::min(static_cast<double>(decay_), (1 + step) / (10 + step));
}

void Ema::update(ParameterRange range, std::span<const float> weights) {
  if (steps_ < 1) throw Error(ErrorKind::kInternal, "an average's update before its first step");
  if (range.begin > range.end || range.end > average_.size() || weights.size() != average_.size()) {
    throw Error(ErrorKind::kInternal,
                fmt::format("[{}, {}) of {} weights for an average of {}", range.begin, range.end,
                            weights.size(), average_.size()));
  }
  const auto share = static_cast<float>(1 - decay_at(steps_ - 1));
  float* const e = average_.data();
  const float* const w = weights.data();
  for (std::size_t i = range.begin; i < range.end; ++i) e[i] += share * (w[i] - e[i]);
}

void Ema::step(std::span<const float> weights) {
  begin_step();
  update({.begin = 0, .end = average_.size()}, weights);
}

void Ema::set_steps(std::int64_t steps) {
  if (steps < 0) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("an average's steps must not be negative, not {}: a new one has 0", steps));
  }
  steps_ = steps;
}

}  // namespace engraft
