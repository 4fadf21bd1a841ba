#include "engraft/train/freeze.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "engraft/base/error.h"

namespace engraft {
namespace {

bool is_spatial(const Node& node) {
  return (node.op == Op::kConv || node.op == Op::kDepthwiseConv) && node.attributes.kernel > 1;
}

/// "block_13" of "block_13_expand_BN"; empty where a name has no such part.
std::string block_of(const std::string& name) {
  if (name.starts_with("expanded_conv")) return "expanded_conv";
  if (!name.starts_with("block_")) return {};
  return name.substr(0, name.find('_', std::string_view("block_").size()));
}

/// Whether `name` is `from` or a part of the block of that name.
bool belongs_to(const std::string& name, std::string_view from) {
  return name == from || (name.starts_with(from) && name[from.size()] == '_');
}

/// The first node of the last resolution: of the block whose depthwise convolution has the last
/// stride, or that convolution itself.
std::size_t last_stage(const Graph& graph) {
  const auto& nodes = graph.nodes();
  std::size_t strided = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (is_spatial(nodes[i]) && nodes[i].attributes.stride > 1) strided = i;
  }
  const std::string block = block_of(nodes[strided].name);
  while (!block.empty() && strided > 0 && block_of(nodes[strided - 1].name) == block) --strided;
  return strided;
}

std::size_t keras_layer(const Graph& graph, int number) {
  int layer = 1;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.op == Op::kDepthwiseConv && node.attributes.stride == 2) ++layer;
    if (layer++ >= number) return i;
  }
  throw Error(ErrorKind::kUsage, fmt::format("layer {}: the network has {} layers", number, layer));
}

[[noreturn]] void unknown(const Graph& graph, std::string_view from) {
  std::string last;
  for (const Node& node : graph.nodes()) {
    if (const std::string block = block_of(node.name); !block.empty()) last = block;
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("nothing named {} to fine-tune from; use last, all, a number of layers{}",
                          from, last.empty() ? "" : " or a block up to " + last));
}

}  // namespace

std::size_t first_trained_node(const Graph& graph, std::string_view from) {
  if (from == "all") return 0;
  if (from == "last") return last_stage(graph);
  int number = 0;
  const auto parsed = std::from_chars(from.data(), from.data() + from.size(), number);
  if (parsed.ec == std::errc() && parsed.ptr == from.data() + from.size() && number >= 0) {
    return keras_layer(graph, number);
  }
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (!from.empty() && belongs_to(graph.nodes()[i].name, from)) return i;
  }
  unknown(graph, from);
}

FrozenSplit split_frozen(const Graph& graph, std::size_t first_trained) {
  const ValueId boundary = parting_before(graph, first_trained);
  FrozenSplit split{
      .frozen = cut_at(graph, boundary), .trained = part_behind(graph, boundary), .held = {}};
  std::set<std::string> trained;
  for (std::size_t i = first_trained; i < graph.nodes().size(); ++i) {
    const auto& names = graph.nodes()[i].parameters;
    trained.insert(names.begin(), names.end());
  }
  for (const Node& node : split.frozen.nodes()) {
    for (const std::string& name : node.parameters) trained.erase(name);
  }
  const ParameterLayout parameters = trainable_parameters(split.trained);
  for (const auto& slot : parameters.slots()) {
    if (!trained.contains(slot.name)) split.held.push_back(slot.name);
  }
  return split;
}

std::vector<int> depths_of(const Graph& graph) {
  std::map<std::string, int> depths;
  int depth = 0;
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    for (const std::string& name : node->parameters) depths[name] = depth;
    if (is_spatial(*node)) ++depth;
  }
  std::vector<int> result;
  const ParameterLayout parameters = trainable_parameters(graph);
  for (const auto& slot : parameters.slots()) {
    result.push_back(depths.at(slot.name));
  }
  return result;
}

}  // namespace engraft
