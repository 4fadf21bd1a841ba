#include <fmt/format.h>

#include "engraft/base/error.h"
#include "engraft/train/dense_layer.h"
#include "engraft/train/head.h"
#include "engraft/train/loss.h"

namespace engraft {
namespace {

/// The parameters of a dense node, kernel [in,out] turned to [out,in].
DenseParameters<float> parameters_of(const Node& node, const Weights& weights) {
  const Tensor& kernel = weights.at(node.parameters.at(0));
  if (kernel.shape().rank() != 2) {
    throw Error(ErrorKind::kBadInput, fmt::format("{}: the kernel has shape {}, not [in,out]",
                                                  node.name, kernel.shape().to_string()));
  }
  const auto in = static_cast<std::size_t>(kernel.shape()[0]);
  const auto out = static_cast<std::size_t>(kernel.shape()[1]);
  DenseParameters<float> layer(DenseShape{.in = in, .out = out});
  for (std::size_t i = 0; i < in; ++i) {
    for (std::size_t o = 0; o < out; ++o) layer.kernel[o * in + i] = kernel.data()[i * out + o];
  }
  if (node.parameters.size() > 1) {
    const auto bias = weights.at(node.parameters[1]).values();
    layer.bias.assign(bias.begin(), bias.end());
  }
  return layer;
}

Tensor dense_of(const Node& node, const Weights& weights, const Tensor& x) {
  const DenseParameters<float> layer = parameters_of(node, weights);
  if (x.shape()[1] != static_cast<std::int64_t>(layer.shape.in) ||
      layer.bias.size() != layer.shape.out) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: {} does not fit a layer of {} inputs and {} outputs", node.name,
                            x.shape().to_string(), layer.shape.in, layer.shape.out));
  }
  Tensor z(Shape{x.shape()[0], static_cast<std::int64_t>(layer.shape.out)});
  dense::forward<float>(layer, x.values(), z.values());
  return z;
}

void softmax_rows(Tensor& x) {
  for (std::int64_t i = 0; i < x.shape()[0]; ++i) {
    const std::span<float> row = x.row(i);
    loss::softmax<float>(row, row);
  }
}

}  // namespace

Tensor apply_head(const Network& head, const Tensor& features) {
  if (features.shape().rank() != 2) {
    throw Error(ErrorKind::kUsage,
                fmt::format("a head takes rows of features, not {}", features.shape().to_string()));
  }
  Tensor x = features;
  for (const Node& node : head.graph.nodes()) {
    switch (node.op) {
      case Op::kDense:
        x = dense_of(node, head.weights, x);
        break;
      case Op::kRelu:
        for (float& value : x.values()) value = value > 0 ? value : 0;
        break;
      case Op::kDropout:
        break;
      case Op::kSoftmax:
        softmax_rows(x);
        break;
      case Op::kSigmoid:
        for (float& value : x.values()) value = loss::sigmoid(value);
        break;
      default:
        throw Error(ErrorKind::kUnsupported,
                    fmt::format("{}: {} is no part of a head", node.name, name_of(node.op)));
    }
  }
  return x;
}

}  // namespace engraft
