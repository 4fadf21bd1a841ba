#include "engraft/engine/training/forward_operation.h"
#include "engraft/engine/training/layer.h"
#include "engraft/kernels/pointwise_gradient.h"

namespace engraft {
namespace {

constexpr const char* kTransposed = "transposed";

std::int64_t pixels_of(const Shape& shape) {
  return shape.elements() / shape[-1];
}

/// dx = dy·wᵀ is itself a 1×1 convolution, of dy by the transposed kernel; where dx is to be added
/// to, in place.
Step input_gradient_step(const LayerSpec& spec) {
  Step step{.op = spec.step.op,
            .name = spec.step.name + "/input_gradient",
            .input = 0,
            .output = 1,
            .parameters = {kTransposed}};
  if (spec.d_input == InputGradient::kAdd) step.addend = 1;
  return step;
}

ForwardOperation input_gradient_operation(const LayerSpec& spec) {
  const Step step = input_gradient_step(spec);
  return ForwardOperation(
      {.step = step, .input = spec.output, .output = spec.input, .batch = spec.pictures});
}

/// [..., in, out] → [..., out, in].
Tensor transposed(const Tensor& kernel) {
  std::vector<std::int64_t> extents = kernel.shape().extents();
  std::swap(extents[extents.size() - 1], extents[extents.size() - 2]);
  Tensor result{Shape(extents)};
  const auto in = static_cast<std::size_t>(kernel.shape()[-2]);
  const auto out = static_cast<std::size_t>(kernel.shape()[-1]);
  for (std::size_t i = 0; i < in; ++i) {
    for (std::size_t o = 0; o < out; ++o) result.data()[o * in + i] = kernel.data()[i * out + o];
  }
  return result;
}

/// A 1×1 convolution, or a dense layer, which is one over a single pixel:
///   y = act(x·w + b),  dw = xᵀ·dy,  db = Σ dy,  dx = dy·wᵀ.
class PointwiseLayer final : public TrainingLayer {
 public:
  explicit PointwiseLayer(const LayerSpec& spec)
      : kernel_(spec.step.parameters[0]),
        shape_{.pixels = pixels_of(spec.input) * spec.pictures,
               .in = spec.input[-1],
               .out = spec.output[-1]},
        gate_(spec.output_gate),
        dw_(spec.parameters.at(kernel_).offset),
        forward_(forward_spec(spec)) {
    if (spec.step.parameters.size() > 1) db_ = spec.parameters.at(spec.step.parameters[1]).offset;
    if (spec.d_input != InputGradient::kNone)
      input_gradient_.emplace(input_gradient_operation(spec));
  }

  [[nodiscard]] std::size_t scratch_bytes() const override {
    return std::max(forward_.scratch_bytes(),
                    input_gradient_ ? input_gradient_->scratch_bytes() : 0);
  }

  void set_parameters(const Weights& weights) override {
    forward_.set_parameters(weights);
    if (!input_gradient_) return;
    Weights turned;
    turned.set(kTransposed, transposed(weights.at(kernel_)));
    input_gradient_->set_parameters(turned);
  }

  [[nodiscard]] std::unique_ptr<BoundLayer> bind(const LayerBuffers& buffers) const override {
    return std::make_unique<Bound>(*this, buffers);
  }

 private:
  class Bound final : public BoundLayer {
   public:
    Bound(const PointwiseLayer& layer, const LayerBuffers& buffers)
        : layer_(layer), at_(buffers), forward_(layer.forward_.bind(forward_operands(buffers))) {
      if (!layer.input_gradient_) return;
      input_gradient_ = layer.input_gradient_->bind({.input = buffers.dy,
                                                     .addend = nullptr,
                                                     .output = buffers.dx,
                                                     .scratch = buffers.scratch});
    }
    void forward(const LayerRun& /*run*/) override { forward_->run(); }
    void backward(const LayerRun& run) override {
      const auto size = static_cast<std::size_t>(layer_.shape_.pixels * layer_.shape_.out);
      gate_gradient(layer_.gate_, std::span(at_.y, size), std::span(at_.dy, size));
      pointwise_weight_gradient(layer_.shape_, at_.x, at_.dy, run.gradients + layer_.dw_,
                                layer_.db_ ? run.gradients + *layer_.db_ : nullptr);
      if (input_gradient_) input_gradient_->run();
    }

   private:
    const PointwiseLayer& layer_;
    LayerBuffers at_;
    std::unique_ptr<BoundOperation> forward_, input_gradient_;
  };

  std::string kernel_;
  PointwiseGradientShape shape_;
  Gate gate_;
  std::size_t dw_;
  std::optional<std::size_t> db_;
  ForwardOperation forward_;
  std::optional<ForwardOperation> input_gradient_;
};

}  // namespace

std::unique_ptr<TrainingLayer> make_pointwise_layer(const LayerSpec& spec) {
  return std::make_unique<PointwiseLayer>(spec);
}

}  // namespace engraft
