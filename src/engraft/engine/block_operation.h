#pragma once

#include "engraft/engine/operation.h"
#include "engraft/kernels/inverted_residual.h"

namespace engraft {

/// The parameters of a step with a block, as its kernel takes them.
[[nodiscard]] InvertedResidualWeights block_weights(const Step& step, const Weights& weights);

/// A step with a block (Step::block).
[[nodiscard]] std::unique_ptr<Operation> make_block_operation(const OperationSpec& spec);

}  // namespace engraft
