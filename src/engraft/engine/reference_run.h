#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/graph/graph.h"
#include "engraft/graph/weights.h"
#include "engraft/kernels/reference/convolution.h"
#include "engraft/kernels/reference/elementwise.h"
#include "engraft/kernels/reference/vector.h"

namespace engraft {

/// Parameters by name, in the type that the reference computes in.
template <typename T>
using ReferenceParameters = std::map<std::string, std::vector<T>>;

template <typename T>
[[nodiscard]] ReferenceParameters<T> reference_parameters(const Weights& weights) {
  ReferenceParameters<T> parameters;
  for (const auto& [name, tensor] : weights.all()) {
    const auto values = tensor->values();
    parameters.emplace(name, std::vector<T>(values.begin(), values.end()));
  }
  return parameters;
}

namespace reference_detail {

inline reference::Extents extents_of(const Shape& shape) {
  return {.height = shape[0], .width = shape[1], .channels = shape[2]};
}

inline reference::Convolution convolution_of(const Graph& graph, const Node& node) {
  const Attributes& a = node.attributes;
  return {.input = extents_of(graph.shape(node.inputs[0])),
          .window = {.height = a.kernel,
                     .width = a.kernel,
                     .stride = a.stride,
                     .top = a.padding.top,
                     .left = a.padding.left,
                     .bottom = a.padding.bottom,
                     .right = a.padding.right},
          .output_channels = graph.shape(node.output)[2]};
}

/// One node's result from those of the nodes before it.
template <typename T>
std::vector<T> run_node(const Graph& graph, const Node& node,
                        const ReferenceParameters<T>& parameters,
                        const std::vector<std::vector<T>>& values) {
  const auto input = [&](std::size_t i) -> std::span<const T> {
    return values.at(static_cast<std::size_t>(node.inputs.at(i)));
  };
  const auto parameter = [&](std::size_t i) -> std::span<const T> {
    if (i >= node.parameters.size()) return {};
    return parameters.at(node.parameters[i]);
  };
  const Shape& shape = graph.shape(node.inputs.at(0));
  switch (node.op) {
    case Op::kConv:
      return reference::convolution(convolution_of(graph, node), input(0), parameter(0),
                                    parameter(1));
    case Op::kDepthwiseConv:
      return reference::depthwise_convolution(convolution_of(graph, node), input(0), parameter(0),
                                              parameter(1));
    case Op::kBatchNorm:
      return reference::batch_norm<T>({.gamma = parameter(0),
                                       .beta = parameter(1),
                                       .mean = parameter(2),
                                       .variance = parameter(3),
                                       .epsilon = node.attributes.epsilon},
                                      input(0));
    case Op::kRelu:
      return reference::relu(input(0));
    case Op::kRelu6:
      return reference::relu6(input(0));
    case Op::kSigmoid:
      return reference::sigmoid(input(0));
    case Op::kHardSigmoid:
      return reference::hard_sigmoid(input(0));
    case Op::kHardSwish:
      return reference::hard_swish(input(0));
    case Op::kMultiply:
      return reference::multiply(input(0), input(1));
    case Op::kAdd:
      return reference::add(input(0), input(1));
    case Op::kGlobalAveragePool:
      return reference::global_average_pool(extents_of(shape), input(0));
    case Op::kDense:
      return reference::dense(input(0), parameter(0), parameter(1));
    case Op::kSoftmax:
      return reference::softmax(input(0), static_cast<std::size_t>(shape[-1]));
    case Op::kDropout:
      return {input(0).begin(), input(0).end()};
  }
  throw Error(ErrorKind::kInternal, node.name + ": an operator without a reference");
}

}  // namespace reference_detail

/// Every value of the graph for one picture, by ValueId, worked out node by node by the plain
/// formulas: the oracle that faster ways are measured against. With T = double the result is good
/// to about 1e-14; with std::complex<double> and an imaginary part of 1e-100 on one input or
/// parameter, the imaginary parts over 1e-100 are the derivatives by it.
template <typename T>
[[nodiscard]] std::vector<std::vector<T>> reference_run(const Graph& graph,
                                                        const ReferenceParameters<T>& parameters,
                                                        std::span<const T> picture) {
  std::vector<std::vector<T>> values(static_cast<std::size_t>(graph.value_count()));
  values[static_cast<std::size_t>(graph.input())].assign(picture.begin(), picture.end());
  for (const Node& node : graph.nodes()) {
    values[static_cast<std::size_t>(node.output)] =
        reference_detail::run_node(graph, node, parameters, values);
  }
  return values;
}

}  // namespace engraft
