#include "engraft/train/optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engraft/base/error.h"

namespace engraft {
namespace {

bool has_first(OptimizerKind kind) {
  return kind != OptimizerKind::kRmsprop;
}

bool has_second(OptimizerKind kind) {
  return kind != OptimizerKind::kSgd && kind != OptimizerKind::kNesterov;
}

std::string_view name_of_first(OptimizerKind kind) {
  return has_second(kind) ? "first_moment" : "momentum";
}

/// keep = 1 - rate·decay
template <typename T>
T kept(const StepOptions& options) {
  return T(1) - static_cast<T>(options.learning_rate) * static_cast<T>(options.weight_decay);
}

// The loops below read and write arrays that are apart, which lets a compiler take several elements
// at once; there is nothing in them whose rounding depends on how many.

template <typename T>
struct SgdFactors {
  T rate, momentum, keep;
};

template <typename T>
void run_sgd(std::size_t n, T* __restrict__ w, const T* __restrict__ g, T* __restrict__ u,
             const SgdFactors<T> k) {
  for (std::size_t i = 0; i < n; ++i) {
    u[i] = k.momentum * u[i] - k.rate * g[i];
    w[i] = k.keep * w[i] + u[i];
  }
}

template <typename T>
void run_nesterov(std::size_t n, T* __restrict__ w, const T* __restrict__ g, T* __restrict__ u,
                  const SgdFactors<T> k) {
  for (std::size_t i = 0; i < n; ++i) {
    const T step = k.rate * g[i];
    u[i] = k.momentum * u[i] - step;
    w[i] = k.keep * w[i] + (k.momentum * u[i] - step);
  }
}

template <typename T>
struct AdamFactors {
  T rate;     ///< with the correction for zero starts
  T keep;     ///< of the weights
  T penalty;  ///< of the weights in the gradient
};

enum class Penalty { kNone, kL2 };

template <Penalty penalty, typename T>
void run_adam(std::size_t n, T* __restrict__ w, const T* __restrict__ g, T* __restrict__ m,
              T* __restrict__ v, const AdamFactors<T> k) {
  constexpr T kBeta1 = T(0.9), kBeta2 = T(0.999), kEpsilon = T(1e-7);
  for (std::size_t i = 0; i < n; ++i) {
    T gradient = g[i];
    if constexpr (penalty == Penalty::kL2) gradient += k.penalty * w[i];
    m[i] = kBeta1 * m[i] + (1 - kBeta1) * gradient;
    v[i] = kBeta2 * v[i] + (1 - kBeta2) * gradient * gradient;
    w[i] = k.keep * w[i] - k.rate * m[i] / (std::sqrt(v[i]) + kEpsilon);
  }
}

template <typename T>
struct RmspropFactors {
  T rate, keep;
};

template <typename T>
void run_rmsprop(std::size_t n, T* __restrict__ w, const T* __restrict__ g, T* __restrict__ v,
                 const RmspropFactors<T> k) {
  constexpr T kRho = T(0.9), kEpsilon = T(1e-7);
  for (std::size_t i = 0; i < n; ++i) {
    v[i] = kRho * v[i] + (1 - kRho) * g[i] * g[i];
    w[i] = k.keep * w[i] - k.rate * g[i] / std::sqrt(v[i] + kEpsilon);
  }
}

}  // namespace

std::string_view name_of(OptimizerKind optimizer) {
  switch (optimizer) {
    case OptimizerKind::kSgd:
      return "sgd";
    case OptimizerKind::kNesterov:
      return "nesterov";
    case OptimizerKind::kAdam:
      return "adam";
    case OptimizerKind::kAdamw:
      return "adamw";
    case OptimizerKind::kRmsprop:
      return "rmsprop";
  }
  throw Error(ErrorKind::kInternal, "an optimizer without a name");
}

std::string_view title_of(OptimizerKind optimizer) {
  switch (optimizer) {
    case OptimizerKind::kSgd:
      return "SGD with momentum";
    case OptimizerKind::kNesterov:
      return "SGD with Nesterov momentum";
    case OptimizerKind::kAdam:
      return "Adam";
    case OptimizerKind::kAdamw:
      return "AdamW";
    case OptimizerKind::kRmsprop:
      return "RMSprop";
  }
  throw Error(ErrorKind::kInternal, "an optimizer without a title");
}

template <typename T>
BasicOptimizer<T>::BasicOptimizer(const OptimizerSpec& spec) : spec_(spec) {
  if (!(spec.momentum >= 0 && spec.momentum < 1)) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("momentum must be in [0, 1), not {}: 0.9 is the usual one", spec.momentum));
  }
  if (has_first(spec.kind)) first_.resize(spec.size);
  if (has_second(spec.kind)) second_.resize(spec.size);
}

