#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "engraft/graph/graph.h"
#include "engraft/graph/weights.h"

namespace engraft::test {

/// Runs a graph on one picture in double, straight from the definitions: slow, and with nothing in
/// common with the engine.
class Interpreter {
 public:
  using Values = std::vector<double>;

  Interpreter(const Graph& graph, const Weights& weights) : graph_(graph), weights_(weights) {}

  [[nodiscard]] Values run(const Values& input) {
    values_.assign(static_cast<std::size_t>(graph_.value_count()), {});
    values_[0] = input;
    for (const Node& node : graph_.nodes()) value(node.output) = apply(node);
    return value(graph_.output());
  }

 private:
  Values& value(ValueId id) { return values_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] std::span<const float> parameter(const Node& node, std::size_t i) const {
    return weights_.at(node.parameters[i]).values();
  }

  Values apply(const Node& node) {
    Values x = value(node.inputs[0]);
    switch (node.op) {
      case Op::kConv:
      case Op::kDepthwiseConv:
        return convolve(node, x);
      case Op::kDense:
        return dense(node, x);
      case Op::kGlobalAveragePool:
        return pool(node, x);
      case Op::kBatchNorm: {
        const auto g = parameter(node, 0), b = parameter(node, 1), m = parameter(node, 2),
                   v = parameter(node, 3);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const std::size_t c = i % g.size();
          x[i] = (x[i] - m[c]) / std::sqrt(v[c] + double{node.attributes.epsilon}) * g[c] + b[c];
        }
        return x;
      }
      case Op::kAdd:
        for (std::size_t i = 0; i < x.size(); ++i) x[i] += value(node.inputs[1])[i];
        return x;
      case Op::kRelu:
        for (double& e : x) e = std::max(e, 0.0);
        return x;
      case Op::kRelu6:
        for (double& e : x) e = std::clamp(e, 0.0, 6.0);
        return x;
      case Op::kSigmoid:
        for (double& e : x) e = 1 / (1 + std::exp(-e));
        return x;
      case Op::kHardSigmoid:
        for (double& e : x) e = std::clamp(e + 3, 0.0, 6.0) / 6;
        return x;
      case Op::kHardSwish:
        for (double& e : x) e *= std::clamp(e + 3, 0.0, 6.0) / 6;
        return x;
      case Op::kMultiply: {
        const Values& by = value(node.inputs[1]);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] *= by[i % by.size()];
        return x;
      }
      case Op::kSoftmax: {
        double sum = 0;
        for (double& e : x) sum += e = std::exp(e);
        for (double& e : x) e /= sum;
        return x;
      }
      case Op::kDropout:
        return x;
    }
    return x;
  }

  [[nodiscard]] Values convolve(const Node& node, const Values& x) const {
    const Shape& in = graph_.shape(node.inputs[0]);
    const Shape& out = graph_.shape(node.output);
    const Attributes& a = node.attributes;
    const bool depthwise = node.op == Op::kDepthwiseConv;
    const auto w = parameter(node, 0);
    Values y(static_cast<std::size_t>(out.elements()));
    std::size_t at = 0;
    for (std::int64_t i = 0; i < out[0]; ++i)
      for (std::int64_t j = 0; j < out[1]; ++j)
        for (std::int64_t o = 0; o < out[2]; ++o, ++at) {
          if (node.parameters.size() > 1) y[at] = parameter(node, 1)[static_cast<std::size_t>(o)];
          for (std::int64_t u = 0; u < a.kernel; ++u)
            for (std::int64_t v = 0; v < a.kernel; ++v) {
              const std::int64_t r = i * a.stride + u - a.padding.top;
              const std::int64_t s = j * a.stride + v - a.padding.left;
              if (r < 0 || s < 0 || r >= in[0] || s >= in[1]) continue;
              const std::int64_t first = depthwise ? o : 0;
              const std::int64_t last = depthwise ? o + 1 : in[2];
              for (std::int64_t c = first; c < last; ++c) {
                const std::int64_t tap = u * a.kernel + v;
                const std::int64_t k = depthwise ? tap * in[2] + c : (tap * in[2] + c) * out[2] + o;
                y[at] += x[static_cast<std::size_t>((r * in[1] + s) * in[2] + c)] *
                         w[static_cast<std::size_t>(k)];
              }
            }
        }
    return y;
  }

  [[nodiscard]] Values dense(const Node& node, const Values& x) const {
    const auto w = parameter(node, 0);
    const std::size_t units = w.size() / x.size();
    Values y(units);
    for (std::size_t o = 0; o < units; ++o) {
      if (node.parameters.size() > 1) y[o] = parameter(node, 1)[o];
      for (std::size_t i = 0; i < x.size(); ++i) y[o] += x[i] * w[i * units + o];
    }
    return y;
  }

  [[nodiscard]] Values pool(const Node& node, const Values& x) const {
    const auto channels = static_cast<std::size_t>(graph_.shape(node.inputs[0])[2]);
    Values y(channels);
    for (std::size_t i = 0; i < x.size(); ++i) y[i % channels] += x[i];
    for (double& e : y) e /= static_cast<double>(x.size() / channels);
    return y;
  }

  const Graph& graph_;
  const Weights& weights_;
  std::vector<Values> values_;
};

}  // namespace engraft::test
