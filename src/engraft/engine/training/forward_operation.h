#pragma once

#include <memory>

#include "engraft/base/arena.h"
#include "engraft/engine/operation.h"
#include "engraft/engine/training/layer.h"

namespace engraft {

/// An Operation of the inference engine with memory for its packed parameters: how layers compute
/// their results, and those of their input gradients that are themselves a convolution.
class ForwardOperation {
 public:
  explicit ForwardOperation(const OperationSpec& spec)
      : operation_(make_operation(spec)), packed_(operation_->parameter_bytes()) {}

  [[nodiscard]] std::size_t scratch_bytes() const { return operation_->scratch_bytes(); }
  void set_parameters(const Weights& weights) {
    operation_->pack_parameters(weights, packed_.data());
  }
  [[nodiscard]] std::unique_ptr<BoundOperation> bind(const Operands& operands) const {
    return operation_->bind(operands);
  }

 private:
  std::unique_ptr<Operation> operation_;
  Arena packed_;
};

/// The step of a layer's own result.
[[nodiscard]] inline OperationSpec forward_spec(const LayerSpec& spec) {
  return {.step = spec.step,
          .input = spec.input,
          .output = spec.output,
          .second = &spec.second,
          .batch = spec.pictures};
}

[[nodiscard]] inline Operands forward_operands(const LayerBuffers& buffers) {
  return {.input = buffers.x,
          .addend = buffers.second,
          .output = buffers.y,
          .scratch = buffers.scratch};
}

/// Values of one chunk of pictures.
[[nodiscard]] inline std::size_t chunk_size(const Shape& shape, int pictures) {
  return static_cast<std::size_t>(shape.elements()) * static_cast<std::size_t>(pictures);
}

}  // namespace engraft
