#include <algorithm>
#include <optional>

#include "engraft/engine/memory_layout.h"
#include "engraft/engine/training/convolution_backward.h"
#include "engraft/engine/training/forward_operation.h"
#include "engraft/engine/training/layer.h"

namespace engraft {
namespace {

/// A convolution of any kernel, stride and padding.
class ConvolutionLayer final : public TrainingLayer {
 public:
  explicit ConvolutionLayer(const LayerSpec& spec)
      : kernel_(spec.step.parameters[0]),
        gate_(spec.output_gate),
        d_input_(spec.d_input),
        input_size_(chunk_size(spec.input, spec.pictures)),
        output_size_(chunk_size(spec.output, spec.pictures)),
        dw_(spec.parameters.at(kernel_).offset),
        forward_(forward_spec(spec)),
        backward_({.input = spec.input,
                   .output = spec.output,
                   .attributes = spec.step.attributes,
                   .pictures = spec.pictures}) {
    if (spec.step.parameters.size() > 1) db_ = spec.parameters.at(spec.step.parameters[1]).offset;
  }

  [[nodiscard]] std::size_t scratch_bytes() const override {
    return std::max(forward_.scratch_bytes(), target_bytes() + backward_.scratch_bytes());
  }

  void set_parameters(const Weights& weights) override {
    forward_.set_parameters(weights);
    backward_.set_kernel(weights.at(kernel_));
  }

  [[nodiscard]] std::unique_ptr<BoundLayer> bind(const LayerBuffers& buffers) const override {
    return std::make_unique<Bound>(*this, buffers);
  }

 private:
  class Bound final : public BoundLayer {
   public:
    Bound(const ConvolutionLayer& layer, const LayerBuffers& buffers)
        : layer_(layer), at_(buffers), forward_(layer.forward_.bind(forward_operands(buffers))) {}
    void forward(const LayerRun& /*run*/) override { forward_->run(); }
    void backward(const LayerRun& run) override {
      gate_gradient(layer_.gate_, std::span(at_.y, layer_.output_size_),
                    std::span(at_.dy, layer_.output_size_));
      std::byte* const scratch = at_.scratch + layer_.target_bytes();
      layer_.backward_.add_weight_gradient(at_.x, at_.dy, run.gradients + layer_.dw_,
                                           layer_.db_ ? run.gradients + *layer_.db_ : nullptr,
                                           scratch);
      const InputGradientTarget target(
          layer_.d_input_, at_.dx ? std::span(at_.dx, layer_.input_size_) : std::span<float>(),
          at_.scratch);
      if (!target.wanted()) return;
      layer_.backward_.input_gradient(at_.dy, target.values().data(), scratch);
      target.deliver();
    }

   private:
    const ConvolutionLayer& layer_;
    LayerBuffers at_;
    std::unique_ptr<BoundOperation> forward_;
  };

  /// In front of oneDNN's own scratch; a multiple of its alignment.
  [[nodiscard]] std::size_t target_bytes() const {
    const std::size_t bytes =
        InputGradientTarget::scratch_bytes(d_input_, static_cast<std::int64_t>(input_size_));
    return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
  }

  std::string kernel_;
  Gate gate_;
  InputGradient d_input_;
  std::size_t input_size_, output_size_;  ///< of a chunk
  std::size_t dw_;
  std::optional<std::size_t> db_;
  ForwardOperation forward_;
  ConvolutionBackward backward_;
};

}  // namespace

std::unique_ptr<TrainingLayer> make_convolution_layer(const LayerSpec& spec) {
  return std::make_unique<ConvolutionLayer>(spec);
}

}  // namespace engraft
