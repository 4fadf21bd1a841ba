#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "../support/random_weights.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/model/model.h"

namespace engraft::test {

inline constexpr int kSmallSize = 32;

/// MobileNetV2 0.35 at 32 × 32 with random weights; no classes: no top.
inline Model small_model(const std::vector<std::string>& labels, std::uint64_t seed = 1) {
  Model model;
  model.network.graph = mobilenet_v2(
      {.width = 0.35f, .image_size = kSmallSize, .classes = static_cast<int>(labels.size())});
  model.network.weights = random_weights(model.network.graph, seed);
  model.preprocessing.width = model.preprocessing.height = kSmallSize;
  model.labels = labels;
  model.provenance = {{"source", "random numbers"}};
  return model;
}

/// Bit for bit: NaN equals itself, 0 and -0 differ.
inline bool same_bits(const Weights& a, const Weights& b) {
  if (a.all().size() != b.all().size()) return false;
  for (const auto& [name, tensor] : a.all()) {
    if (!b.contains(name) || b.at(name).shape() != tensor->shape()) return false;
    if (std::memcmp(b.at(name).data(), tensor->data(), tensor->size() * sizeof(float)) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace engraft::test
