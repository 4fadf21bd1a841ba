#include "engraft/engine/quantized_operation.h"

#include <algorithm>

#include "engraft/engine/block_fusion.h"
#include "engraft/engine/block_operation.h"
#include "engraft/engine/memory_layout.h"
#include "engraft/kernels/quantized_block.h"
#include "engraft/kernels/quantized_pointwise.h"

namespace engraft {
namespace {

/// What the two have in common: BoundOperation over an operation with run(operands, part, parts).
template <typename Of>
class BoundTo final : public BoundOperation {
 public:
  BoundTo(const Of& operation, const Operands& at) : operation_(operation), at_(at) {}

  void run() override { operation_.run(at_, 0, 1); }
  [[nodiscard]] int parts(int threads) const override { return operation_.parts(threads); }
  void run_part(int part, int parts, std::byte* scratch) override {
    Operands at = at_;
    at.scratch = scratch;
    operation_.run(at, part, parts);
  }

 private:
  const Of& operation_;
  Operands at_;
};

class QuantizedBlockOperation final : public Operation {
 public:
  explicit QuantizedBlockOperation(const OperationSpec& spec)
      : step_(spec.step), pictures_(spec.batch) {}

  [[nodiscard]] std::size_t scratch_bytes() const override {
    return aligned(quantized_scratch_size(block()));
  }
  [[nodiscard]] std::size_t parameter_bytes() const override {
    return aligned(quantized_packed_size(block()));
  }
  void pack_parameters(const Weights& weights, std::byte* memory) override {
    packed_ = memory;
    const StepRanges& ranges = *step_.ranges;
    pack(block(), block_weights(step_, weights),
         {.x_low = ranges.input.low,
          .x_high = ranges.input.high,
          .expanded_high = ranges.expanded.high,
          .depthwise_high = ranges.depthwise.high},
         memory);
  }
  [[nodiscard]] std::unique_ptr<BoundOperation> bind(const Operands& operands) const override {
    return std::make_unique<BoundTo<QuantizedBlockOperation>>(*this, operands);
  }

  /// No more than one for each thread: where two parts meet, rows of e are computed twice.
  [[nodiscard]] int parts(int threads) const {
    return pictures_ > 1 ? 1 : std::min(threads, block().out_height);
  }
  void run(const Operands& at, int part, int parts) const {
    const int height = block().out_height;
    quantized_block(block(), {.packed = packed_,
                              .x = at.input,
                              .y = at.output,
                              .scratch = at.scratch,
                              .pictures = pictures_,
                              .first_row = height * part / parts,
                              .last_row = height * (part + 1) / parts});
  }

 private:
  [[nodiscard]] const InvertedResidual& block() const { return *step_.block; }

  Step step_;
  int pictures_;
  std::byte* packed_ = nullptr;
};

class QuantizedPointwiseOperation final : public Operation {
 public:
  explicit QuantizedPointwiseOperation(const OperationSpec& spec)
      : step_(spec.step),
        layer_{.in = spec.input[-1],
               .out = spec.output[-1],
               .activation = *gate_of(spec.step.activation)},
        pixels_(spec.batch * spec.input.elements() / spec.input[-1]) {}

  [[nodiscard]] std::size_t scratch_bytes() const override {
    return aligned(quantized_scratch_size(layer_, pixels_));
  }
  [[nodiscard]] std::size_t parameter_bytes() const override {
    return aligned(quantized_packed_size(layer_));
  }
  void pack_parameters(const Weights& weights, std::byte* memory) override {
    packed_ = memory;
    const auto& names = step_.parameters;
    const float* bias = names.size() > 1 ? weights.at(names[1]).data() : nullptr;
    pack(layer_, weights.at(names[0]).data(), bias,
         {.low = step_.ranges->input.low, .high = step_.ranges->input.high}, memory);
  }
  [[nodiscard]] std::unique_ptr<BoundOperation> bind(const Operands& operands) const override {
    return std::make_unique<BoundTo<QuantizedPointwiseOperation>>(*this, operands);
  }

  [[nodiscard]] int parts(int threads) const {
    return static_cast<int>(std::clamp<std::int64_t>(threads, 1, steps()));
  }
  void run(const Operands& at, int part, int parts) const {
    const auto channel = [&](int p) {
      return std::min(steps() * p / parts * kPointwiseStep, layer_.out);
    };
    quantized_pointwise(layer_, {.packed = packed_,
                                 .x = at.input,
                                 .y = at.output,
                                 .scratch = at.scratch,
                                 .pixels = pixels_,
                                 .first_channel = channel(part),
                                 .last_channel = channel(part + 1)});
  }

 private:
  [[nodiscard]] std::int64_t steps() const {
    return (layer_.out + kPointwiseStep - 1) / kPointwiseStep;
  }

  Step step_;
  Pointwise layer_;
  std::int64_t pixels_;
  std::byte* packed_ = nullptr;
};

}  // namespace

std::unique_ptr<Operation> make_quantized_operation(const OperationSpec& spec) {
  if (spec.step.block) return std::make_unique<QuantizedBlockOperation>(spec);
  return std::make_unique<QuantizedPointwiseOperation>(spec);
}

}  // namespace engraft
