#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engraft/graph/parameter_layout.h"
#include "engraft/graph/surgery.h"

namespace engraft {

/// From which node of a network on it is trained: "all"; "last", the last resolution of the network
/// (from the last convolution with a stride on); a node ("Conv_1") or the block that its name
/// begins with ("block_13"); or a number, which counts layers as Keras does (its tutorial unfreezes
/// from 100 on): the input is layer 0, and a depthwise convolution of stride 2 has a padding layer
/// before it. Returns the index of the node. Throws Error(kUsage) for what the network does not
/// have, naming what it has.
[[nodiscard]] std::size_t first_trained_node(const Graph& graph, std::string_view from);

/// A network in two: what is run forward only, and what is trained.
struct FrozenSplit {
  Graph frozen;  ///< output: the boundary; without nodes where everything is trained
  Graph trained;
  /// Parameters of `trained` that stay as they are all the same: the boundary must be a single
  /// value, so it may lie a little before the node asked for; and what `frozen` has, too.
  std::vector<std::string> held;
};

[[nodiscard]] FrozenSplit split_frozen(const Graph& graph, std::size_t first_trained);

/// Of each slot of trainable_parameters(graph): how many convolutions over more than a pixel lie
/// between it and the output, which counts MobileNetV2's blocks.
[[nodiscard]] std::vector<int> depths_of(const Graph& graph);

}  // namespace engraft
