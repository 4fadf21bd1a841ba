#pragma once

#include <functional>

#include "engraft/run/memory_plan.h"
#include "engraft/run/training.h"

namespace engraft {

/// Measures what trainings take on this machine, and makes a recipe fit into the time that a run is
/// given. What it trains is thrown away.
class BudgetMeter {
 public:
  /// left: seconds that the run has left. All must outlive this.
  BudgetMeter(const TrainingJob& job, std::function<double()> left);

  /// Whether there is time to try the head in cross-validation before.
  [[nodiscard]] bool may_try_head();
  /// start: the network as large as it is going to be; memory: the plan for it, whose micro-batch
  /// the recipe has. Throws Error(kUsage) where a network from scratch has no time at all.
  [[nodiscard]] Recipe fitted(const Recipe& recipe, const Network& start, const MemoryPlan& memory);

 private:
  /// Seconds of an epoch of one head.
  [[nodiscard]] double head_epoch();
  void measure_tuning(const FineTuneOptions& options, const Network& start,
                      const MemoryPlan& memory, Budget& budget) const;

  const TrainingJob& job_;
  std::function<double()> left_;
  std::optional<double> head_epoch_;
};

}  // namespace engraft
