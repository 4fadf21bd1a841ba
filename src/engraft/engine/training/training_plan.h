#pragma once

#include <functional>
#include <memory>
#include <span>

#include "engraft/base/thread_pool.h"
#include "engraft/engine/training/layer.h"
#include "engraft/graph/graph.h"
#include "engraft/graph/parameter_layout.h"

namespace engraft {

struct TrainingPlanOptions {
  int micro_batch = 4;  ///< pictures that run together; results depend on it in their last bits
  BatchNormMode batch_norm = BatchNormMode::kFrozen;
};

/// A network's parameters and its batch norms' moving statistics, as the plan's layouts have them.
struct ParameterValues {
  std::span<const float> parameters, statistics;
};

/// A graph compiled for back-propagation on micro-batches. A frozen batch norm behind a convolution
/// is folded into it, so that the way there is inference's; its gamma and beta are trained all the
/// same, by the chain rule through the folding.
///
/// A micro-batch runs in segments, between which trainable batch norms combine their sums over the
/// micro-batches of the whole batch; without such there is one segment each way. forward() and
/// backward() may be called from many threads at once, each with a Workspace of its own.
class TrainingPlan {
 public:
  /// What one micro-batch needs, from its first segment forward to its last one back.
  class Workspace {
   public:
    Workspace();
    ~Workspace();
    Workspace(Workspace&&) noexcept;
    Workspace& operator=(Workspace&&) noexcept;

   private:
    friend class TrainingPlan;
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };

  /// Throws Error(kUsage) for options out of range, Error(kUnsupported) for a step without a
  /// gradient.
  TrainingPlan(const Graph& graph, const TrainingPlanOptions& options);
  ~TrainingPlan();
  TrainingPlan(TrainingPlan&&) noexcept;
  TrainingPlan& operator=(TrainingPlan&&) noexcept;

  [[nodiscard]] int micro_batch() const;
  /// Values per picture.
  [[nodiscard]] std::size_t input_size() const;
  [[nodiscard]] std::size_t output_size() const;
  [[nodiscard]] std::size_t workspace_bytes() const;

  /// The graph's parameters, in the order of the flat arrays below.
  [[nodiscard]] const ParameterLayout& parameters() const;
  /// Batch norm's moving statistics, likewise.
  [[nodiscard]] const ParameterLayout& statistics() const;
  /// Must be called before make_workspace(), and not while anything runs. Throws Error(kBadInput)
  /// where a variance + ε is not positive, naming the parameter.
  void set_parameters(const ParameterValues& values, ThreadPool& pool);

  /// Values in the gradient that backward() adds to: by the parameters after folding.
  [[nodiscard]] std::size_t raw_gradient_size() const;
  /// That gradient → the gradient by parameters(), written. values: those of set_parameters().
  void finish_gradient(const ParameterValues& values, std::span<const float> raw,
                       std::span<float> gradient, ThreadPool& pool) const;

  [[nodiscard]] Workspace make_workspace() const;
  [[nodiscard]] std::span<float> input(Workspace& workspace) const;   ///< [micro_batch, input]
  [[nodiscard]] std::span<float> output(Workspace& workspace) const;  ///< [micro_batch, output]
  /// To be filled by the caller between the two ways; zeros for places without a picture.
  [[nodiscard]] std::span<float> d_output(Workspace& workspace) const;

  /// Segments 0 to segments()-1 forward, then as many back.
  [[nodiscard]] int segments() const;
  void forward(int segment, Workspace& workspace, const LayerRun& run) const;
  void backward(int segment, Workspace& workspace, const LayerRun& run) const;
  /// The layer whose sums forward(segment) or backward(segment) has gathered; null for the last.
  [[nodiscard]] SynchronisedLayer* synchronised_forward(int segment) const;
  [[nodiscard]] SynchronisedLayer* synchronised_backward(int segment) const;
  /// Of the layer that forward(segment) gathers for: names of its moving mean and variance.
  [[nodiscard]] const Step& synchronised_step(int segment) const;
  /// Doubles that the largest of them adds to.
  [[nodiscard]] std::size_t sum_count() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engraft
