#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "engraft/base/thread_pool.h"
#include "engraft/engine/plan.h"

namespace engraft {

/// Pictures per micro-batch: enough to read the late layers' parameters once for several pictures,
/// few enough to keep a worker's memory in the cache.
inline constexpr int kMicroBatch = 4;

/// Runs a network over many pictures: a worker takes a micro-batch, fills it (decoding overlaps the
/// network of the other workers) and runs the single-threaded Plan on it. A picture's result does
/// not depend on the number of threads, on its place in the batch, or on its neighbours.
class BatchRunner {
 public:
  /// Errors are those of Plan::compile. The pool must outlive the runner. ranges: as
  /// PlanOptions::ranges.
  BatchRunner(const Graph& graph, const Weights& weights, ThreadPool& pool,
              const ActivationRanges* ranges = nullptr);
  ~BatchRunner();

  /// Fills the input of picture i, or returns false to leave it out (then take() is not called for
  /// it).
  using Fill = std::function<bool(std::size_t i, std::span<float> input)>;
  /// Receives the output of picture i; called from the worker threads, once a picture.
  using Take = std::function<void(std::size_t i, std::span<const float> output)>;

  /// One run at a time. An exception of fill or take stops the run and is rethrown here.
  void run(std::size_t count, const Fill& fill, const Take& take);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engraft
