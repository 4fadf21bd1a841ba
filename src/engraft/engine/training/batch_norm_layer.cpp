#include <fmt/format.h>

#include <cmath>

#include "engraft/base/error.h"
#include "engraft/engine/training/forward_operation.h"
#include "engraft/engine/training/layer.h"
#include "engraft/kernels/channels.h"

namespace engraft {
namespace {

/// y = act(gamma·x̂ + beta), x̂ = (x − mean)/√(variance + ε), with the moving statistics or those of
/// the whole batch. The activation's gate is worked out from x again, so y need not be kept for it.
class BatchNormLayer final : public TrainingLayer, public SynchronisedLayer {
 public:
  explicit BatchNormLayer(const LayerSpec& spec)
      : names_(spec.step.parameters),
        epsilon_(spec.step.attributes.epsilon),
        mode_(spec.batch_norm),
        d_input_(spec.d_input),
        gate_(spec.output_gate),
        pictures_(spec.pictures),
        shape_{.pixels = spec.input.elements() / spec.input[-1], .channels = spec.input[-1]},
        d_gamma_(spec.parameters.at(names_[0]).offset),
        d_beta_(spec.parameters.at(names_[1]).offset) {
    for (auto* values : {&gamma_, &beta_, &mean_, &inverse_deviation_, &scale_, &shift_, &pivot_,
                         &mean_dy_, &mean_dy_xhat_}) {
      values->assign(channels(), 0.0f);
    }
  }

  [[nodiscard]] std::size_t scratch_bytes() const override {
    const std::size_t sums = mode_ == BatchNormMode::kFrozen ? sum_count() * sizeof(double) : 0;
    return std::max(sums,
                    InputGradientTarget::scratch_bytes(d_input_, shape_.pixels * shape_.channels));
  }

  void set_parameters(const Weights& weights) override {
    const auto take = [&](std::size_t i, std::vector<float>& values) {
      const auto given = weights.at(names_[i]).values();
      values.assign(given.begin(), given.end());
    };
    take(0, gamma_);
    take(1, beta_);
    take(2, pivot_);
    if (mode_ == BatchNormMode::kTrainable) return;
    const auto variance = weights.at(names_[3]).values();
    for (std::size_t c = 0; c < channels(); ++c) {
      if (!(double{variance[c]} + epsilon_ > 0)) {
        throw Error(ErrorKind::kBadInput,
                    fmt::format("parameter {}: variance {} of channel {} is not positive; the "
                                "weights are damaged",
                                names_[3], variance[c], c));
      }
      set_statistics(c, pivot_[c], variance[c]);
    }
  }

  [[nodiscard]] std::unique_ptr<BoundLayer> bind(const LayerBuffers& buffers) const override {
    return std::make_unique<Bound>(*this, buffers);
  }

  [[nodiscard]] SynchronisedLayer* synchronised() override {
    return mode_ == BatchNormMode::kTrainable ? this : nullptr;
  }

  [[nodiscard]] std::size_t sum_count() const override { return 2 * channels(); }

  void finish_forward(std::span<const double> sums, std::size_t pictures,
                      const MovingStatistics& moving) override {
    const double n = static_cast<double>(pictures) * static_cast<double>(shape_.pixels);
    for (std::size_t c = 0; c < channels(); ++c) {
      const double shifted = sums[c] / n;
      const double mean = pivot_[c] + shifted;
      const double variance = std::max(0.0, sums[channels() + c] / n - shifted * shifted);
      set_statistics(c, mean, variance);
      const auto follow = [&](float& value, double now) {
        const double keep = moving.momentum;
        value = static_cast<float>(keep * value + (1 - keep) * now);
      };
      follow(moving.mean[c], mean);
      follow(moving.variance[c], variance);
    }
  }

  void finish_backward(std::span<const double> sums, std::size_t pictures,
                       float* gradients) override {
    const double n = static_cast<double>(pictures) * static_cast<double>(shape_.pixels);
    for (std::size_t c = 0; c < channels(); ++c) {
      mean_dy_[c] = static_cast<float>(sums[c] / n);
      mean_dy_xhat_[c] = static_cast<float>(sums[channels() + c] / n);
    }
    add_gradients(sums, gradients);
  }

 private:
  class Bound final : public BoundLayer {
   public:
    Bound(const BatchNormLayer& layer, const LayerBuffers& buffers) : layer_(layer), at_(buffers) {}

