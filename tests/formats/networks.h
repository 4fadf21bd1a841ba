#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>

#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/surgery.h"
#include "support/random_weights.h"

namespace engraft::test {

inline Network with_random_weights(Graph graph, std::uint64_t seed = 1) {
  Weights weights = random_weights(graph, seed);
  return {std::move(graph), std::move(weights)};
}

inline Network random_mobilenet(const MobileNetV2Spec& spec, std::uint64_t seed = 1) {
  return with_random_weights(mobilenet_v2(spec), seed);
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/// Same names, shapes and bits.
inline void expect_same_weights(const Weights& a, const Weights& b) {
  ASSERT_EQ(a.all().size(), b.all().size());
  for (const auto& [name, tensor] : a.all()) {
    ASSERT_TRUE(b.contains(name)) << name;
    EXPECT_TRUE(same_bits(*tensor, b.at(name))) << name;
  }
}

inline void expect_same_network(const Network& a, const Network& b) {
  EXPECT_EQ(a.graph, b.graph);
  expect_same_weights(a.weights, b.weights);
}

}  // namespace engraft::test
