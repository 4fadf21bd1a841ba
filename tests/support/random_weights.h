#pragma once

#include <cmath>
#include <string>

#include "engraft/base/rng.h"
#include "engraft/graph/shape_inference.h"
#include "engraft/graph/weights.h"

namespace engraft::test {

/// Every parameter of a graph, drawn so that activations neither die out nor blow up through many
/// layers: kernels normal with deviation √(2 / inputs), variances in [0.5, 1.5), the rest small.
inline Weights random_weights(const Graph& graph, std::uint64_t seed = 1) {
  Weights weights;
  std::uint64_t stream = 0;
  for (const auto& [name, shape] : parameter_shapes(graph)) {
    Rng rng(seed, ++stream);
    Tensor tensor(shape);
    const bool kernel = shape.rank() > 1;
    const bool around_one = name.ends_with("/gamma") || name.ends_with("/moving_variance");
    const double inputs =
        kernel ? static_cast<double>(shape.elements()) / static_cast<double>(shape[-1]) : 1;
    const float deviation = static_cast<float>(std::sqrt(2 / inputs));
    for (float& value : tensor.values()) {
      value = kernel ? rng.normal() * deviation : rng.uniform(-0.5f, 0.5f) + (around_one ? 1 : 0);
    }
    weights.set(name, std::move(tensor));
  }
  return weights;
}

}  // namespace engraft::test
