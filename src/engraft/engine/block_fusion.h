#pragma once

#include <optional>

#include "engraft/engine/lowering.h"

namespace engraft {

/// Where one kernel for a whole inverted residual block is faster than its three convolutions one
/// by one; measured (docs/performance.md).
[[nodiscard]] bool is_worth_fusing(const InvertedResidual& block, LowerFor use);

/// Makes one step of the three or, with its residual addition, four of an inverted residual block,
/// wherever they stand behind each other, nobody else reads what is between, the kernel takes it
/// (is_fusable()) and is_worth_fusing() says so. The same for the network's first convolution.
[[nodiscard]] StepList fuse_blocks(StepList list, const Graph& graph, LowerFor use);

/// An activation as the kernels of our own take it; none for those that they do not.
[[nodiscard]] std::optional<Gate> gate_of(const std::optional<Op>& activation);

}  // namespace engraft