    void gather_forward(const LayerRun& run) override {
      channel_moments(counted(run), at_.x, layer_.pivot_.data(), run.sums,
                      run.sums + layer_.channels());
    }
    void forward(const LayerRun& /*run*/) override {
      scale_shift_gate(all(), at_.x, layer_.scale_.data(), layer_.shift_.data(), layer_.gate_,
                       at_.y);
    }
    void gather_backward(const LayerRun& run) override {
      batch_norm_backward_sums(counted(run), at_.x, at_.dy, layer_.statistics(), layer_.gate_,
                               run.sums, run.sums + layer_.channels());
    }
    void backward(const LayerRun& run) override {
      if (layer_.mode_ == BatchNormMode::kFrozen) {
        const std::span<double> sums(reinterpret_cast<double*>(at_.scratch), layer_.sum_count());
        std::ranges::fill(sums, 0.0);
        batch_norm_backward_sums(counted(run), at_.x, at_.dy, layer_.statistics(), layer_.gate_,
                                 sums.data(), sums.data() + layer_.channels());
        layer_.add_gradients(sums, run.gradients);
      }
      if (layer_.d_input_ == InputGradient::kNone) return;
      const std::size_t size = static_cast<std::size_t>(all().pixels * all().channels);
      for (std::size_t p = 0; p < static_cast<std::size_t>(layer_.pictures_); ++p) {
        const std::size_t one = size / static_cast<std::size_t>(layer_.pictures_);
        const std::span<float> dx(at_.dx + p * one, one);
        // A place without a picture had no part in the statistics.
        if (static_cast<int>(p) >= counted_pictures(run)) {
          if (layer_.d_input_ == InputGradient::kWrite) std::ranges::fill(dx, 0.0f);
          continue;
        }
        const InputGradientTarget target(layer_.d_input_, dx, at_.scratch);
        batch_norm_backward(layer_.shape_, at_.x + p * one, at_.dy + p * one, layer_.statistics(),
                            layer_.mean_dy_.data(), layer_.mean_dy_xhat_.data(), layer_.gate_,
                            target.values().data());
        target.deliver();
      }
    }

   private:
    [[nodiscard]] ChannelShape all() const {
      return {.pixels = layer_.shape_.pixels * layer_.pictures_,
              .channels = layer_.shape_.channels};
    }
    /// Of those places that hold a picture.
    [[nodiscard]] int counted_pictures(const LayerRun& run) const {
      return std::clamp(run.pictures - at_.first_picture, 0, layer_.pictures_);
    }
    [[nodiscard]] ChannelShape counted(const LayerRun& run) const {
      return {.pixels = layer_.shape_.pixels * counted_pictures(run),
              .channels = layer_.shape_.channels};
    }

    const BatchNormLayer& layer_;
    LayerBuffers at_;
  };

  [[nodiscard]] std::size_t channels() const { return static_cast<std::size_t>(shape_.channels); }

  void set_statistics(std::size_t c, double mean, double variance) {
    const double inverse = 1 / std::sqrt(variance + epsilon_);
    mean_[c] = static_cast<float>(mean);
    inverse_deviation_[c] = static_cast<float>(inverse);
    scale_[c] = static_cast<float>(gamma_[c] * inverse);
    shift_[c] = static_cast<float>(beta_[c] - mean * gamma_[c] * inverse);
  }

  void add_gradients(std::span<const double> sums, float* gradients) const {
    for (std::size_t c = 0; c < channels(); ++c) {
      gradients[d_beta_ + c] += static_cast<float>(sums[c]);
      gradients[d_gamma_ + c] += static_cast<float>(sums[channels() + c]);
    }
  }

  [[nodiscard]] BatchNormStatistics statistics() const {
    return {.scale = scale_.data(),
            .shift = shift_.data(),
            .mean = mean_.data(),
            .inverse_deviation = inverse_deviation_.data()};
  }

  std::vector<std::string> names_;
  float epsilon_;
  BatchNormMode mode_;
  InputGradient d_input_;
  Gate gate_;
  int pictures_;
  ChannelShape shape_;  ///< of one picture
  std::size_t d_gamma_, d_beta_;
  std::vector<float> gamma_, beta_, mean_, inverse_deviation_, scale_, shift_;
  std::vector<float> pivot_;  ///< the moving mean: near the batch's, so that variances stay exact
  std::vector<float> mean_dy_, mean_dy_xhat_;  ///< 0 where the statistics are constants
};

}  // namespace

std::unique_ptr<TrainingLayer> make_batch_norm_layer(const LayerSpec& spec) {
  return std::make_unique<BatchNormLayer>(spec);
}

}  // namespace engraft
