#include "engraft/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/edit_distance.h"
#include "engraft/base/error.h"

namespace engraft {

std::string_view name_of(Op op) {
  switch (op) {
    case Op::kConv:
      return "conv";
    case Op::kDepthwiseConv:
      return "depthwise_conv";
    case Op::kBatchNorm:
      return "batch_norm";
    case Op::kRelu:
      return "relu";
    case Op::kRelu6:
      return "relu6";
    case Op::kAdd:
      return "add";
    case Op::kGlobalAveragePool:
      return "global_average_pool";
    case Op::kDense:
      return "dense";
    case Op::kDropout:
      return "dropout";
    case Op::kSoftmax:
      return "softmax";
    case Op::kSigmoid:
      return "sigmoid";
    case Op::kHardSigmoid:
      return "hard_sigmoid";
    case Op::kHardSwish:
      return "hard_swish";
    case Op::kMultiply:
      return "multiply";
  }
  return "unknown";
}

Graph::Graph(Shape input) {
  values_.push_back({std::string(kInputValue), std::move(input)});
  ids_.emplace(kInputValue, 0);
}

ValueId Graph::append(Node node, Shape shape) {
  if (node.name.empty()) {
    throw Error(ErrorKind::kUsage, fmt::format("a {} node has no name", name_of(node.op)));
  }
  for (const ValueId input : node.inputs) {
    if (input < 0 || input >= value_count()) {
      throw Error(ErrorKind::kUsage, fmt::format("{}: input value {} does not exist; nodes are "
                                                 "appended after those that they read",
                                                 node.name, input));
    }
  }
  const ValueId output = value_count();
  if (!ids_.emplace(node.name, output).second) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: the graph already has a value of this name", node.name));
  }
  values_.push_back({node.name, std::move(shape)});
  node.output = output;
  nodes_.push_back(std::move(node));
  return output;
}

void Graph::set_output(ValueId value) {
  if (value < 0 || value >= value_count()) {
    throw Error(ErrorKind::kUsage, fmt::format("output value {} does not exist", value));
  }
  output_ = value;
}

ValueId Graph::find(std::string_view name) const {
  if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
  std::vector<std::pair<std::size_t, std::string_view>> near;
  for (const Value& value : values_) near.emplace_back(edit_distance(name, value.name), value.name);
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  near.resize(std::min<std::size_t>(near.size(), 3));
  std::string list;
  for (const auto& [distance, candidate] : near) {
    list += list.empty() ? "" : ", ";
    list += candidate;
  }
  throw Error(ErrorKind::kNotFound, fmt::format("the network has no value named {}; near names: {}",
                                                name, list.empty() ? "none" : list));
}

}  // namespace engraft