template <typename T>
void BasicOptimizer<T>::update(ParameterRange range, std::span<T> w, std::span<const T> g,
                               const StepOptions& options) {
  if (steps_ < 1) throw Error(ErrorKind::kInternal, "an optimizer's update before its first step");
  if (range.begin > range.end || range.end > spec_.size || w.size() != spec_.size ||
      g.size() != spec_.size) {
    throw Error(ErrorKind::kInternal,
                fmt::format("[{}, {}) of {} weights and {} gradients for an optimizer of {}",
                            range.begin, range.end, w.size(), g.size(), spec_.size));
  }
  if (range.begin == range.end) return;
  T* const weights = w.data() + range.begin;
  const T* const gradients = g.data() + range.begin;
  switch (spec_.kind) {
    case OptimizerKind::kSgd:
    case OptimizerKind::kNesterov:
      return update_sgd(range, weights, gradients, options);
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamw:
      return update_adam(range, weights, gradients, options);
    case OptimizerKind::kRmsprop:
      return update_rmsprop(range, weights, gradients, options);
  }
}

template <typename T>
void BasicOptimizer<T>::update(std::span<const ParameterGroup> groups, ParameterRange range,
                               std::span<T> w, std::span<const T> g, const StepOptions& options) {
  for (const ParameterGroup& group : groups) {
    const std::size_t begin = std::max(range.begin, group.begin);
    const std::size_t end = std::min(range.end, group.end);
    if (begin >= end) continue;
    update({.begin = begin, .end = end}, w, g,
           {.learning_rate = options.learning_rate * group.rate_scale,
            .weight_decay = options.weight_decay * group.decay_scale});
  }
}

template <typename T>
void BasicOptimizer<T>::step(std::span<T> w, std::span<const T> g, const StepOptions& options) {
  begin_step();
  update({.begin = 0, .end = spec_.size}, w, g, options);
}

template <typename T>
void BasicOptimizer<T>::update_sgd(ParameterRange range, T* w, const T* g,
                                   const StepOptions& options) {
  const SgdFactors<T> factors{.rate = static_cast<T>(options.learning_rate),
                              .momentum = static_cast<T>(spec_.momentum),
                              .keep = kept<T>(options)};
  const auto run = spec_.kind == OptimizerKind::kSgd ? run_sgd<T> : run_nesterov<T>;
  run(range.end - range.begin, w, g, first_.data() + range.begin, factors);
}

template <typename T>
void BasicOptimizer<T>::update_adam(ParameterRange range, T* w, const T* g,
                                    const StepOptions& options) {
  const auto t = static_cast<double>(steps_);
  const double rate =
      options.learning_rate * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
  const bool penalised = spec_.kind == OptimizerKind::kAdam && options.weight_decay != 0;
  const AdamFactors<T> factors{.rate = static_cast<T>(rate),
                               .keep = spec_.kind == OptimizerKind::kAdam ? T(1) : kept<T>(options),
                               .penalty = static_cast<T>(options.weight_decay)};
  const auto run = penalised ? run_adam<Penalty::kL2, T> : run_adam<Penalty::kNone, T>;
  run(range.end - range.begin, w, g, first_.data() + range.begin, second_.data() + range.begin,
      factors);
}

template <typename T>
void BasicOptimizer<T>::update_rmsprop(ParameterRange range, T* w, const T* g,
                                       const StepOptions& options) {
  const RmspropFactors<T> factors{.rate = static_cast<T>(options.learning_rate),
                                  .keep = kept<T>(options)};
  run_rmsprop(range.end - range.begin, w, g, second_.data() + range.begin, factors);
}

template <typename T>
std::vector<std::pair<std::string_view, std::span<T>>> BasicOptimizer<T>::state() {
  std::vector<std::pair<std::string_view, std::span<T>>> all;
  if (has_first(spec_.kind)) all.emplace_back(name_of_first(spec_.kind), first_);
  if (has_second(spec_.kind)) all.emplace_back("second_moment", second_);
  return all;
}

template <typename T>
std::vector<std::pair<std::string_view, std::span<const T>>> BasicOptimizer<T>::state() const {
  std::vector<std::pair<std::string_view, std::span<const T>>> all;
  if (has_first(spec_.kind)) all.emplace_back(name_of_first(spec_.kind), first_);
  if (has_second(spec_.kind)) all.emplace_back("second_moment", second_);
  return all;
}

template <typename T>
void BasicOptimizer<T>::set_steps(std::int64_t steps) {
  if (steps < 0) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("an optimizer's steps must not be negative, not {}: a new one has 0", steps));
  }
  steps_ = steps;
}

template class BasicOptimizer<float>;
template class BasicOptimizer<double>;

}  // namespace engraft
