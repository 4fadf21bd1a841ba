#pragma once

// The inside of a TrainingPlan, for training_plan.cpp and training_plan_parameters.cpp alone.

#include <memory>
#include <string>
#include <vector>

#include "engraft/engine/arena.h"
#include "engraft/engine/training/gradient_flow.h"
#include "engraft/engine/training/training_layout.h"
#include "engraft/engine/training/training_plan.h"
#include "engraft/graph/batch_norm_folding.h"

namespace engraft {

struct TrainingPlan::Impl {
  Impl(const Graph& given, const TrainingPlanOptions& given_options);

  void make_groups();
  void make_layers();
  [[nodiscard]] Weights weights_of(const Step& step) const;
  void fold(const Folding& folding, Weights& into) const;
  [[nodiscard]] LayerBuffers buffers(int step, int picture, std::byte* memory) const;
  [[nodiscard]] const TrainingGroup& group_of(int step) const;
  template <typename Each>
  void for_each_chunk(const TrainingGroup& group, const Each& each) const {
    for (int p = 0; p < options.micro_batch; p += group.pictures) each(p / group.pictures);
  }
  /// A batch norm's step, by the segment that gathers for it on the way there.
  [[nodiscard]] int gathered(int segment) const { return norms[static_cast<std::size_t>(segment)]; }

  TrainingPlanOptions options;
  FoldedGraph folded;
  ParameterLayout parameters, statistics;  ///< of the graph as given
  ParameterLayout raw;                     ///< of the folded graph
  StepList list;
  GradientFlow flow;
  std::vector<TrainingGroup> forward_groups, backward_groups;
  std::vector<int> norms;  ///< steps that synchronise, ascending
  std::vector<std::unique_ptr<TrainingLayer>> layers;
  TrainingLayout layout;
  std::size_t sum_count = 0;
  std::vector<float> parameter_values, statistic_values;
};

struct TrainingPlan::Workspace::Impl {
  Arena arena;
  std::vector<std::vector<std::unique_ptr<BoundLayer>>> layers;  ///< of each step and chunk
};

}  // namespace engraft
