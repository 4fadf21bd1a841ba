#include "engraft/engine/training/layer.h"

#include "engraft/base/error.h"
#include "engraft/kernels/elementwise.h"

namespace engraft {
namespace {

bool is_pointwise(const Attributes& a) {
  return a.kernel == 1 && a.stride == 1 && a.padding == Padding{};
}

}  // namespace

void InputGradientTarget::deliver() const {
  if (mode_ == InputGradient::kAdd) add_to(values(), target_);
}

std::size_t InputGradientTarget::scratch_bytes(InputGradient mode, std::int64_t values) {
  return mode == InputGradient::kAdd ? static_cast<std::size_t>(values) * sizeof(float) : 0;
}

bool backward_reads_input(const Step& step) {
  switch (step.op) {
    case Op::kAdd:
    case Op::kGlobalAveragePool:
    case Op::kDropout:
    case Op::kSoftmax:
    case Op::kSigmoid:
    case Op::kRelu:
    case Op::kRelu6:
      return false;
    default:
      return true;
  }
}

bool backward_reads_output(const Step& step) {
  switch (step.op) {
    case Op::kSoftmax:
    case Op::kSigmoid:
    case Op::kRelu:
    case Op::kRelu6:
      return true;
    default:
      return step.activation.has_value() && step.op != Op::kBatchNorm;
  }
}

std::unique_ptr<TrainingLayer> make_layer(const LayerSpec& spec) {
  if (spec.step.block) return make_block_layer(spec);
  switch (spec.step.op) {
    case Op::kConv:
      return is_pointwise(spec.step.attributes) ? make_pointwise_layer(spec)
                                                : make_convolution_layer(spec);
    case Op::kDense:
      return make_pointwise_layer(spec);
    case Op::kDepthwiseConv:
      return make_depthwise_layer(spec);
    case Op::kBatchNorm:
      return make_batch_norm_layer(spec);
    case Op::kRelu:
    case Op::kRelu6:
    case Op::kSigmoid:
    case Op::kHardSigmoid:
    case Op::kHardSwish:
    case Op::kSoftmax:
      return make_activation_layer(spec);
    case Op::kAdd:
      return make_add_layer(spec);
    case Op::kMultiply:
      return make_multiply_layer(spec);
    case Op::kGlobalAveragePool:
      return make_pool_layer(spec);
    case Op::kDropout:
      return make_dropout_layer(spec);
  }
  throw Error(ErrorKind::kInternal, spec.step.name + ": an operator without a gradient");
}

}  // namespace engraft
