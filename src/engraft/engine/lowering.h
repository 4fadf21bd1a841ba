#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engraft/graph/activation_ranges.h"
#include "engraft/graph/graph.h"
#include "engraft/kernels/inverted_residual.h"

namespace engraft {

/// Operators that a primitive can apply to its result on the way out.
[[nodiscard]] bool is_activation(Op op);

/// Between which bounds a step's values lie, for 8-bit integers.
struct StepRanges {
  ActivationRange input;
  ActivationRange expanded{}, depthwise{};  ///< Step::block: what is between
};

/// What one primitive computes: y = activation(op(x) + addend).
struct Step {
  Op op = Op::kAdd;
  std::string name{};  ///< of the node it came from, for messages
  ValueId input = 0;
  ValueId output = 0;
  std::vector<std::string> parameters{};
  Attributes attributes{};
  /// kAdd, kMultiply: the second operand. kConv, kDepthwiseConv: the result is added to this value
  /// and takes over its memory.
  std::optional<ValueId> addend{};
  std::optional<Op> activation{};  ///< one for which is_activation() holds
  /// Set: the step is a whole block (fuse_blocks()). Its parameters are those of InvertedResidual's
  /// weights, in their order; op and attributes are those of the block's first convolution.
  std::optional<InvertedResidual> block{};
  ValueId expanded = 0, depthwise = 0;  ///< block: the values between, which are never stored
  std::optional<StepRanges> ranges{};   ///< set: to be computed in 8-bit integers

  [[nodiscard]] bool has_two_operands() const { return op == Op::kAdd || op == Op::kMultiply; }
  /// True when the output stands where the addend stood.
  [[nodiscard]] bool in_place() const { return addend && !has_two_operands(); }
};

/// What the steps are for. Back-propagation needs more of what was computed on the way: for it,
/// dropout stays, nothing is overwritten, and only those activations are fused whose gradient can
/// be told from their result (kRelu, kRelu6), into convolutions, dense layers and batch norms.
enum class LowerFor { kInference, kTraining };

/// The steps that a graph's output needs, in the order in which they run. Activations are fused
/// into the step whose result they alone read; a residual addition into the convolution that makes
/// one operand, where the other operand is not needed afterwards. Values keep the graph's numbers.
struct StepList {
  std::vector<Step> steps;
  ValueId input = 0;
  ValueId output = 0;  ///< may be the input
};

[[nodiscard]] StepList lower(const Graph& graph, LowerFor use = LowerFor::kInference);

}  // namespace engraft
