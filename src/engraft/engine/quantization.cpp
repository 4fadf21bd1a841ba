#include "engraft/engine/quantization.h"

#include <algorithm>
#include <utility>

#include "engraft/engine/block_fusion.h"
#include "engraft/engine/pointwise_operation.h"
#include "engraft/kernels/quantized_block.h"
#include "engraft/kernels/quantized_pointwise.h"

namespace engraft {
namespace {

/// Weights below which a layer of its own takes no time worth saving.
constexpr std::int64_t kFewWeights = 1 << 15;

bool can_be_quantized(const Step& step, const Graph& graph) {
  if (step.block) return is_quantizable(*step.block);
  if (!is_pointwise_operation(step)) return false;
  const std::int64_t in = graph.shape(step.input)[-1], out = graph.shape(step.output)[-1];
  return in * out >= kFewWeights && is_quantizable(Pointwise{.in = in, .out = out});
}

std::optional<StepRanges> ranges_of(const Step& step, const Graph& graph,
                                    const ActivationRanges& ranges) {
  const auto of = [&](ValueId value) { return ranges.find(graph.name(value)); };
  const auto input = of(step.input);
  if (input == ranges.end()) return std::nullopt;
  if (!step.block) return StepRanges{.input = input->second};
  const auto expanded = of(step.expanded), depthwise = of(step.depthwise);
  if (expanded == ranges.end() || depthwise == ranges.end()) return std::nullopt;
  return StepRanges{
      .input = input->second, .expanded = expanded->second, .depthwise = depthwise->second};
}

}  // namespace

StepList quantize_steps(StepList list, const Graph& graph, const ActivationRanges& ranges) {
  for (Step& step : list.steps) {
    if (can_be_quantized(step, graph)) step.ranges = ranges_of(step, graph, ranges);
  }
  return list;
}

std::vector<ValueId> values_to_calibrate(const StepList& list, const Graph& graph) {
  std::vector<ValueId> values;
  for (const Step& step : list.steps) {
    if (!can_be_quantized(step, graph)) continue;
    values.push_back(step.input);
    if (step.block) values.insert(values.end(), {step.expanded, step.depthwise});
  }
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

}  // namespace engraft
