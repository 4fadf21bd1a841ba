#pragma once

#include <vector>

#include "engraft/engine/training/layer.h"

namespace engraft {

/// How the gradients of values pass through one step on the way back.
struct StepGradients {
  InputGradient d_input = InputGradient::kNone;
  InputGradient d_second = InputGradient::kNone;
  Gate output_gate = Gate::kOpen;  ///< that the step itself applies to dy
  Gate input_gate = Gate::kOpen;   ///< that the step applies to dx for the step before
};

/// Back-propagation through a list of steps, in reverse order: of several readers of a value, the
/// last in forward order writes its gradient and the others add theirs.
struct GradientFlow {
  std::vector<StepGradients> steps;
  /// Of each value: the value whose gradient memory it shares; itself where it has its own. An
  /// addition passes its gradient on by handing over the memory, where nobody changes it too early.
  std::vector<ValueId> storage;
  /// Does anybody want the gradient of this value?
  std::vector<bool> wanted;
};

/// The gradient of list.input is not wanted, nor that of list.output of anybody but the caller, who
/// writes it.
[[nodiscard]] GradientFlow find_gradient_flow(const StepList& list, int value_count);

/// The gate of a step's fused activation.
[[nodiscard]] Gate gate_of(const Step& step);

}  // namespace engraft
