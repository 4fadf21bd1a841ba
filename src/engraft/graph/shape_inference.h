#pragma once

#include <span>

#include "engraft/graph/graph.h"

namespace engraft {

/// Shapes of a node's parameters, in the order that Op lists them, given how many outputs it has.
struct NodeShapes {
  Shape output;
  std::vector<Shape> parameters;
};

/// Output shape of an operation on one picture. parameters are the shapes of its weights (kConv and
/// kDense need the first). Throws Error(kBadInput) naming the node when shapes do not fit.
[[nodiscard]] Shape infer_shape(const Node& node, std::span<const Shape> inputs,
                                std::span<const Shape> parameters);

}  // namespace engraft
