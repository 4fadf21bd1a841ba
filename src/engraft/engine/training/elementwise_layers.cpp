#include <algorithm>

#include "engraft/base/error.h"
#include "engraft/engine/training/forward_operation.h"
#include "engraft/engine/training/layer.h"
#include "engraft/kernels/dropout.h"
#include "engraft/kernels/elementwise.h"

namespace engraft {
namespace {

/// p·(dy − Σ dy·p) for each row of the last axis.
void softmax_backward(std::span<const float> p, std::span<const float> dy, std::size_t row,
                      std::span<float> dx) {
  for (std::size_t begin = 0; begin < p.size(); begin += row) {
    double sum = 0;
    for (std::size_t k = begin; k < begin + row; ++k) sum += static_cast<double>(dy[k]) * p[k];
    for (std::size_t k = begin; k < begin + row; ++k) {
      dx[k] = p[k] * (dy[k] - static_cast<float>(sum));
    }
  }
}

struct ActivationValues {
  std::span<const float> x, y, dy;
  std::span<float> dx;
  std::size_t row = 1;
};

void activation_backward(Op op, const ActivationValues& v) {
  switch (op) {
    case Op::kSigmoid:
      return sigmoid_backward(v.y, v.dy, v.dx);
    case Op::kHardSigmoid:
      return hard_sigmoid_backward(v.x, v.dy, v.dx);
    case Op::kHardSwish:
      return hard_swish_backward(v.x, v.dy, v.dx);
    case Op::kSoftmax:
      return softmax_backward(v.y, v.dy, v.row, v.dx);
    default:
      std::ranges::copy(v.dy, v.dx.begin());
      return gate_gradient(op == Op::kRelu ? Gate::kRelu : Gate::kRelu6, v.y, v.dx);
  }
}

/// What the layers of this file have in common: a forward operation and chunks of values.
class SimpleLayer : public TrainingLayer {
 public:
  explicit SimpleLayer(const LayerSpec& spec)
      : op(spec.step.op),
        d_input(spec.d_input),
        d_second(spec.d_second),
        pictures(spec.pictures),
        input(spec.input),
        second(spec.second),
        output(spec.output),
        forward_(forward_spec(spec)) {}

  [[nodiscard]] std::size_t scratch_bytes() const override {
    return std::max(
        forward_.scratch_bytes(),
        InputGradientTarget::scratch_bytes(InputGradient::kAdd, input.elements() * pictures));
  }
  void set_parameters(const Weights& weights) override { forward_.set_parameters(weights); }
  [[nodiscard]] std::unique_ptr<BoundOperation> bind_forward(const LayerBuffers& buffers) const {
    return forward_.bind(forward_operands(buffers));
  }

  const Op op;
  const InputGradient d_input, d_second;
  const int pictures;
  const Shape input, second, output;

 private:
  ForwardOperation forward_;
};

class SimpleBound : public BoundLayer {
 public:
  SimpleBound(const SimpleLayer& layer, const LayerBuffers& buffers)
      : layer_(layer), at_(buffers), forward_(layer.bind_forward(buffers)) {}
  void forward(const LayerRun& /*run*/) final { forward_->run(); }

 protected:
  [[nodiscard]] std::span<float> values(float* at, const Shape& shape) const {
    return at ? std::span(at, chunk_size(shape, layer_.pictures)) : std::span<float>();
  }
  [[nodiscard]] std::span<const float> dy() const { return values(at_.dy, layer_.output); }
  [[nodiscard]] InputGradientTarget dx() const {
    return {layer_.d_input, values(at_.dx, layer_.input), at_.scratch};
  }

  const SimpleLayer& layer_;
  LayerBuffers at_;

 private:
  std::unique_ptr<BoundOperation> forward_;
};

template <typename Bound>
class LayerOf final : public SimpleLayer {
 public:
  using SimpleLayer::SimpleLayer;
  [[nodiscard]] std::unique_ptr<BoundLayer> bind(const LayerBuffers& buffers) const override {
    return std::make_unique<Bound>(*this, buffers);
  }
};

class BoundActivation final : public SimpleBound {
 public:
  using SimpleBound::SimpleBound;
  void backward(const LayerRun& /*run*/) override {
    const InputGradientTarget target = dx();
    if (!target.wanted()) return;
    activation_backward(layer_.op, {.x = values(at_.x, layer_.input),
                                    .y = values(at_.y, layer_.output),
                                    .dy = dy(),
                                    .dx = target.values(),
                                    .row = static_cast<std::size_t>(layer_.output[-1])});
    target.deliver();
  }
};

class BoundAdd final : public SimpleBound {
 public:
  using SimpleBound::SimpleBound;
  void backward(const LayerRun& /*run*/) override {
    pass_on(layer_.d_input, at_.dx);
    pass_on(layer_.d_second, at_.d_second);
  }

 private:
  void pass_on(InputGradient mode, float* to) const {
    if (mode == InputGradient::kNone || to == at_.dy) return;
    if (mode == InputGradient::kAdd) return add_to(dy(), values(to, layer_.output));
    std::ranges::copy(dy(), to);
  }
};

class BoundMultiply final : public SimpleBound {
 public:
  using SimpleBound::SimpleBound;
  void backward(const LayerRun& /*run*/) override {
    for (std::size_t p = 0; p < static_cast<std::size_t>(layer_.pictures); ++p) {
      to_input(p);
      to_second(p);
    }
  }

