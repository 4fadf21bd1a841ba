#include "engraft/graph/graph_builder.h"

#include <vector>

#include "engraft/graph/shape_inference.h"

namespace engraft {

ValueId GraphBuilder::append(Node node, std::span<const Shape> parameters) {
  std::vector<Shape> inputs;
  for (const ValueId input : node.inputs) inputs.push_back(graph_.shape(input));
  Shape shape = infer_shape(node, inputs, parameters);
  return graph_.append(std::move(node), std::move(shape));
}

ValueId GraphBuilder::conv(const std::string& name, ValueId x, const ConvSpec& spec) {
  const Shape input = graph_.shape(x);
  Node node{.op = Op::kConv, .name = name, .inputs = {x}, .parameters = {name + "/kernel"}};
  std::vector<Shape> shapes{Shape{spec.kernel, spec.kernel, input[-1], spec.channels}};
  if (spec.bias == Bias::kAdded) {
    node.parameters.push_back(name + "/bias");
    shapes.push_back({spec.channels});
  }
  node.attributes = {.kernel = spec.kernel,
                     .stride = spec.stride,
                     .padding = same_padding(input, spec.kernel, spec.stride)};
  return append(std::move(node), shapes);
}

ValueId GraphBuilder::depthwise_conv(const std::string& name, ValueId x, const ConvSpec& spec) {
  const Shape input = graph_.shape(x);
  Node node{.op = Op::kDepthwiseConv,
            .name = name,
            .inputs = {x},
            .parameters = {name + "/depthwise_kernel"}};
  std::vector<Shape> shapes{Shape{spec.kernel, spec.kernel, input[-1]}};
  if (spec.bias == Bias::kAdded) {
    node.parameters.push_back(name + "/bias");
    shapes.push_back({input[-1]});
  }
  node.attributes = {.kernel = spec.kernel,
                     .stride = spec.stride,
                     .padding = same_padding(input, spec.kernel, spec.stride)};
  return append(std::move(node), shapes);
}

ValueId GraphBuilder::batch_norm(const std::string& name, ValueId x, float epsilon) {
  Node node{.op = Op::kBatchNorm,
            .name = name,
            .inputs = {x},
            .parameters = {name + "/gamma", name + "/beta", name + "/moving_mean",
                           name + "/moving_variance"}};
  node.attributes.epsilon = epsilon;
  return append(std::move(node), std::vector<Shape>(4, Shape{graph_.shape(x)[-1]}));
}

ValueId GraphBuilder::dense(const std::string& name, ValueId x, std::int64_t units) {
  const std::vector<Shape> shapes{Shape{graph_.shape(x)[-1], units}, Shape{units}};
  return append({.op = Op::kDense,
                 .name = name,
                 .inputs = {x},
                 .parameters = {name + "/kernel", name + "/bias"}},
                shapes);
}

ValueId GraphBuilder::dropout(std::string name, ValueId x, float rate) {
  Node node{.op = Op::kDropout, .name = std::move(name), .inputs = {x}};
  node.attributes.rate = rate;
  return append(std::move(node), {});
}

ValueId GraphBuilder::add(std::string name, ValueId a, ValueId b) {
  return append({.op = Op::kAdd, .name = std::move(name), .inputs = {a, b}}, {});
}

ValueId GraphBuilder::multiply(std::string name, ValueId a, ValueId b) {
  return append({.op = Op::kMultiply, .name = std::move(name), .inputs = {a, b}}, {});
}

ValueId GraphBuilder::apply(Op op, std::string name, ValueId x) {
  return append({.op = op, .name = std::move(name), .inputs = {x}}, {});
}

Graph GraphBuilder::finish(ValueId output) {
  graph_.set_output(output);
  return std::move(graph_);
}

}  // namespace engraft
