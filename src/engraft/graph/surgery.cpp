#include "engraft/graph/surgery.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/graph/shape_inference.h"

namespace engraft {
namespace {

/// Appends a node of another graph, its inputs renumbered; map[old output] is set.
void append_mapped(Graph& graph, Node node, const Shape& shape, std::vector<ValueId>& map) {
  for (ValueId& input : node.inputs) input = map[static_cast<std::size_t>(input)];
  const auto old = static_cast<std::size_t>(node.output);
  map[old] = graph.append(std::move(node), shape);
}

void share_used(const Graph& graph, const Weights& from, Weights& to) {
  for (const Node& node : graph.nodes()) {
    for (const std::string& name : node.parameters) to.set(name, from.share(name));
  }
}

void require_value(const Graph& graph, ValueId value) {
  if (value < 0 || value >= graph.value_count()) {
    throw Error(ErrorKind::kUsage, fmt::format("value {} does not exist", value));
  }
}

/// What fingerprint() hashes: whole numbers as 8 bytes, little end first, whatever the machine.
class Canonical {
 public:
  void add(std::int64_t value) {
    std::array<std::byte, 8> bytes;
    for (std::size_t i = 0; i < 8; ++i) {
      bytes[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
    hash_.update(bytes);
  }
  void add(float value) { add(static_cast<std::int64_t>(std::bit_cast<std::uint32_t>(value))); }
  void add(std::string_view text) {
    add(static_cast<std::int64_t>(text.size()));
    hash_.update(text);
  }
  void add(const Shape& shape) {
    add(std::int64_t{shape.rank()});
    for (const std::int64_t extent : shape.extents()) add(extent);
  }
  void add(const Tensor& tensor) {
    static_assert(std::endian::native == std::endian::little);
    add(tensor.shape());
    hash_.update(std::as_bytes(tensor.values()));
  }
  [[nodiscard]] Digest finish() { return hash_.finish(); }

 private:
  Sha256 hash_;
};

}  // namespace

Graph cut_at(const Graph& graph, ValueId value) {
  require_value(graph, value);
  std::vector<bool> needed(static_cast<std::size_t>(graph.value_count()), false);
  needed[static_cast<std::size_t>(value)] = true;
  const std::vector<Node>& nodes = graph.nodes();
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    if (!needed[static_cast<std::size_t>(node->output)]) continue;
    for (const ValueId input : node->inputs) needed[static_cast<std::size_t>(input)] = true;
  }
  Graph part(graph.shape(graph.input()));
  std::vector<ValueId> map(needed.size(), part.input());
  for (const Node& node : nodes) {
    if (needed[static_cast<std::size_t>(node.output)]) {
      append_mapped(part, node, graph.shape(node.output), map);
    }
  }
  part.set_output(map[static_cast<std::size_t>(value)]);
  return part;
}

Graph part_behind(const Graph& graph, ValueId value) {
  require_value(graph, value);
  std::vector<bool> needed(static_cast<std::size_t>(graph.value_count()), false);
  needed[static_cast<std::size_t>(graph.output())] = true;
  const std::vector<Node>& nodes = graph.nodes();
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    if (!needed[static_cast<std::size_t>(node->output)] || node->output == value) continue;
    for (const ValueId input : node->inputs) needed[static_cast<std::size_t>(input)] = true;
  }
  Graph part(graph.shape(value));
  constexpr ValueId kMissing = -1;
  std::vector<ValueId> map(needed.size(), kMissing);
  map[static_cast<std::size_t>(value)] = part.input();
  for (const Node& node : nodes) {
    if (!needed[static_cast<std::size_t>(node.output)] || node.output <= value) continue;
    for (const ValueId input : node.inputs) {
      if (map[static_cast<std::size_t>(input)] != kMissing) continue;
      throw Error(ErrorKind::kUsage, fmt::format("{}: needs {}, which lies before {}", node.name,
                                                 graph.name(input), graph.name(value)));
    }
    append_mapped(part, node, graph.shape(node.output), map);
  }
  part.set_output(map[static_cast<std::size_t>(graph.output())]);
  return part;
}

ValueId parting_before(const Graph& graph, std::size_t node) {
  const std::vector<Node>& nodes = graph.nodes();
  std::vector<std::size_t> last_reader(static_cast<std::size_t>(graph.value_count()), 0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const ValueId input : nodes[i].inputs) last_reader[static_cast<std::size_t>(input)] = i;
  }
  last_reader[static_cast<std::size_t>(graph.output())] = nodes.size();
  for (std::size_t cut = std::min(node, nodes.size()); cut > 0; --cut) {
    int crossing = last_reader[static_cast<std::size_t>(graph.input())] >= cut ? 1 : 0;
    for (std::size_t i = 0; i < cut; ++i) {
      if (last_reader[static_cast<std::size_t>(nodes[i].output)] >= cut) ++crossing;
    }
    const ValueId last = nodes[cut - 1].output;
    if (crossing == 1 && last_reader[static_cast<std::size_t>(last)] >= cut) return last;
  }
  return graph.input();
}

