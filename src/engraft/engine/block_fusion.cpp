#include "engraft/engine/block_fusion.h"

#include <algorithm>
#include <utility>

namespace engraft {
namespace {

Window window_of(const Attributes& a) {
  return {
      .kernel = a.kernel, .stride = a.stride, .pad_top = a.padding.top, .pad_left = a.padding.left};
}

int extent(const Shape& shape, int axis) {
  return static_cast<int>(shape[axis]);
}

class BlockFinder {
 public:
  BlockFinder(const StepList& list, const Graph& graph)
      : list_(list), graph_(graph), readers_(static_cast<std::size_t>(graph.value_count()), 0) {
    for (const Step& step : list.steps) {
      ++readers_[at(step.input)];
      if (step.addend) ++readers_[at(*step.addend)];
    }
    ++readers_[at(list.output)];
  }

  /// The block that begins with step i, and how many steps it replaces.
  struct Found {
    Step step;
    int steps;
  };
  [[nodiscard]] std::optional<Found> find(std::size_t i) const {
    if (i + 3 > list_.steps.size()) return std::nullopt;
    const Step& expand = list_.steps[i];
    const Step& depthwise = list_.steps[i + 1];
    const Step& project = list_.steps[i + 2];
    if (!follows(expand, depthwise) || !follows(depthwise, project)) return std::nullopt;
    if (!is_plain(expand, Op::kConv) || !is_plain(depthwise, Op::kDepthwiseConv)) {
      return std::nullopt;
    }
    if (!is_projection(project) || (project.addend && *project.addend != expand.input)) {
      return std::nullopt;
    }
    // Only the first convolution of all: its kernel has no gradient for its input.
    if (expand.attributes.kernel > 1 && expand.input != list_.input) return std::nullopt;
    const bool adds = !project.addend && adds_input(i + 3, expand, project);
    const Step& last = adds ? list_.steps[i + 3] : project;
    auto block = block_of(expand, depthwise, last, adds || project.addend);
    if (!block || !is_fusable(*block)) return std::nullopt;
    Step fused = expand;
    fused.output = last.output;
    fused.activation.reset();
    for (const Step* step : {&depthwise, &project}) {
      fused.parameters.insert(fused.parameters.end(), step->parameters.begin(),
                              step->parameters.end());
    }
    fused.block = *block;
    fused.expanded = expand.output;
    fused.depthwise = depthwise.output;
    return Found{std::move(fused), adds ? 4 : 3};
  }

 private:
  static std::size_t at(ValueId value) { return static_cast<std::size_t>(value); }

  [[nodiscard]] bool follows(const Step& first, const Step& second) const {
    return second.input == first.output && readers_[at(first.output)] == 1;
  }
  /// With a bias and no addend.
  [[nodiscard]] static bool is_plain(const Step& step, Op op) {
    return step.op == op && !step.addend && step.parameters.size() == 2;
  }
  [[nodiscard]] static bool is_projection(const Step& step) {
    const Attributes& a = step.attributes;
    return step.op == Op::kConv && step.parameters.size() == 2 && !step.activation &&
           a.kernel == 1 && a.stride == 1 && a.padding == Padding{};
  }
  [[nodiscard]] bool adds_input(std::size_t i, const Step& expand, const Step& project) const {
    if (i >= list_.steps.size() || list_.steps[i].op != Op::kAdd) return false;
    const Step& add = list_.steps[i];
    const auto operands = std::minmax(add.input, *add.addend);
    return operands == std::minmax(expand.input, project.output) && !add.activation &&
           readers_[at(project.output)] == 1;
  }

  [[nodiscard]] std::optional<InvertedResidual> block_of(const Step& expand, const Step& depthwise,
                                                         const Step& last, bool residual) const {
    const auto expand_gate = gate_of(expand.activation);
    const auto depthwise_gate = gate_of(depthwise.activation);
    if (!expand_gate || !depthwise_gate) return std::nullopt;
    const Shape& x = graph_.shape(expand.input);
    const Shape& e = graph_.shape(expand.output);
    const Shape& y = graph_.shape(last.output);
    return InvertedResidual{.in_height = extent(x, 0),
                            .in_width = extent(x, 1),
                            .height = extent(e, 0),
                            .width = extent(e, 1),
                            .out_height = extent(y, 0),
                            .out_width = extent(y, 1),
                            .in = extent(x, 2),
                            .expanded = extent(e, 2),
                            .out = extent(y, 2),
                            .expand = window_of(expand.attributes),
                            .depthwise = window_of(depthwise.attributes),
                            .expand_activation = *expand_gate,
                            .depthwise_activation = *depthwise_gate,
                            .residual = residual};
  }

  const StepList& list_;
  const Graph& graph_;
  std::vector<int> readers_;  ///< of each value; the output counts as one
};

}  // namespace

std::optional<Gate> gate_of(const std::optional<Op>& activation) {
  if (!activation) return Gate::kOpen;
  if (*activation == Op::kRelu) return Gate::kRelu;
  if (*activation == Op::kRelu6) return Gate::kRelu6;
  return std::nullopt;
}

bool is_worth_fusing(const InvertedResidual& block, LowerFor use) {
  return use == LowerFor::kInference || block.out_width >= 14;
}

StepList fuse_blocks(StepList list, const Graph& graph, LowerFor use) {
  const BlockFinder finder(list, graph);
  std::vector<Step> steps;
  for (std::size_t i = 0; i < list.steps.size();) {
    auto found = finder.find(i);
    if (found && is_worth_fusing(*found->step.block, use)) {
      steps.push_back(std::move(found->step));
      i += static_cast<std::size_t>(found->steps);
    } else {
      steps.push_back(list.steps[i++]);
    }
  }
  list.steps = std::move(steps);
  return list;
}

}  // namespace engraft
