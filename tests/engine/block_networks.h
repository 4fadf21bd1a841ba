#pragma once

#include <optional>
#include <string>

#include "engraft/engine/block_fusion.h"
#include "engraft/graph/batch_norm_folding.h"
#include "engraft/graph/graph_builder.h"

namespace engraft::test {

/// What follows what in an inverted residual block, in few words; all with biases.
struct BlockSpec {
  int expand_kernel = 1, expand_stride = 1;
  std::int64_t expanded = 16;
  std::optional<Op> expand = Op::kRelu6;
  int depthwise_kernel = 3, stride = 1;
  std::optional<Op> depthwise = Op::kRelu6;
  std::int64_t out = 4;
  int project_kernel = 1, project_stride = 1;
  std::optional<Op> project{};
  bool residual = false;
};

/// The network's first convolution with what is behind it.
[[nodiscard]] inline BlockSpec stem(BlockSpec spec = {}) {
  spec.expand_kernel = 3;
  spec.expand_stride = 2;
  return spec;
}

inline ValueId activated(GraphBuilder& g, const std::string& name, ValueId x,
                         const std::optional<Op>& activation) {
  return activation ? g.apply(*activation, name, x) : x;
}

/// Of a block "a": convolutions a_expand, a_depthwise, a_project, their activations a_e, a_d, a_p,
/// and a_add. Returns its output.
inline ValueId block(GraphBuilder& g, const std::string& name, ValueId x, const BlockSpec& spec) {
  const auto conv_of = [](std::int64_t channels, int kernel, int stride) {
    return ConvSpec{.channels = channels, .kernel = kernel, .stride = stride, .bias = Bias::kAdded};
  };
  ValueId y =
      g.conv(name + "_expand", x, conv_of(spec.expanded, spec.expand_kernel, spec.expand_stride));
  y = activated(g, name + "_e", y, spec.expand);
  y = g.depthwise_conv(name + "_depthwise", y, conv_of(0, spec.depthwise_kernel, spec.stride));
  y = activated(g, name + "_d", y, spec.depthwise);
  y = g.conv(name + "_project", y, conv_of(spec.out, spec.project_kernel, spec.project_stride));
  y = activated(g, name + "_p", y, spec.project);
  return spec.residual ? g.add(name + "_add", x, y) : y;
}

/// A 1×1 convolution with a bias, so that what is behind it is not on the input.
inline ValueId below(GraphBuilder& g, std::int64_t channels = 4) {
  return g.conv("below", g.input(), {.channels = channels, .bias = Bias::kAdded});
}

/// The steps of a graph as they run: batch norms folded, blocks fused.
[[nodiscard]] inline StepList fused_steps(const Graph& graph, LowerFor use) {
  const auto dropout = use == LowerFor::kTraining ? DropoutNodes::kKeep : DropoutNodes::kRemove;
  const Graph folded = fold_batch_norm(graph, dropout).graph;
  return fuse_blocks(lower(folded, use), folded, use);
}

/// Names of the steps that are whole blocks: those of their first convolutions; " +" behind those
/// that add their input.
[[nodiscard]] inline std::vector<std::string> blocks_of(const StepList& list) {
  std::vector<std::string> names;
  for (const Step& step : list.steps) {
    if (step.block) names.push_back(step.name + (step.block->residual ? " +" : ""));
  }
  return names;
}

/// Those of all steps.
[[nodiscard]] inline std::vector<std::string> steps_of(const StepList& list) {
  std::vector<std::string> names;
  for (const Step& step : list.steps) names.push_back(step.name);
  return names;
}

}  // namespace engraft::test