 private:
  [[nodiscard]] std::span<float> picture(float* at, const Shape& shape, std::size_t p) const {
    const std::size_t size = chunk_size(shape, 1);
    return at ? std::span(at + p * size, size) : std::span<float>();
  }
  [[nodiscard]] bool by_rows() const { return layer_.second != layer_.input; }

  void to_input(std::size_t p) const {
    const InputGradientTarget target(layer_.d_input, picture(at_.dx, layer_.input, p), at_.scratch);
    if (!target.wanted()) return;
    const auto dy = picture(at_.dy, layer_.output, p);
    const auto second = picture(at_.second, layer_.second, p);
    if (by_rows()) {
      multiply_rows(dy, second, target.values());
    } else {
      multiply(dy, second, target.values());
    }
    target.deliver();
  }

  void to_second(std::size_t p) const {
    const auto to = picture(at_.d_second, layer_.second, p);
    const InputGradientTarget target(layer_.d_second, to, at_.scratch);
    if (!target.wanted()) return;
    const auto dy = picture(at_.dy, layer_.output, p);
    const auto x = picture(at_.x, layer_.input, p);
    if (by_rows()) {
      if (layer_.d_second == InputGradient::kWrite) std::ranges::fill(to, 0.0f);
      multiply_rows_backward(x, dy, to);
    } else {
      multiply(dy, x, target.values());
      target.deliver();
    }
  }
};

class BoundPool final : public SimpleBound {
 public:
  using SimpleBound::SimpleBound;
  void backward(const LayerRun& /*run*/) override {
    const std::size_t in = chunk_size(layer_.input, 1);
    const std::size_t out = chunk_size(layer_.output, 1);
    for (std::size_t p = 0; p < static_cast<std::size_t>(layer_.pictures); ++p) {
      const InputGradientTarget target(layer_.d_input,
                                       at_.dx ? std::span(at_.dx + p * in, in) : std::span<float>(),
                                       at_.scratch);
      if (!target.wanted()) return;
      mean_over_pixels_backward(dy().subspan(p * out, out), target.values());
      target.deliver();
    }
  }
};

/// y = x·mask, the mask drawn for each picture and kept for the way back.
class DropoutLayer final : public TrainingLayer {
 public:
  explicit DropoutLayer(const LayerSpec& spec)
      : rate_(spec.step.attributes.rate),
        d_input_(spec.d_input),
        pictures_(static_cast<std::size_t>(spec.pictures)),
        size_(chunk_size(spec.input, 1)),
        number_(spec.dropout_layer) {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return state_bytes(); }
  [[nodiscard]] std::size_t state_bytes() const override {
    return size_ * pictures_ * sizeof(float);
  }
  [[nodiscard]] std::unique_ptr<BoundLayer> bind(const LayerBuffers& buffers) const override {
    return std::make_unique<Bound>(*this, buffers);
  }

 private:
  class Bound final : public BoundLayer {
   public:
    Bound(const DropoutLayer& layer, const LayerBuffers& buffers) : layer_(layer), at_(buffers) {}
    void forward(const LayerRun& run) override {
      for (std::size_t p = 0; p < layer_.pictures_; ++p) {
        const auto mask =
            all(reinterpret_cast<float*>(at_.state)).subspan(p * layer_.size_, layer_.size_);
        const std::size_t place = static_cast<std::size_t>(at_.first_picture) + p;
        if (run.dropout && place < static_cast<std::size_t>(run.pictures)) {
          draw_dropout_mask((*run.dropout)(run.first + place, layer_.number_), layer_.rate_, mask);
        } else {
          std::ranges::fill(mask, 1.0f);
        }
      }
      multiply(all(at_.x), all(reinterpret_cast<float*>(at_.state)), all(at_.y));
    }
    void backward(const LayerRun& /*run*/) override {
      const InputGradientTarget target(layer_.d_input_, at_.dx ? all(at_.dx) : std::span<float>(),
                                       at_.scratch);
      if (!target.wanted()) return;
      multiply(all(at_.dy), all(reinterpret_cast<float*>(at_.state)), target.values());
      target.deliver();
    }

   private:
    [[nodiscard]] std::span<float> all(float* at) const {
      return {at, layer_.size_ * layer_.pictures_};
    }
    const DropoutLayer& layer_;
    LayerBuffers at_;
  };

  float rate_;
  InputGradient d_input_;
  std::size_t pictures_, size_;
  int number_;  ///< among the graph's dropouts
};

}  // namespace

std::unique_ptr<TrainingLayer> make_activation_layer(const LayerSpec& spec) {
  return std::make_unique<LayerOf<BoundActivation>>(spec);
}
std::unique_ptr<TrainingLayer> make_add_layer(const LayerSpec& spec) {
  return std::make_unique<LayerOf<BoundAdd>>(spec);
}
std::unique_ptr<TrainingLayer> make_multiply_layer(const LayerSpec& spec) {
  return std::make_unique<LayerOf<BoundMultiply>>(spec);
}
std::unique_ptr<TrainingLayer> make_pool_layer(const LayerSpec& spec) {
  return std::make_unique<LayerOf<BoundPool>>(spec);
}
std::unique_ptr<TrainingLayer> make_dropout_layer(const LayerSpec& spec) {
  return std::make_unique<DropoutLayer>(spec);
}

}  // namespace engraft
