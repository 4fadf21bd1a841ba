#include "engraft/base/arena.h"
#include "engraft/engine/block_operation.h"
#include "engraft/engine/training/layer.h"
#include "engraft/kernels/inverted_residual_backward.h"

namespace engraft {
namespace {

/// Floats of x, y and their gradients that pass together through a panel of the block: they stay in
/// the second cache, and the panel's weights in the first serve all pictures.
constexpr std::size_t kTrainingValuesTogether = std::size_t{1} << 16;

/// An inverted residual block in one step: nothing between its input and its output is kept, what
/// the way back needs of it is computed once more (kernels/inverted_residual_backward.h).
class BlockLayer final : public TrainingLayer {
 public:
  explicit BlockLayer(const LayerSpec& spec)
      : step_(spec.step),
        pictures_(static_cast<std::size_t>(spec.pictures)),
        d_input_(spec.d_input),
        x_size_(static_cast<std::size_t>(spec.input.elements())),
        y_size_(static_cast<std::size_t>(spec.output.elements())),
        forward_together_(
            std::clamp<std::size_t>(kTrainingValuesTogether / (x_size_ + y_size_), 1, pictures_)),
        backward_together_(std::clamp<std::size_t>(
            kTrainingValuesTogether / (2 * x_size_ + y_size_), 1, pictures_)),
        packed_(packed_size(block()) * sizeof(float)),
        packed_backward_(backward_packed_size(block()) * sizeof(float)) {
    for (const std::string& name : step_.parameters) {
      gradients_.push_back(spec.parameters.at(name).offset);
    }
  }

  [[nodiscard]] std::size_t scratch_bytes() const override {
    return std::max(scratch_size(block()), backward_scratch_size(block())) * sizeof(float);
  }

  void set_parameters(const Weights& weights) override {
    const InvertedResidualWeights given = block_weights(step_, weights);
    pack(block(), given, floats(packed_));
    pack_backward(block(), given, floats(packed_backward_));
  }

  [[nodiscard]] std::unique_ptr<BoundLayer> bind(const LayerBuffers& buffers) const override {
    return std::make_unique<Bound>(*this, buffers);
  }

 private:
  class Bound final : public BoundLayer {
   public:
    Bound(const BlockLayer& layer, const LayerBuffers& buffers) : layer_(layer), at_(buffers) {}

    void forward(const LayerRun& /*run*/) override {
      const auto together = layer_.forward_together_;
      for (std::size_t p = 0; p < layer_.pictures_; p += together) {
        inverted_residual(layer_.block(),
                          {.packed = floats(layer_.packed_),
                           .x = at_.x + p * layer_.x_size_,
                           .y = at_.y + p * layer_.y_size_,
                           .scratch = reinterpret_cast<float*>(at_.scratch),
                           .pictures = static_cast<int>(std::min(together, layer_.pictures_ - p)),
                           .first_row = 0,
                           .last_row = layer_.block().out_height});
      }
    }

    void backward(const LayerRun& run) override {
      const auto gradient = [&](std::size_t i) { return run.gradients + layer_.gradients_[i]; };
      const auto together = layer_.backward_together_;
      for (std::size_t p = 0; p < layer_.pictures_; p += together) {
        inverted_residual_backward(
            layer_.block(), {.packed = floats(layer_.packed_),
                             .packed_backward = floats(layer_.packed_backward_),
                             .pictures = static_cast<int>(std::min(together, layer_.pictures_ - p)),
                             .x = at_.x + p * layer_.x_size_,
                             .dy = at_.dy + p * layer_.y_size_,
                             .dx = at_.dx ? at_.dx + p * layer_.x_size_ : nullptr,
                             .adds_dx = layer_.d_input_ == InputGradient::kAdd,
                             .gradients = {.expand = gradient(0),
                                           .expand_bias = gradient(1),
                                           .depthwise = gradient(2),
                                           .depthwise_bias = gradient(3),
                                           .project = gradient(4),
                                           .project_bias = gradient(5)},
                             .scratch = reinterpret_cast<float*>(at_.scratch)});
      }
    }

   private:
    const BlockLayer& layer_;
    LayerBuffers at_;
  };

  static float* floats(const Arena& arena) { return reinterpret_cast<float*>(arena.data()); }
  [[nodiscard]] const InvertedResidual& block() const { return *step_.block; }

  Step step_;
  std::size_t pictures_;
  InputGradient d_input_;
  std::size_t x_size_, y_size_;                       ///< of one picture
  std::size_t forward_together_, backward_together_;  ///< pictures of one call
  std::vector<std::size_t> gradients_;                ///< where those of the parameters stand
  Arena packed_, packed_backward_;
};

}  // namespace

std::unique_ptr<TrainingLayer> make_block_layer(const LayerSpec& spec) {
  return std::make_unique<BlockLayer>(spec);
}

}  // namespace engraft
