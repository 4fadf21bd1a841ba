#include "engraft/base/error.h"
#include "engraft/graph/batch_norm_folding.h"
#include "engraft/graph/surgery.h"

namespace engraft {
namespace {

std::span<const float> values_of(const Weights& weights, const std::string& name) {
  if (name.empty()) return {};
  return weights.at(name).values();
}

void set_folded(const Folding& folding, const Weights& weights, Weights& folded) {
  Tensor kernel = Tensor::for_overwrite(weights.at(folding.kernel).shape());
  Tensor bias = Tensor::for_overwrite(weights.at(folding.gamma).shape());
  try {
    fold_values({.kernel = values_of(weights, folding.kernel),
                 .bias = values_of(weights, folding.bias),
                 .gamma = values_of(weights, folding.gamma),
                 .beta = values_of(weights, folding.beta),
                 .mean = values_of(weights, folding.mean),
                 .variance = values_of(weights, folding.variance),
                 .epsilon = folding.epsilon},
                kernel.values(), bias.values());
  } catch (const Error& error) {
    throw Error(error.kind(), "parameter " + folding.variance + ": " + error.what());
  }
  folded.set(folding.folded_kernel, std::move(kernel));
  folded.set(folding.folded_bias, std::move(bias));
}

}  // namespace

Network fold_batch_norm(const Network& network) {
  check_weights(network.graph, network.weights);
  FoldedGraph folded = fold_batch_norm(network.graph, DropoutNodes::kRemove);
  Network result{.graph = std::move(folded.graph), .weights = {}};
  for (const Folding& folding : folded.foldings) {
    set_folded(folding, network.weights, result.weights);
  }
  for (const Node& node : result.graph.nodes()) {
    for (const std::string& name : node.parameters) {
      if (!result.weights.contains(name)) result.weights.set(name, network.weights.share(name));
    }
  }
  return result;
}

}  // namespace engraft
