#include "engraft/engine/training/forward_operation.h"
#include "engraft/engine/training/layer.h"
#include "engraft/kernels/depthwise_backward.h"

namespace engraft {
namespace {

DepthwiseBackward backward_spec(const LayerSpec& spec) {
  const Attributes& a = spec.step.attributes;
  return {.height = static_cast<int>(spec.input[0]),
          .width = static_cast<int>(spec.input[1]),
          .channels = static_cast<int>(spec.input[2]),
          .kernel = a.kernel,
          .stride = a.stride,
          .pad_top = a.padding.top,
          .pad_left = a.padding.left,
          .out_height = static_cast<int>(spec.output[0]),
          .out_width = static_cast<int>(spec.output[1]),
          .input_gate = spec.input_gate,
          .output_gate = spec.output_gate};
}

/// A depthwise convolution; its backward pass is a kernel of our own
/// (kernels/depthwise_backward.h).
class DepthwiseLayer final : public TrainingLayer {
 public:
  explicit DepthwiseLayer(const LayerSpec& spec)
      : kernel_name_(spec.step.parameters[0]),
        backward_(backward_spec(spec)),
        d_input_(spec.d_input),
        pictures_(spec.pictures),
        input_size_(chunk_size(spec.input, 1)),
        output_size_(chunk_size(spec.output, 1)),
        dw_(spec.parameters.at(kernel_name_).offset),
        forward_(forward_spec(spec)) {
    if (spec.step.parameters.size() > 1) db_ = spec.parameters.at(spec.step.parameters[1]).offset;
  }

  [[nodiscard]] std::size_t scratch_bytes() const override {
    return std::max(
        forward_.scratch_bytes(),
        InputGradientTarget::scratch_bytes(d_input_, static_cast<std::int64_t>(input_size_)));
  }

  void set_parameters(const Weights& weights) override {
    forward_.set_parameters(weights);
    kernel_ = weights.share(kernel_name_);
  }

  [[nodiscard]] std::unique_ptr<BoundLayer> bind(const LayerBuffers& buffers) const override {
    return std::make_unique<Bound>(*this, buffers);
  }

 private:
  class Bound final : public BoundLayer {
   public:
    Bound(const DepthwiseLayer& layer, const LayerBuffers& buffers)
        : layer_(layer), at_(buffers), forward_(layer.forward_.bind(forward_operands(buffers))) {}
    void forward(const LayerRun& /*run*/) override { forward_->run(); }
    void backward(const LayerRun& run) override {
      for (std::size_t p = 0; p < static_cast<std::size_t>(layer_.pictures_); ++p) {
        const std::size_t in = p * layer_.input_size_;
        const std::size_t out = p * layer_.output_size_;
        const InputGradientTarget target(
            layer_.d_input_,
            at_.dx ? std::span(at_.dx + in, layer_.input_size_) : std::span<float>(), at_.scratch);
        DepthwiseBackward spec = layer_.backward_;
        spec.x = at_.x + in;
        spec.y = at_.y + out;
        spec.w = layer_.kernel_->data();
        spec.dy = at_.dy + out;
        spec.dx = target.wanted() ? target.values().data() : nullptr;
        spec.dw = run.gradients + layer_.dw_;
        spec.db = layer_.db_ ? run.gradients + *layer_.db_ : nullptr;
        depthwise_backward(spec);
        target.deliver();
      }
    }

   private:
    const DepthwiseLayer& layer_;
    LayerBuffers at_;
    std::unique_ptr<BoundOperation> forward_;
  };

  std::string kernel_name_;
  DepthwiseBackward backward_;
  InputGradient d_input_;
  int pictures_;
  std::size_t input_size_, output_size_;  ///< of one picture
  std::size_t dw_;
  std::optional<std::size_t> db_;
  ForwardOperation forward_;
  std::shared_ptr<const Tensor> kernel_;
};

}  // namespace

std::unique_ptr<TrainingLayer> make_depthwise_layer(const LayerSpec& spec) {
  return std::make_unique<DepthwiseLayer>(spec);
}

}  // namespace engraft
