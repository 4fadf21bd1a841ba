#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engraft/base/rng.h"
#include "engraft/engine/lowering.h"
#include "engraft/graph/parameter_layout.h"
#include "engraft/kernels/gate.h"

namespace engraft {

/// Whose statistics a batch norm normalises with.
enum class BatchNormMode {
  kFrozen,    ///< its moving ones, as in inference; gamma and beta are trained
  kTrainable  ///< the batch's own; the moving ones follow
};

/// The random numbers of picture i of a batch, for the graph's first dropout, its second, …
using DropoutRng = std::function<Rng(std::size_t picture, int layer)>;

/// What a layer does with the gradient of one of its inputs.
enum class InputGradient {
  kNone,   ///< nobody wants it
  kWrite,  ///< it is the first reader of that value whose turn comes
  kAdd,    ///< other readers have left theirs
};

/// What make_layer() compiles: a step for so many pictures at a time.
struct LayerSpec {
  const Step& step;
  Shape input, second, output;  ///< of one picture; second is the addend's
  int pictures = 1;
  Gate output_gate = Gate::kOpen;  ///< of its own activation; dy is to be gated by it first
  Gate input_gate = Gate::kOpen;   ///< of the input's activation; dx is to be gated by it
  InputGradient d_input = InputGradient::kNone;
  InputGradient d_second = InputGradient::kNone;
  BatchNormMode batch_norm = BatchNormMode::kFrozen;
  const ParameterLayout& parameters;  ///< where its gradients stand
  int dropout_layer = 0;              ///< of a dropout: its number among the graph's
};

/// Where a layer finds its values in a workspace, from picture `first_picture` of a micro-batch on.
/// A gradient of the second operand or the input that is the very memory of dy needs no copying.
struct LayerBuffers {
  float* x = nullptr;
  float* second = nullptr;
  float* y = nullptr;
  float* dy = nullptr;
  float* dx = nullptr;
  float* d_second = nullptr;
  std::byte* scratch = nullptr;
  std::byte* state = nullptr;  ///< kept from forward to backward
  int first_picture = 0;
};

/// What changes from one micro-batch to the next.
struct LayerRun {
  float* gradients = nullptr;  ///< of the parameters, added to
  std::size_t first = 0;       ///< the micro-batch's first picture in the batch
  int pictures = 0;            ///< how many of the micro-batch's places hold one
  const DropoutRng* dropout = nullptr;
  double* sums = nullptr;  ///< of this micro-batch, for a SynchronisedLayer; added to
};

/// A layer with its addresses. One thread at a time.
class BoundLayer {
 public:
  virtual ~BoundLayer() = default;
  virtual void forward(const LayerRun& run) = 0;
  virtual void backward(const LayerRun& run) = 0;
  /// A SynchronisedLayer's sums, gathered over the whole batch before forward and backward.
  virtual void gather_forward(const LayerRun& /*run*/) {}
  virtual void gather_backward(const LayerRun& /*run*/) {}
};

/// Where a trainable batch norm's moving statistics are and how they follow:
/// moving ← momentum·moving + (1−momentum)·batch.
struct MovingStatistics {
  std::span<float> mean, variance;
  float momentum = 0.99f;
};

/// A layer whose micro-batches depend on sums over the whole batch (trainable batch norm).
class SynchronisedLayer {
 public:
  virtual ~SynchronisedLayer() = default;
  /// Doubles that gather_forward() and gather_backward() add to.
  [[nodiscard]] virtual std::size_t sum_count() const = 0;
  /// sums: of the whole batch.
  virtual void finish_forward(std::span<const double> sums, std::size_t pictures,
                              const MovingStatistics& moving) = 0;
  virtual void finish_backward(std::span<const double> sums, std::size_t pictures,
                               float* gradients) = 0;
};

/// One step compiled for both directions.
class TrainingLayer {
 public:
  virtual ~TrainingLayer() = default;
  [[nodiscard]] virtual std::size_t scratch_bytes() const { return 0; }
  [[nodiscard]] virtual std::size_t state_bytes() const { return 0; }
  /// Takes new values of its parameters. Not while it runs.
  virtual void set_parameters(const Weights& /*weights*/) {}
  [[nodiscard]] virtual std::unique_ptr<BoundLayer> bind(const LayerBuffers& buffers) const = 0;
  [[nodiscard]] virtual SynchronisedLayer* synchronised() { return nullptr; }
};

/// Throws Error(kUnsupported) naming the step where there is no way to compute it.
[[nodiscard]] std::unique_ptr<TrainingLayer> make_layer(const LayerSpec& spec);

// One for each family of operators; make_layer() picks.
[[nodiscard]] std::unique_ptr<TrainingLayer> make_pointwise_layer(const LayerSpec& spec);
[[nodiscard]] std::unique_ptr<TrainingLayer> make_depthwise_layer(const LayerSpec& spec);
[[nodiscard]] std::unique_ptr<TrainingLayer> make_block_layer(const LayerSpec& spec);
[[nodiscard]] std::unique_ptr<TrainingLayer> make_convolution_layer(const LayerSpec& spec);
[[nodiscard]] std::unique_ptr<TrainingLayer> make_batch_norm_layer(const LayerSpec& spec);
[[nodiscard]] std::unique_ptr<TrainingLayer> make_activation_layer(const LayerSpec& spec);
[[nodiscard]] std::unique_ptr<TrainingLayer> make_add_layer(const LayerSpec& spec);
[[nodiscard]] std::unique_ptr<TrainingLayer> make_multiply_layer(const LayerSpec& spec);
[[nodiscard]] std::unique_ptr<TrainingLayer> make_pool_layer(const LayerSpec& spec);
[[nodiscard]] std::unique_ptr<TrainingLayer> make_dropout_layer(const LayerSpec& spec);

/// Does its backward pass read the step's input (or second operand)? Its output?
[[nodiscard]] bool backward_reads_input(const Step& step);
[[nodiscard]] bool backward_reads_output(const Step& step);

/// Gradient of a value where a kernel writes rather than adds: the target itself, or scratch that
/// deliver() adds to it.
class InputGradientTarget {
 public:
  InputGradientTarget(InputGradient mode, std::span<float> target, std::byte* scratch)
      : mode_(mode), target_(target), scratch_(reinterpret_cast<float*>(scratch)) {}
  [[nodiscard]] bool wanted() const { return mode_ != InputGradient::kNone; }
  /// Where to write.
  [[nodiscard]] std::span<float> values() const {
    return mode_ == InputGradient::kAdd ? std::span(scratch_, target_.size()) : target_;
  }
  void deliver() const;
  /// Scratch that a target of so many values needs.
  [[nodiscard]] static std::size_t scratch_bytes(InputGradient mode, std::int64_t values);

 private:
  InputGradient mode_;
  std::span<float> target_;
  float* scratch_;
};

}  // namespace engraft
