#include "engraft/train/head_network.h"

#include <string>

namespace engraft {
namespace {

/// A single logit as the second of two, the first being 0.
DenseParameters<float> with_zero_logit(const DenseParameters<float>& layer) {
  DenseParameters<float> two(DenseShape{.in = layer.shape.in, .out = 2});
  std::copy(layer.kernel.begin(), layer.kernel.end(),
            two.kernel.begin() + static_cast<std::ptrdiff_t>(layer.shape.in));
  two.bias[1] = layer.bias[0];
  return two;
}

/// Appends one node after another.
class HeadBuilder {
 public:
  explicit HeadBuilder(std::size_t features)
      : network_{Graph(Shape{static_cast<std::int64_t>(features)}), {}} {}

  void add(Op op, const std::string& name, const Attributes& attributes = {}) {
    append({.op = op, .name = name, .inputs = {}, .parameters = {}, .attributes = attributes},
           network_.graph.shape(last_));
  }

  /// kernel [out,in] becomes the graph's [in,out].
  void add_dense(const std::string& name, const DenseParameters<float>& layer) {
    const auto [in, out] = layer.shape;
    Tensor kernel(Shape{static_cast<std::int64_t>(in), static_cast<std::int64_t>(out)});
    for (std::size_t o = 0; o < out; ++o) {
      for (std::size_t i = 0; i < in; ++i) kernel.data()[i * out + o] = layer.kernel[o * in + i];
    }
    const Shape shape{static_cast<std::int64_t>(out)};
    network_.weights.set(name + "/kernel", std::move(kernel));
    network_.weights.set(name + "/bias", Tensor(shape, layer.bias));
    append({.op = Op::kDense,
            .name = name,
            .inputs = {},
            .parameters = {name + "/kernel", name + "/bias"},
            .attributes = {}},
           shape);
  }

  Network finish() {
    network_.graph.set_output(last_);
    return std::move(network_);
  }

 private:
  void append(Node node, const Shape& shape) {
    node.inputs = {last_};
    last_ = network_.graph.append(std::move(node), shape);
  }

  Network network_;
  ValueId last_ = 0;
};

}  // namespace

Network head_network(const HeadLayers<float>& layers, const HeadNetworkSpec& spec) {
  HeadBuilder builder(layers.front().shape.in);
  if (layers.size() == 2) {
    builder.add_dense("head_hidden", layers.front());
    builder.add(Op::kRelu, "head_hidden_relu");
  }
  builder.add(Op::kDropout, "head_dropout", {.rate = spec.dropout});
  const bool one_logit = layers.back().shape.out == 1;
  builder.add_dense("head_dense", one_logit ? with_zero_logit(layers.back()) : layers.back());
  const bool one_against_rest = spec.loss == LossKind::kSigmoid && !one_logit;
  builder.add(one_against_rest ? Op::kSigmoid : Op::kSoftmax, "head_probabilities");
  return builder.finish();
}

}  // namespace engraft
