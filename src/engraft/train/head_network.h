#pragma once

#include "engraft/graph/surgery.h"
#include "engraft/train/head.h"
#include "engraft/train/head_model.h"

namespace engraft {

/// What the graph of a head needs to know beside its layers.
struct HeadNetworkSpec {
  LossKind loss = LossKind::kSoftmax;
  float dropout = 0;
};

/// A head as a graph over raw features [F]:
///   linear: head_dropout, head_dense, head_probabilities
///   mlp:    head_hidden, head_hidden_relu, head_dropout, head_dense, head_probabilities
/// with softmax, or with sigmoid when it was trained class against rest. A single logit z becomes
/// the softmax of [0, z], since exp(z)/(exp(0)+exp(z)) = σ(z): a dense layer whose column 0 is
/// zero. Every head so gives one probability a class.
[[nodiscard]] Network head_network(const HeadLayers<float>& layers, const HeadNetworkSpec& spec);

}  // namespace engraft
