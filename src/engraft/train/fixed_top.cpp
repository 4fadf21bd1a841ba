#include "engraft/train/fixed_top.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"
#include "engraft/kernels/gate.h"
#include "engraft/kernels/pointwise.h"
#include "engraft/train/loss.h"

namespace engraft {
namespace {

Pointwise product_of(std::size_t in, std::size_t out) {
  return {.in = static_cast<std::int64_t>(in), .out = static_cast<std::int64_t>(out)};
}

Tensor packed(const Pointwise& product, const float* w, const float* b) {
  Tensor result(Shape{static_cast<std::int64_t>(packed_size(product))});
  pack(product, w, b, result.data());
  return result;
}

Tensor transposed(const Tensor& matrix) {
  const auto rows = matrix.shape()[0], columns = matrix.shape()[1];
  Tensor result(Shape{columns, rows});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      result.data()[c * rows + r] = matrix.data()[r * columns + c];
    }
  }
  return result;
}

/// y = x·W + b, a row at a time.
void multiply(const Pointwise& product, const Tensor& weights, std::span<const float> x,
              std::span<float> y) {
  pointwise(product, {.packed = weights.data(),
                      .x = x.data(),
                      .y = y.data(),
                      .pixels = static_cast<std::int64_t>(y.size()) / product.out,
                      .first_channel = 0,
                      .last_channel = product.out});
}

/// Rows of `width` values become what the activation makes of them.
void apply(TopActivation activation, std::size_t width, std::span<float> y) {
  switch (activation) {
    case TopActivation::kNone:
      return;
    case TopActivation::kRelu:
      for (float& value : y) value = value < 0 ? 0 : value;  // no number stays one
      return;
    case TopActivation::kRelu6:
      for (float& value : y) value = std::clamp(value, 0.0f, 6.0f);
      return;
    case TopActivation::kSigmoid:
      for (float& value : y) value = loss::sigmoid(value);
      return;
    case TopActivation::kSoftmax:
      for (std::size_t i = 0; i < y.size(); i += width) {
        const std::span<float> row = y.subspan(i, width);
        loss::softmax<float>(row, row);
      }
  }
}

/// d: the gradient by the activation's results y; becomes the one by what it was given.
///   sigmoid: d·y·(1-y)    softmax: y[k]·(d[k] - Σ_j d[j]·y[j])
void apply_gradient(TopActivation activation, std::size_t width, std::span<const float> y,
                    std::span<float> d) {
  switch (activation) {
    case TopActivation::kNone:
      return;
    case TopActivation::kRelu:
      return gate_gradient(Gate::kRelu, y, d);
    case TopActivation::kRelu6:
      return gate_gradient(Gate::kRelu6, y, d);
    case TopActivation::kSigmoid:
      for (std::size_t i = 0; i < d.size(); ++i) d[i] *= y[i] * (1 - y[i]);
      return;
    case TopActivation::kSoftmax:
      for (std::size_t i = 0; i < d.size(); i += width) {
        float mean = 0;
        for (std::size_t k = i; k < i + width; ++k) mean += d[k] * y[k];
        for (std::size_t k = i; k < i + width; ++k) d[k] = y[k] * (d[k] - mean);
      }
  }
}

}  // namespace

FixedTop::FixedTop(const ClassifierTop& top) {
  for (const TopLayer& given : top.layers) {
    Layer layer{.in = static_cast<std::size_t>(given.kernel.shape()[0]),
                .out = static_cast<std::size_t>(given.kernel.shape()[1]),
                .activation = given.activation,
                .forward = {},
                .backward = {}};
    if (!layers_.empty() && layers_.back().out != layer.in) {
      throw Error(ErrorKind::kUsage, fmt::format("a layer of {} inputs behind one of {} outputs",
                                                 layer.in, layers_.back().out));
    }
    layer.forward = packed(product_of(layer.in, layer.out), given.kernel.data(), given.bias.data());
    layer.backward =
        packed(product_of(layer.out, layer.in), transposed(given.kernel).data(), nullptr);
    layers_.push_back(std::move(layer));
  }
}

FixedTop::Outputs FixedTop::forward(std::span<const float> x) const {
  const std::size_t rows = x.size() / features();
  Outputs outputs;
  outputs.reserve(layers_.size());
  for (const Layer& layer : layers_) {
    std::vector<float> y(rows * layer.out);
    multiply(product_of(layer.in, layer.out), layer.forward, x, y);
    apply(layer.activation, layer.out, y);
    outputs.push_back(std::move(y));
    x = outputs.back();
  }
  return outputs;
}

void FixedTop::backward(const Outputs& outputs, std::span<float> dz, std::span<float> dx) const {
  std::vector<float> d_outputs;
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const Layer& layer = layers_[i];
    apply_gradient(layer.activation, layer.out, outputs[i], dz);
    std::vector<float> d_inputs(i > 0 ? outputs[i - 1].size() : 0);
    const std::span<float> to = i > 0 ? std::span(d_inputs) : dx;
    multiply(product_of(layer.out, layer.in), layer.backward, dz, to);
    d_outputs = std::move(d_inputs);
    dz = d_outputs;
  }
}

}  // namespace engraft
