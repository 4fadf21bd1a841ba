#include "engraft/engine/pointwise_operation.h"

#include <algorithm>

#include "engraft/engine/block_fusion.h"
#include "engraft/kernels/pointwise.h"

namespace engraft {
namespace {

class PointwiseOperation final : public Operation {
 public:
  explicit PointwiseOperation(const OperationSpec& spec)
      : parameters_(spec.step.parameters),
        layer_{.in = spec.input[-1],
               .out = spec.output[-1],
               .activation = *gate_of(spec.step.activation)},
        pixels_(spec.batch * spec.input.elements() / spec.input[-1]) {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return 0; }
  [[nodiscard]] std::size_t parameter_bytes() const override {
    return (packed_size(layer_) * sizeof(float) + 63) / 64 * 64;
  }
  void pack_parameters(const Weights& weights, std::byte* memory) override {
    packed_ = reinterpret_cast<float*>(memory);
    const float* bias = parameters_.size() > 1 ? weights.at(parameters_[1]).data() : nullptr;
    pack(layer_, weights.at(parameters_[0]).data(), bias, packed_);
  }
  [[nodiscard]] std::unique_ptr<BoundOperation> bind(const Operands& operands) const override {
    return std::make_unique<Bound>(*this, operands);
  }

 private:
  class Bound final : public BoundOperation {
   public:
    Bound(const PointwiseOperation& operation, const Operands& at)
        : operation_(operation), at_(at) {}

    void run() override { run_channels(0, operation_.layer_.out); }

    [[nodiscard]] int parts(int threads) const override {
      return static_cast<int>(std::clamp<std::int64_t>(2 * threads, 1, steps()));
    }
    void run_part(int part, int parts, std::byte* /*scratch*/) override {
      const auto channel = [&](int p) {
        return std::min(steps() * p / parts * kPointwiseStep, operation_.layer_.out);
      };
      run_channels(channel(part), channel(part + 1));
    }

   private:
    [[nodiscard]] std::int64_t steps() const {
      return (operation_.layer_.out + kPointwiseStep - 1) / kPointwiseStep;
    }
    void run_channels(std::int64_t first, std::int64_t last) {
      pointwise(operation_.layer_, {.packed = operation_.packed_,
                                    .x = at_.input,
                                    .y = at_.output,
                                    .pixels = operation_.pixels_,
                                    .first_channel = first,
                                    .last_channel = last});
    }

    const PointwiseOperation& operation_;
    Operands at_;
  };

  std::vector<std::string> parameters_;
  Pointwise layer_;
  std::int64_t pixels_;
  float* packed_ = nullptr;
};

}  // namespace

bool is_pointwise_operation(const Step& step) {
  const Attributes& a = step.attributes;
  const bool fits = step.op == Op::kDense || (step.op == Op::kConv && a.kernel == 1 &&
                                              a.stride == 1 && a.padding == Padding{});
  return fits && !step.block && !step.addend && gate_of(step.activation).has_value();
}

std::unique_ptr<Operation> make_pointwise_operation(const OperationSpec& spec) {
  return std::make_unique<PointwiseOperation>(spec);
}

}  // namespace engraft
