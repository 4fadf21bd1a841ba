#pragma once

#include "engraft/engine/operation.h"

namespace engraft {

/// Whether the step is a dense layer or a 1×1 convolution as the pointwise kernel computes it: with
/// ReLU, ReLU6 or nothing behind it, and nothing added.
[[nodiscard]] bool is_pointwise_operation(const Step& step);

/// Such a step.
[[nodiscard]] std::unique_ptr<Operation> make_pointwise_operation(const OperationSpec& spec);

}  // namespace engraft
