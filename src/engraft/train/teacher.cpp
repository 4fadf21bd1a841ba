#include "engraft/train/teacher.h"

#include <fmt/format.h>

#include <vector>

#include "engraft/base/error.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/shape_inference.h"

namespace engraft {
namespace {

Network with_own_weights(Graph graph, const Weights& all) {
  Network network{.graph = std::move(graph), .weights = {}};
  for (const Node& node : network.graph.nodes()) {
    for (const std::string& name : node.parameters) network.weights.set(name, all.share(name));
  }
  return network;
}

[[noreturn]] void refuse(const Node& node) {
  throw Error(
      ErrorKind::kUnsupported,
      fmt::format("the teacher's head has a layer '{}' ({}) that a student cannot take over; its "
                  "head must be dense layers with ReLU, sigmoid or softmax behind them, such as "
                  "engraft train makes (--head linear, --head mlp)",
                  node.name, name_of(node.op)));
}

TopLayer layer_of(const Node& dense, const Weights& weights) {
  TopLayer layer{.kernel = weights.at(dense.parameters[0]), .bias = {}};
  layer.bias = dense.parameters.size() > 1 ? weights.at(dense.parameters[1])
                                           : Tensor(Shape{layer.kernel.shape()[1]});
  return layer;
}

/// kNone for what is none.
TopActivation activation_of(Op op) {
  switch (op) {
    case Op::kRelu:
      return TopActivation::kRelu;
    case Op::kRelu6:
      return TopActivation::kRelu6;
    case Op::kSigmoid:
      return TopActivation::kSigmoid;
    case Op::kSoftmax:
      return TopActivation::kSoftmax;
    default:
      return TopActivation::kNone;
  }
}

/// The head's nodes follow each other in a chain: part_behind leaves out what the output does not
/// need, and none of those taken here has two inputs.
ClassifierTop top_of(const Network& head) {
  ClassifierTop top;
  bool answered = false;
  for (const Node& node : head.graph.nodes()) {
    if (node.op == Op::kDropout) continue;
    if (node.op == Op::kDense) {
      top.layers.push_back(layer_of(node, head.weights));
      continue;
    }
    const TopActivation activation = activation_of(node.op);
    const bool is_probability =
        activation == TopActivation::kSigmoid || activation == TopActivation::kSoftmax;
    answered = is_probability && node.output == head.graph.output();
    if (activation == TopActivation::kNone || top.layers.empty()) refuse(node);
    if (answered) {
      top.answers = activation;
    } else if (top.layers.back().activation == TopActivation::kNone) {
      top.layers.back().activation = activation;
    } else {
      refuse(node);
    }
  }
  if (!answered) {
    throw Error(ErrorKind::kUnsupported,
                "the teacher has no classes to teach; give one with a top, or a trained model");
  }
  return top;
}

}  // namespace

Teacher part_teacher(const Network& network) {
  const Graph& graph = network.graph;
  if (!graph.contains(kPooledValue)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the teacher has no pooled features (value \"{}\") to learn from",
                            kPooledValue));
  }
  const ValueId pooled = graph.find(kPooledValue);
  Teacher teacher;
  teacher.features = with_own_weights(cut_at(graph, pooled), network.weights);
  teacher.head = with_own_weights(part_behind(graph, pooled), network.weights);
  teacher.top = top_of(teacher.head);
  return teacher;
}

Graph at_size(const Graph& graph, Size size) {
  Graph result(Shape{size.height, size.width, graph.shape(graph.input())[2]});
  for (const Node& node : graph.nodes()) {
    std::vector<Shape> inputs;
    Node copy = node;
    copy.inputs.clear();
    for (const ValueId input : node.inputs) {
      copy.inputs.push_back(result.find(graph.name(input)));
      inputs.push_back(result.shape(copy.inputs.back()));
    }
    const Shape shape = infer_shape(copy, inputs, parameter_shapes(graph, node));
    result.append(std::move(copy), shape);
  }
  result.set_output(result.find(graph.name(graph.output())));
  return result;
}

}  // namespace engraft
