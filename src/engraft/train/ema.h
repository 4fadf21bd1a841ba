#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engraft/train/parameter_groups.h"

namespace engraft {

/// Exponential moving average of weights (Polyak & Juditsky 1992; with the warm-up of the decay
/// that TensorFlow's ExponentialMovingAverage has):
///   e ← e + (1-d)·(w - e),   d = min(decay, (1+t)/(10+t)),   t = 0, 1, 2, … at the steps in turn
/// e starts as the weights that it is made from. Weights that do not move leave e's bits alone.
class Ema {
 public:
  /// Throws Error(kUsage) unless 0 ≤ decay < 1.
  Ema(std::span<const float> weights, float decay);

  /// Before the update() calls of one step, in as many pieces and from as many threads as wanted:
  /// each element's bits depend on it alone.
  void begin_step() { ++steps_; }

  /// Elements [range.begin, range.end) from the same ones of `weights`, the whole array.
  void update(ParameterRange range, std::span<const float> weights);

  /// A whole step: begin_step(), then update() of everything.
  void step(std::span<const float> weights);

  /// d of a step, counted from 0.
  [[nodiscard]] double decay_at(std::int64_t t) const;

  /// e, as large as the weights. It and steps() are all that a checkpoint must hold; writing into
  /// it restores it.
  [[nodiscard]] std::span<float> average() { return average_; }
  [[nodiscard]] std::span<const float> average() const { return average_; }

  /// Steps begun.
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  /// Throws Error(kUsage) for a negative count.
  void set_steps(std::int64_t steps);

 private:
  std::vector<float> average_;
  float decay_;
  std::int64_t steps_ = 0;
};

}  // namespace engraft
