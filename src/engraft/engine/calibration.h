#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "engraft/base/thread_pool.h"
#include "engraft/graph/activation_ranges.h"
#include "engraft/graph/graph.h"
#include "engraft/graph/weights.h"

namespace engraft {

/// Runs pictures through a network in floats and looks at the values that 8-bit arithmetic replaces
/// (PlanOptions::ranges): the smallest and greatest, and zero.
/// fill: as BatchRunner::Fill.
/// The same for any number of threads and order of the pictures. Errors are those of Plan::compile,
/// Error(kBadInput) where not one picture was filled, Error(kUnsupported) where a value was
/// infinite or NaN.
[[nodiscard]] ActivationRanges calibrate(
    const Graph& graph, const Weights& weights, std::size_t pictures,
    const std::function<bool(std::size_t i, std::span<float> input)>& fill, ThreadPool& pool);

}  // namespace engraft
