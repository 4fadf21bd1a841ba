#pragma once

#include <span>
#include <string>
#include <vector>

#include "engraft/graph/graph.h"

namespace engraft {

/// A convolution or dense layer whose only reader is a batch norm, by the names of their parameters
/// and of the two that take the place of all of them.
struct Folding {
  std::string kernel, bias;  ///< of the layer; bias is empty where it has none
  std::string gamma, beta, mean, variance;
  float epsilon = 0;
  std::string folded_kernel, folded_bias;
};

/// A graph whose foldable batch norms are gone.
struct FoldedGraph {
  Graph graph;
  std::vector<Folding> foldings;
};

/// What becomes of dropout, which is the identity in inference.
enum class DropoutNodes { kRemove, kKeep };

/// The same function of other parameters. The folded node keeps its own name.
[[nodiscard]] FoldedGraph fold_batch_norm(const Graph& graph, DropoutNodes dropout);

/// The values of a Folding's parameters. Channels are the last axis of every kernel.
struct FoldingValues {
  std::span<const float> kernel, bias;  ///< bias may be empty
  std::span<const float> gamma, beta, mean, variance;
  float epsilon = 0;
};

/// kernel' = kernel·s, bias' = beta + (bias − mean)·s, s = gamma/√(variance+ε), in double. Throws
/// Error(kBadInput) for a variance+ε ≤ 0, naming the channel.
void fold_values(const FoldingValues& values, std::span<float> folded_kernel,
                 std::span<float> folded_bias);

/// Where the gradients of a Folding's parameters go; bias may be empty.
struct FoldingGradients {
  std::span<float> kernel, bias, gamma, beta;
};

/// The chain rule through fold_values, mean and variance held fixed; adds to the gradients:
///   dkernel += s·dkernel',  dbias += s·dbias',  dbeta += dbias',
///   dgamma += (Σ kernel·dkernel' + (bias − mean)·dbias') / √(variance+ε),
/// the sum over all but the last axis.
void unfold_gradients(const FoldingValues& values, std::span<const float> d_folded_kernel,
                      std::span<const float> d_folded_bias, const FoldingGradients& gradients);

}  // namespace engraft
