#include "engraft/engine/vector_operations.h"

#include <algorithm>
#include <cmath>

#include "engraft/kernels/channels.h"

namespace engraft {
namespace {

/// x: [pixels,channels]  y: [channels]
void average_pool(const ChannelShape& shape, const float* x, float* y) {
  std::fill_n(y, shape.channels, 0.0F);
  channel_sums(shape.pixels, shape.channels, x, y);
  const auto pixels = static_cast<float>(shape.pixels);
  for (std::int64_t c = 0; c < shape.channels; ++c) y[c] /= pixels;
}

/// Of each row.  x, y: [pixels,channels]
void softmax(const ChannelShape& shape, const float* x, float* y) {
  for (std::int64_t p = 0; p < shape.pixels; ++p, x += shape.channels, y += shape.channels) {
    const float highest = *std::max_element(x, x + shape.channels);
    float sum = 0;
    for (std::int64_t c = 0; c < shape.channels; ++c) sum += y[c] = std::exp(x[c] - highest);
    for (std::int64_t c = 0; c < shape.channels; ++c) y[c] /= sum;
  }
}

class VectorOperation final : public Operation {
 public:
  explicit VectorOperation(const OperationSpec& spec)
      : pools_(spec.step.op == Op::kGlobalAveragePool),
        pictures_(spec.batch),
        shape_{.pixels = spec.input.elements() / spec.input[-1], .channels = spec.input[-1]},
        out_(spec.output.elements()) {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return 0; }
  [[nodiscard]] std::size_t parameter_bytes() const override { return 0; }
  void pack_parameters(const Weights& /*weights*/, std::byte* /*memory*/) override {}
  [[nodiscard]] std::unique_ptr<BoundOperation> bind(const Operands& operands) const override {
    return std::make_unique<Bound>(*this, operands);
  }

 private:
  class Bound final : public BoundOperation {
   public:
    Bound(const VectorOperation& operation, const Operands& at) : operation_(operation), at_(at) {}

    void run() override {
      const VectorOperation& o = operation_;
      for (int i = 0; i < o.pictures_; ++i) {
        const float* x = at_.input + i * o.shape_.pixels * o.shape_.channels;
        float* y = at_.output + i * o.out_;
        o.pools_ ? average_pool(o.shape_, x, y) : softmax(o.shape_, x, y);
      }
    }

   private:
    const VectorOperation& operation_;
    Operands at_;
  };

  bool pools_;
  int pictures_;
  ChannelShape shape_;  ///< of one picture's input
  std::int64_t out_;    ///< values of one picture's output
};

}  // namespace

bool is_vector_operation(const Step& step) {
  return (step.op == Op::kGlobalAveragePool || step.op == Op::kSoftmax) && !step.activation;
}

std::unique_ptr<Operation> make_vector_operation(const OperationSpec& spec) {
  return std::make_unique<VectorOperation>(spec);
}

}  // namespace engraft
