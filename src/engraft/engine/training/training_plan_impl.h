#pragma once

// The inside of a TrainingPlan, for training_plan.cpp and training_plan_parameters.cpp alone.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engraft/base/arena.h"
#include "engraft/engine/training/gradient_flow.h"
#include "engraft/engine/training/training_layout.h"
#include "engraft/engine/training/training_plan.h"
#include "engraft/graph/batch_norm_folding.h"

namespace engraft {

/// What a layer is given, folded: in the same memory from one batch to the next.
struct LayerParameters {
  LayerParameters(const Step& step, const ParameterLayout& raw, const ParameterLayout& statistics);

  Weights weights;
  std::map<std::string, std::span<float>> values;  ///< of these weights
};

struct TrainingPlan::Impl {
  Impl(const Graph& given, const TrainingPlanOptions& given_options);

  void make_groups();
  void make_layers();
  [[nodiscard]] std::vector<std::vector<const Folding*>> groups_of_foldings() const;
  [[nodiscard]] FoldingValues values_of(const Folding& folding, const ParameterValues& from) const;
  void take(const ParameterValues& from, LayerParameters& to) const;
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
  std::vector<LayerParameters> layer_parameters;
  /// Those of different groups have no parameter in common.
  std::vector<std::vector<const Folding*>> folding_groups;
  TrainingLayout layout;
  std::size_t sum_count = 0;
};

struct TrainingPlan::Workspace::Impl {
  Arena arena;
  std::vector<std::vector<std::unique_ptr<BoundLayer>>> layers;  ///< of each step and chunk
};

}  // namespace engraft
