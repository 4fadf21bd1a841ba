#pragma once

#include <functional>
#include <memory>
#include <span>

#include "engraft/base/thread_pool.h"
#include "engraft/engine/training/training_plan.h"

namespace engraft {

struct GradientOptions {
  TrainingPlanOptions plan;
  /// Of trainable batch norms: moving ← momentum·moving + (1−momentum)·batch, once a batch.
  float statistics_momentum = 0.99f;
};

/// One batch for a GradientRunner. Pictures are numbered 0…pictures-1; the functions are called
/// from the worker threads, once a picture.
struct GradientBatch {
  std::size_t pictures = 0;
  /// Fills the input of picture i.
  std::function<void(std::size_t i, std::span<float> input)> fill;
  /// Receives the output of picture i and writes the gradient of the batch's loss by it.
  std::function<void(std::size_t i, std::span<const float> output, std::span<float> d_output)> loss;
  /// In place of `loss`, the same for pictures first, first+1, … of one micro-batch together, whose
  /// outputs and gradients lie one behind the other: for losses that multiply matrices.
  std::function<void(std::size_t first, std::span<const float> outputs, std::span<float> d_outputs)>
      losses{};
  /// Random numbers of picture i, for dropout; without it nothing is dropped.
  DropoutRng dropout;
};

/// Gradients of a batch's loss by every parameter. Micro-batches go over the pool; their gradients
/// are summed in a fixed tree, so the result has the same bits for any number of threads.
class GradientRunner {
 public:
  /// Errors are those of TrainingPlan. The pool must outlive the runner.
  GradientRunner(const Graph& graph, const GradientOptions& options, ThreadPool& pool);
  ~GradientRunner();

  [[nodiscard]] const ParameterLayout& parameters() const;
  [[nodiscard]] const ParameterLayout& statistics() const;
  /// Bytes that a batch of so many pictures takes: workspaces and gradients.
  [[nodiscard]] std::size_t memory_bytes(std::size_t pictures) const;

  /// gradient: parameters().size() values, written. Trainable batch norms move `statistics`.
  void run(std::span<const float> parameters, std::span<float> statistics,
           const GradientBatch& batch, std::span<float> gradient);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engraft
