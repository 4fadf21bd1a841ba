#include "engraft/graph/shape_inference.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"

namespace engraft {
namespace {

/// Larger windows, strides and paddings than any network has; keeps the sums below from
/// overflowing.
constexpr int kMaxWindow = 1 << 12;

[[noreturn]] void misfit(const Node& node, const std::string& what) {
  throw Error(ErrorKind::kBadInput, fmt::format("{} ({}): {}", node.name, name_of(node.op), what));
}

struct Arity {
  std::size_t inputs = 1;
  std::size_t parameters_min = 0, parameters_max = 0;
};

Arity arity_of(Op op) {
  switch (op) {
    case Op::kConv:
    case Op::kDepthwiseConv:
    case Op::kDense:
      return {.parameters_min = 1, .parameters_max = 2};
    case Op::kBatchNorm:
      return {.parameters_min = 4, .parameters_max = 4};
    case Op::kAdd:
    case Op::kMultiply:
      return {.inputs = 2};
    default:
      return {};
  }
}

void check_arity(const Node& node, std::size_t inputs, std::size_t parameters) {
  const Arity arity = arity_of(node.op);
  if (inputs != arity.inputs) {
    misfit(node, fmt::format("has {} inputs, needs {}", inputs, arity.inputs));
  }
  if (parameters < arity.parameters_min || parameters > arity.parameters_max) {
    misfit(node, fmt::format("has {} parameters, needs {} to {}", parameters, arity.parameters_min,
                             arity.parameters_max));
  }
}

void require_rank(const Node& node, const Shape& input, int rank) {
  if (input.rank() != rank) {
    misfit(node,
           fmt::format("input {} has rank {}, needs {}", input.to_string(), input.rank(), rank));
  }
}

void require_shape(const Node& node, std::span<const Shape> parameters, std::size_t i,
                   const Shape& needed) {
  if (parameters[i] == needed) return;
  misfit(node, fmt::format("parameter {} is {}, needs to be {}",
                           i < node.parameters.size() ? node.parameters[i] : std::to_string(i),
                           parameters[i].to_string(), needed.to_string()));
}

void check_window(const Node& node) {
  const Attributes& a = node.attributes;
  const auto in = [](int value, int low) { return value >= low && value <= kMaxWindow; };
  const Padding& p = a.padding;
  if (!in(a.kernel, 1) || !in(a.stride, 1) || !in(p.top, 0) || !in(p.left, 0) || !in(p.bottom, 0) ||
      !in(p.right, 0)) {
    misfit(node, fmt::format("kernel {}, stride {}, padding {},{},{},{} are out of range", a.kernel,
                             a.stride, p.top, p.left, p.bottom, p.right));
  }
}

Shape convolved(const Node& node, const Shape& input, std::int64_t channels) {
  const Attributes& a = node.attributes;
  const std::int64_t rows = input[0] + a.padding.top + a.padding.bottom - a.kernel;
  const std::int64_t columns = input[1] + a.padding.left + a.padding.right - a.kernel;
  if (rows < 0 || columns < 0) {
    misfit(node, fmt::format("input {} is smaller than the {}×{} window", input.to_string(),
                             a.kernel, a.kernel));
  }
  return {rows / a.stride + 1, columns / a.stride + 1, channels};
}

Shape infer_conv(const Node& node, const Shape& input, std::span<const Shape> parameters) {
  require_rank(node, input, 3);
  check_window(node);
  const bool depthwise = node.op == Op::kDepthwiseConv;
  const Shape& kernel = parameters[0];
  if (kernel.rank() != (depthwise ? 3 : 4) || kernel[-1] < 1) {
    misfit(node, fmt::format("kernel {} has not {} axes, each 1 or more", kernel.to_string(),
                             depthwise ? 3 : 4));
  }
  const std::int64_t k = node.attributes.kernel;
  const std::int64_t channels = depthwise ? input[2] : kernel[3];
  require_shape(node, parameters, 0,
                depthwise ? Shape{k, k, channels} : Shape{k, k, input[2], channels});
  if (parameters.size() > 1) require_shape(node, parameters, 1, {channels});
  return convolved(node, input, channels);
}

Shape infer_dense(const Node& node, const Shape& input, std::span<const Shape> parameters) {
  require_rank(node, input, 1);
  const Shape& kernel = parameters[0];
  if (kernel.rank() != 2 || kernel[1] < 1) {
    misfit(node, fmt::format("kernel {} has not 2 axes, each 1 or more", kernel.to_string()));
  }
  require_shape(node, parameters, 0, {input[0], kernel[1]});
  if (parameters.size() > 1) require_shape(node, parameters, 1, {kernel[1]});
  return {kernel[1]};
}

void check_values(const Node& node) {
  const Attributes& a = node.attributes;
  if (node.op == Op::kBatchNorm && !(a.epsilon >= 0 && a.epsilon < 1)) {
    misfit(node, fmt::format("epsilon {} is not in [0, 1)", a.epsilon));
  }
  if (node.op == Op::kDropout && !(a.rate >= 0 && a.rate < 1)) {
    misfit(node, fmt::format("rate {} is not in [0, 1)", a.rate));
  }
}

}  // namespace

Shape infer_shape(const Node& node, std::span<const Shape> inputs,
                  std::span<const Shape> parameters) {
  check_arity(node, inputs.size(), parameters.size());
  check_values(node);
  const Shape& input = inputs[0];
  if (input.rank() < 1) misfit(node, "input has no axes");
  static_cast<void>(input.elements());  // throws on what no memory holds
  switch (node.op) {
    case Op::kConv:
    case Op::kDepthwiseConv:
      return infer_conv(node, input, parameters);
    case Op::kDense:
      return infer_dense(node, input, parameters);
    case Op::kBatchNorm:
      for (std::size_t i = 0; i < 4; ++i) require_shape(node, parameters, i, {input[-1]});
      return input;
    case Op::kAdd:
      if (inputs[1] != input) {
        misfit(node, fmt::format("adds {} and {}, which differ", input.to_string(),
                                 inputs[1].to_string()));
      }
      return input;
    case Op::kGlobalAveragePool:
      require_rank(node, input, 3);
      if (input[0] < 1 || input[1] < 1) {
        misfit(node, fmt::format("input {} has nothing to average", input.to_string()));
      }
      return {input[2]};
    case Op::kRelu:
    case Op::kRelu6:
    case Op::kDropout:
    case Op::kSoftmax:
    case Op::kSigmoid:
    case Op::kHardSigmoid:
    case Op::kHardSwish:
      return input;
    case Op::kMultiply:
      if (inputs[1] != input && !(input.rank() == 3 && inputs[1] == Shape{input[2]})) {
        misfit(node, fmt::format("multiplies {} by {}, which is neither of the same shape nor one "
                                 "value a channel",
                                 input.to_string(), inputs[1].to_string()));
      }
      return input;
  }
  misfit(node, "is not an operator");
}

std::vector<Shape> parameter_shapes(const Graph& graph, const Node& node) {
  check_arity(node, node.inputs.size(), node.parameters.size());
  const Shape& input = graph.shape(node.inputs[0]);
  const Shape& output = graph.shape(node.output);
  if (input.rank() < 1 || output.rank() < 1) misfit(node, "has a value without axes");
  const std::int64_t channels = output[-1];
  const std::int64_t k = node.attributes.kernel;
  std::vector<Shape> shapes(node.parameters.size(), Shape{channels});
  if (node.op == Op::kConv) shapes[0] = {k, k, input[-1], channels};
  if (node.op == Op::kDepthwiseConv) shapes[0] = {k, k, channels};
  if (node.op == Op::kDense) shapes[0] = {input[-1], channels};
  return shapes;
}

std::map<std::string, Shape> parameter_shapes(const Graph& graph) {
  std::map<std::string, Shape> all;
  for (const Node& node : graph.nodes()) {
    const std::vector<Shape> shapes = parameter_shapes(graph, node);
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const auto [entry, fresh] = all.emplace(node.parameters[i], shapes[i]);
      if (!fresh && entry->second != shapes[i]) {
        misfit(node,
               fmt::format("parameter {} is needed as {} here, as {} elsewhere", node.parameters[i],
                           shapes[i].to_string(), entry->second.to_string()));
      }
    }
  }
  return all;
}

Padding same_padding(const Shape& input, int kernel, int stride) {
  const auto total = [&](std::int64_t size) {
    const std::int64_t outputs = (size + stride - 1) / stride;
    return static_cast<int>(std::max<std::int64_t>((outputs - 1) * stride + kernel - size, 0));
  };
  const int rows = total(input[0]);
  const int columns = total(input[1]);
  return {.top = rows / 2,
          .left = columns / 2,
          .bottom = rows - rows / 2,
          .right = columns - columns / 2};
}

}  // namespace engraft
