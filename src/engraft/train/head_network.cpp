#include "engraft/train/head_network.h"

#include <algorithm>
#include <string>

#include "engraft/graph/graph_builder.h"

namespace engraft {
namespace {

/// A single logit as the second of two, the first being 0.
DenseParameters<float> with_zero_logit(const DenseParameters<float>& layer) {
  DenseParameters<float> two(DenseShape{.in = layer.shape.in, .out = 2});
  std::ranges::copy(layer.kernel, two.kernel.begin() + static_cast<std::ptrdiff_t>(layer.shape.in));
  two.bias[1] = layer.bias[0];
  return two;
}

/// kernel [out,in] becomes the graph's [in,out].
void set_parameters(Weights& weights, const std::string& name,
                    const DenseParameters<float>& layer) {
  const auto [in, out] = layer.shape;
  Tensor kernel(Shape{static_cast<std::int64_t>(in), static_cast<std::int64_t>(out)});
  for (std::size_t o = 0; o < out; ++o) {
    for (std::size_t i = 0; i < in; ++i) kernel.data()[i * out + o] = layer.kernel[o * in + i];
  }
  weights.set(name + "/kernel", std::move(kernel));
  weights.set(name + "/bias", Tensor(Shape{static_cast<std::int64_t>(out)}, layer.bias));
}

}  // namespace

Network head_network(const HeadLayers<float>& layers, const HeadNetworkSpec& spec) {
  GraphBuilder builder(Shape{static_cast<std::int64_t>(layers.front().shape.in)});
  Network head;
  const auto add_dense = [&](const char* name, ValueId x, const DenseParameters<float>& layer) {
    set_parameters(head.weights, name, layer);
    return builder.dense(name, x, static_cast<std::int64_t>(layer.shape.out));
  };
  ValueId x = builder.input();
  if (layers.size() == 2) {
    x = add_dense("head_hidden", x, layers.front());
    x = builder.apply(Op::kRelu, "head_hidden_relu", x);
  }
  x = builder.dropout("head_dropout", x, spec.dropout);
  const bool one_logit = layers.back().shape.out == 1;
  x = add_dense("head_dense", x, one_logit ? with_zero_logit(layers.back()) : layers.back());
  const bool one_against_rest = spec.loss == LossKind::kSigmoid && !one_logit;
  x = builder.apply(one_against_rest ? Op::kSigmoid : Op::kSoftmax, "head_probabilities", x);
  head.graph = builder.finish(x);
  return head;
}

}  // namespace engraft
