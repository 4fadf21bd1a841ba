#pragma once

#include "engraft/graph/graph.h"
#include "engraft/graph/weights.h"

namespace engraft {

/// A graph with the values of its parameters: something that can be run.
struct Network {
  Graph graph;
  Weights weights;
};

/// The part of a graph that a value needs, with that value as output.
[[nodiscard]] Graph cut_at(const Graph& graph, ValueId value);

/// The rest of a graph behind a value: what makes its output from that value, which becomes the
/// input. Throws Error(kUsage) where the output needs anything else from before it, and for a value
/// that does not exist.
[[nodiscard]] Graph part_behind(const Graph& graph, ValueId value);

/// The last value before node `node` (its index) through which everything goes that the nodes from
/// there on need: where a network can be parted in two.
[[nodiscard]] ValueId parting_before(const Graph& graph, std::size_t node);

/// base, cut at its output, with head set on it: head's input shape must equal base's output shape.
/// Node and parameter names of the head must not occur in the base (Error kUsage). The tensors are
/// shared, not copied; parameters that neither graph uses are left out.
[[nodiscard]] Network graft(const Network& base, const Network& head);

/// The same function in inference with every batch norm that alone follows a convolution or dense
/// layer folded into it, and every dropout removed: w' = w·gamma/√(variance+ε),
/// b' = beta + (b-mean)·gamma/√(variance+ε), worked out in double. The folded node keeps its own
/// name. Throws Error(kBadInput) for weights that do not fit the graph or a variance+ε ≤ 0.
[[nodiscard]] Network fold_batch_norm(const Network& network);

/// Checks that every parameter that the graph names is there with the shape it needs; throws
/// Error(kBadInput) that names the first that is not, with both shapes.
void check_weights(const Graph& graph, const Weights& weights);

/// A digest of what the output depends on: operators, attributes, shapes and parameter values, not
/// names. Equal digests, equal function.
[[nodiscard]] Digest fingerprint(const Graph& graph, const Weights& weights);

}  // namespace engraft
