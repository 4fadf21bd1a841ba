#pragma once

#include <cmath>

#include "engraft/engine/reference_run.h"
#include "engraft/engine/training/layer.h"

namespace engraft {

/// Every value of a graph for every picture of a batch, [picture][value], as reference_run() works
/// them out. In kTrainable mode batch norm takes mean and (biased) variance of its input over all
/// pictures and pixels instead of the moving ones. The oracle of back-propagation: with
/// std::complex<double> its imaginary parts are derivatives.
template <typename T>
[[nodiscard]] std::vector<std::vector<std::vector<T>>> reference_batch(
    const Graph& graph, const ReferenceParameters<T>& parameters,
    const std::vector<std::vector<T>>& pictures, BatchNormMode mode) {
  std::vector<std::vector<std::vector<T>>> values(pictures.size());
  for (std::size_t p = 0; p < pictures.size(); ++p) {
    values[p].resize(static_cast<std::size_t>(graph.value_count()));
    values[p][static_cast<std::size_t>(graph.input())] = pictures[p];
  }
  for (const Node& node : graph.nodes()) {
    ReferenceParameters<T> own;
    for (const std::string& name : node.parameters) own.emplace(name, parameters.at(name));
    if (node.op == Op::kBatchNorm && mode == BatchNormMode::kTrainable) {
      auto& mean = own.at(node.parameters[2]);
      auto& variance = own.at(node.parameters[3]);
      const auto x = static_cast<std::size_t>(node.inputs[0]);
      const T n(static_cast<double>(values[0][x].size() / mean.size() * values.size()));
      for (std::size_t c = 0; c < mean.size(); ++c) {
        T sum(0), squares(0);
        const auto each = [&](const auto& take) {
          for (const auto& picture : values) {
            for (std::size_t i = c; i < picture[x].size(); i += mean.size()) take(picture[x][i]);
          }
        };
        each([&](const T& value) { sum += value; });
        mean[c] = sum / n;
        each([&](const T& value) { squares += (value - mean[c]) * (value - mean[c]); });
        variance[c] = squares / n;
      }
    }
    for (auto& picture : values) {
      picture[static_cast<std::size_t>(node.output)] =
          reference_detail::run_node(graph, node, own, picture);
    }
  }
  return values;
}

}  // namespace engraft
