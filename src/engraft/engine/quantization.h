#pragma once

#include "engraft/engine/lowering.h"
#include "engraft/graph/activation_ranges.h"

namespace engraft {

/// Marks the steps that are to be computed in 8-bit integers: those with a kernel for it, whose
/// values have ranges, and where it is worth it.
[[nodiscard]] StepList quantize_steps(StepList list, const Graph& graph,
                                      const ActivationRanges& ranges);

/// The values whose ranges quantize_steps() would look at.
[[nodiscard]] std::vector<ValueId> values_to_calibrate(const StepList& list, const Graph& graph);

}  // namespace engraft
