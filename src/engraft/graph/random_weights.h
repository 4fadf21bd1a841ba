#pragma once

#include <cstdint>

#include "engraft/graph/graph.h"
#include "engraft/graph/weights.h"

namespace engraft {

/// Weights for a graph that has none, for training from scratch and for tests: kernels He-normal
/// (deviation √(2/fan_in); He et al. 2015), dense kernels Glorot-uniform, biases 0, batch norm the
/// identity. A pure function of its arguments.
[[nodiscard]] Weights random_weights(const Graph& graph, std::uint64_t seed);

}  // namespace engraft
