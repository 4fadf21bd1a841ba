#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engraft/train/parameter_groups.h"

namespace engraft {

/// How a gradient g becomes a step of the weights w. Elementwise; rate and decay are
/// StepOptions', t = 1, 2, … counts the steps, state starts at 0, keep = 1 - rate·decay.
///
/// Weight decay is decoupled (Loshchilov & Hutter 2019) in all but kAdam: each step takes
/// rate·decay of the weights, outside the gradient and its moments.
enum class OptimizerKind {
  /// Momentum µ, Keras' form:       u ← µu - rate·g,   w ← keep·w + u
  kSgd,
  /// Nesterov's momentum, Keras':   u ← µu - rate·g,   w ← keep·w + µu - rate·g
  /// (Sutskever et al. 2013, in the variable that looks ahead)
  kNesterov,
  /// Kingma & Ba 2015, the form before section 2.1's last line, which is Keras'; decay is an L2
  /// penalty, g' = g + decay·w:
  ///   m ← β₁m + (1-β₁)g',   v ← β₂v + (1-β₂)g'²,
  ///   w ← w - rate·√(1-β₂ᵗ)/(1-β₁ᵗ) · m/(√v + ε),   β₁ = 0.9, β₂ = 0.999, ε = 1e-7
  kAdam,
  /// Adam with decoupled decay:     g' = g,   w ← keep·w - (the same)
  kAdamw,
  /// Hinton 2012, as Keras has it:  v ← ρv + (1-ρ)g²,   w ← keep·w - rate·g/√(v + ε),
  /// ρ = 0.9, ε = 1e-7, no momentum
  kRmsprop,
};

inline constexpr OptimizerKind kOptimizerKinds[] = {OptimizerKind::kSgd, OptimizerKind::kNesterov,
                                                    OptimizerKind::kAdam, OptimizerKind::kAdamw,
                                                    OptimizerKind::kRmsprop};

/// "sgd", "nesterov", "adam", "adamw", "rmsprop": as in options and metadata.
[[nodiscard]] std::string_view name_of(OptimizerKind optimizer);
/// "SGD with momentum", "SGD with Nesterov momentum", "Adam", "AdamW", "RMSprop": as in a report.
[[nodiscard]] std::string_view title_of(OptimizerKind optimizer);

struct OptimizerSpec {
  OptimizerKind kind = OptimizerKind::kAdamw;
  std::size_t size = 0;   ///< elements of w
  float momentum = 0.9f;  ///< µ of kSgd and kNesterov, [0, 1)
};

/// What one step is told beside the gradient.
struct StepOptions {
  float learning_rate = 0;
  float weight_decay = 0;  ///< see OptimizerKind
};

/// An optimizer and its state for `size` weights. A step is begin_step() and then update() of every
/// element once, in pieces of any size and, for pieces apart, from any threads: each element's
/// bits depend on it alone. T is float, or double as a test's oracle.
template <typename T>
class BasicOptimizer {
 public:
  /// Throws Error(kUsage) for a momentum outside [0, 1).
  explicit BasicOptimizer(const OptimizerSpec& spec);

  void begin_step() { ++steps_; }

  /// Elements [range.begin, range.end) of w, from the same ones of g; both are whole arrays of
  /// `size` elements. A rate of 0 changes no weight, but for what momentum still carries.
  void update(ParameterRange range, std::span<T> w, std::span<const T> g,
              const StepOptions& options);

  /// The same for what `range` shares with each group, at the group's own rate and decay. Elements
  /// in no group stay as they are.
  void update(std::span<const ParameterGroup> groups, ParameterRange range, std::span<T> w,
              std::span<const T> g, const StepOptions& options);

  /// A whole step: begin_step(), then update() of everything.
  void step(std::span<T> w, std::span<const T> g, const StepOptions& options);

  /// Everything that a checkpoint must hold beside steps(), by name; writing into it restores it.
  /// kSgd, kNesterov: "momentum" (u); kAdam, kAdamw: "first_moment" (m), "second_moment" (v);
  /// kRmsprop: "second_moment". Each has `size` elements and lives as long as this.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::span<T>>> state();
  [[nodiscard]] std::vector<std::pair<std::string_view, std::span<const T>>> state() const;

  /// Steps begun: t of the step at hand.
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  /// Throws Error(kUsage) for a negative count.
  void set_steps(std::int64_t steps);

  [[nodiscard]] OptimizerKind kind() const { return spec_.kind; }
  [[nodiscard]] std::size_t size() const { return spec_.size; }

 private:
  void update_sgd(ParameterRange range, T* w, const T* g, const StepOptions& options);
  void update_adam(ParameterRange range, T* w, const T* g, const StepOptions& options);
  void update_rmsprop(ParameterRange range, T* w, const T* g, const StepOptions& options);

  OptimizerSpec spec_;
  std::vector<T> first_;   ///< u or m
  std::vector<T> second_;  ///< v
  std::int64_t steps_ = 0;
};

extern template class BasicOptimizer<float>;
extern template class BasicOptimizer<double>;

using Optimizer = BasicOptimizer<float>;

}  // namespace engraft