Network graft(const Network& base, const Network& head) {
  const Shape& stump = base.graph.shape(base.graph.output());
  const Shape& scion = head.graph.shape(head.graph.input());
  if (stump != scion) {
    throw Error(ErrorKind::kUsage, fmt::format("the head takes {}, but the base gives {}",
                                               scion.to_string(), stump.to_string()));
  }
  Network joined{.graph = cut_at(base.graph, base.graph.output()), .weights = {}};
  share_used(joined.graph, base.weights, joined.weights);

  std::vector<ValueId> map(static_cast<std::size_t>(head.graph.value_count()),
                           joined.graph.output());
  for (const Node& node : head.graph.nodes()) {
    for (const std::string& name : node.parameters) {
      if (joined.weights.contains(name)) {
        throw Error(ErrorKind::kUsage,
                    fmt::format("the base already has a parameter named {}", name));
      }
    }
    append_mapped(joined.graph, node, head.graph.shape(node.output), map);
  }
  joined.graph.set_output(map[static_cast<std::size_t>(head.graph.output())]);
  share_used(head.graph, head.weights, joined.weights);
  return joined;
}

void check_weights(const Graph& graph, const Weights& weights) {
  for (const Node& node : graph.nodes()) {
    const std::vector<Shape> needed = parameter_shapes(graph, node);
    for (std::size_t i = 0; i < needed.size(); ++i) {
      const std::string& name = node.parameters[i];
      if (!weights.contains(name)) {
        throw Error(ErrorKind::kBadInput,
                    fmt::format("parameter {} {} is missing", name, needed[i].to_string()));
      }
      const Shape& found = weights.at(name).shape();
      if (found != needed[i]) {
        throw Error(ErrorKind::kBadInput, fmt::format("parameter {} is {}, needs to be {}", name,
                                                      found.to_string(), needed[i].to_string()));
      }
    }
    std::vector<Shape> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(graph.shape(input));
    const Shape output = infer_shape(node, inputs, needed);
    if (output != graph.shape(node.output)) {
      throw Error(ErrorKind::kBadInput,
                  fmt::format("{}: gives {}, but the graph says {}", node.name, output.to_string(),
                              graph.shape(node.output).to_string()));
    }
  }
}

Digest fingerprint(const Graph& graph, const Weights& weights) {
  const Graph part = cut_at(graph, graph.output());
  check_weights(part, weights);
  Canonical canonical;
  canonical.add(std::string_view("engraft graph 1"));
  canonical.add(part.shape(part.input()));
  canonical.add(std::int64_t{part.output()});
  for (const Node& node : part.nodes()) {
    const Attributes& a = node.attributes;
    canonical.add(name_of(node.op));
    canonical.add(static_cast<std::int64_t>(node.inputs.size()));
    for (const ValueId input : node.inputs) canonical.add(std::int64_t{input});
    for (const int value :
         {a.kernel, a.stride, a.padding.top, a.padding.left, a.padding.bottom, a.padding.right}) {
      canonical.add(std::int64_t{value});
    }
    canonical.add(a.epsilon);
    canonical.add(a.rate);
    canonical.add(static_cast<std::int64_t>(node.parameters.size()));
    for (const std::string& name : node.parameters) canonical.add(weights.at(name));
  }
  return canonical.finish();
}

}  // namespace engraft
