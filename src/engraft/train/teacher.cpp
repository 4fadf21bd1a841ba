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

LinearTop top_of(const Network& head) {
  const Node* dense = nullptr;
  bool ends_in_softmax = false;
  for (const Node& node : head.graph.nodes()) {
    if (node.op == Op::kDropout) continue;
    const bool fits = dense ? !ends_in_softmax && node.op == Op::kSoftmax : node.op == Op::kDense;
    if (!fits) {
      throw Error(
          ErrorKind::kUnsupported,
          fmt::format("the teacher's head has a layer '{}' that a student cannot take over; "
                      "its head must be a single linear layer with a softmax behind it "
                      "(engraft train --head linear)",
                      node.name));
    }
    if (dense) {
      ends_in_softmax = true;
    } else {
      dense = &node;
    }
  }
  if (!ends_in_softmax) {
    throw Error(ErrorKind::kUnsupported,
                "the teacher has no classes to teach; give one with a top, or a trained model");
  }
  LinearTop top{.kernel = head.weights.at(dense->parameters[0]), .bias = {}};
  top.bias = dense->parameters.size() > 1 ? head.weights.at(dense->parameters[1])
                                          : Tensor(Shape{top.kernel.shape()[1]});
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
