#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "engraft/graph/graph.h"

namespace engraft {

/// Output shape of an operation on one picture. parameters are the shapes of its weights; all are
/// checked. Throws Error(kBadInput) naming the node when inputs, parameters or attributes do not
/// fit.
[[nodiscard]] Shape infer_shape(const Node& node, std::span<const Shape> inputs,
                                std::span<const Shape> parameters);

/// Shapes that the parameters of a node of the graph must have, in the order of node.parameters.
[[nodiscard]] std::vector<Shape> parameter_shapes(const Graph& graph, const Node& node);

/// Of every parameter that the graph names. Throws Error(kBadInput) when two nodes name the same
/// parameter and need it in different shapes.
[[nodiscard]] std::map<std::string, Shape> parameter_shapes(const Graph& graph);

/// TensorFlow's SAME for an input [H,W,C]: ⌈H/stride⌉ rows come out; of the zeros needed for that
/// the smaller half goes before. At kernel 3, stride 2 an even side is padded by 0 before and 1
/// after, an odd one by 1 and 1 (which is Keras' correct_pad).
[[nodiscard]] Padding same_padding(const Shape& input, int kernel, int stride);

}  // namespace engraft
