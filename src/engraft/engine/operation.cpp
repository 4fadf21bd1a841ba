#include "engraft/engine/operation.h"

#include "engraft/engine/block_operation.h"
#include "engraft/engine/pointwise_operation.h"
#include "engraft/engine/quantized_operation.h"
#include "engraft/engine/vector_operations.h"

namespace engraft {

std::unique_ptr<Operation> make_operation(const OperationSpec& spec) {
  if (spec.step.ranges) return make_quantized_operation(spec);
  if (spec.step.block) return make_block_operation(spec);
  if (is_pointwise_operation(spec.step)) return make_pointwise_operation(spec);
  if (is_vector_operation(spec.step)) return make_vector_operation(spec);
  return make_onednn_operation(spec);
}

}  // namespace engraft
