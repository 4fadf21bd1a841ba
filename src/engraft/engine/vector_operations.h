#pragma once

#include "engraft/engine/operation.h"

namespace engraft {

/// Whether a step is one that makes a vector of each picture by a plain loop: the global average
/// pool, softmax. Kernels of our own for it start at once, where a primitive would be compiled
/// first, and take no memory.
[[nodiscard]] bool is_vector_operation(const Step& step);
[[nodiscard]] std::unique_ptr<Operation> make_vector_operation(const OperationSpec& spec);

}  // namespace engraft
