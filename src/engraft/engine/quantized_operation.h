#pragma once

#include "engraft/engine/operation.h"

namespace engraft {

/// A step with ranges (Step::ranges), computed in 8-bit integers.
[[nodiscard]] std::unique_ptr<Operation> make_quantized_operation(const OperationSpec& spec);

}  // namespace engraft
