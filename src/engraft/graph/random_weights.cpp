#include "engraft/graph/random_weights.h"

#include <cmath>

#include "engraft/base/rng.h"
#include "engraft/graph/shape_inference.h"

namespace engraft {
namespace {

/// Values that reach one output: all extents of a kernel but the last; [kh,kw,Cin,Cout] and
/// depthwise [kh,kw,C] alike.
double fan_in(const Shape& kernel) {
  return static_cast<double>(kernel.elements() / kernel[-1]);
}

void fill_normal(Tensor& tensor, double deviation, Rng& rng) {
  for (float& value : tensor.values()) value = static_cast<float>(deviation) * rng.normal();
}

void fill_uniform(Tensor& tensor, double limit, Rng& rng) {
  for (float& value : tensor.values())
    value = rng.uniform(static_cast<float>(-limit), static_cast<float>(limit));
}

void fill_ones(Tensor& tensor) {
  for (float& value : tensor.values()) value = 1;
}

/// The parameter in place `position` of those that the node's Op lists; biases, betas and means
/// stay 0.
Tensor initial_value(const Node& node, std::size_t position, const Shape& shape, Rng& rng) {
  Tensor tensor(shape);
  switch (node.op) {
    case Op::kConv:
    case Op::kDepthwiseConv:
      if (position == 0) fill_normal(tensor, std::sqrt(2.0 / fan_in(shape)), rng);
      break;
    case Op::kDense:
      if (position == 0)
        fill_uniform(tensor, std::sqrt(6.0 / static_cast<double>(shape[0] + shape[1])), rng);
      break;
    case Op::kBatchNorm:
      if (position == 0 || position == 3) fill_ones(tensor);  // gamma, variance
      break;
    default:
      break;
  }
  return tensor;
}

}  // namespace

Weights random_weights(const Graph& graph, std::uint64_t seed) {
  Weights weights;
  std::uint64_t item = 0;
  for (const Node& node : graph.nodes()) {
    const std::vector<Shape> shapes = parameter_shapes(graph, node);
    for (std::size_t position = 0; position < shapes.size(); ++position) {
      Rng rng(seed, 0, item++);
      weights.set(node.parameters[position], initial_value(node, position, shapes[position], rng));
    }
  }
  return weights;
}

}  // namespace engraft
