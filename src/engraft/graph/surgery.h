#pragma once

#include "engraft/graph/graph.h"
#include "engraft/graph/weights.h"

namespace engraft {

struct Network {
  Graph graph;
  Weights weights;
};

/// The part of a graph that a value needs, with that value as output.
[[nodiscard]] Graph cut_at(const Graph& graph, ValueId value);

/// base with head set on its output: head's input shape must equal base's output shape. Node and
/// parameter names of the head must not occur in the base (Error kUsage).
[[nodiscard]] Network graft(const Network& base, const Network& head);

/// The same function with every batch norm that follows a convolution folded into it and every
/// dropout removed: w' = w·gamma/√(variance+ε),  b' = beta + (b-mean)·gamma/√(variance+ε), worked
/// out in double.
[[nodiscard]] Network fold_batch_norm(const Network& network);

/// Checks that every parameter that the graph names is there with the shape it needs; throws
/// Error(kBadInput) that names the first that is not, with both shapes.
void check_weights(const Graph& graph, const Weights& weights);

/// A digest of the graph's structure and of the parameters it uses: equal digests, equal function.
[[nodiscard]] Digest fingerprint(const Graph& graph, const Weights& weights);

}  // namespace engraft
