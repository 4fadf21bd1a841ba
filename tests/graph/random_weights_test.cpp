#include "engraft/graph/random_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/surgery.h"

namespace engraft::random_weights_test {

Graph small() {
  return mobilenet_v2({.width = 0.35f, .image_size = 96, .classes = 7});
}

double deviation(const Tensor& tensor) {
  double sum = 0;
  for (const float value : tensor.values()) sum += static_cast<double>(value) * value;
  return std::sqrt(sum / static_cast<double>(tensor.size()));
}

TEST(RandomWeights, FitTheGraph) {
  check_weights(small(), random_weights(small(), 0));
}

TEST(RandomWeights, AreAFunctionOfTheSeed) {
  const Graph graph = small();
  EXPECT_EQ(fingerprint(graph, random_weights(graph, 3)),
            fingerprint(graph, random_weights(graph, 3)));
  EXPECT_NE(fingerprint(graph, random_weights(graph, 3)),
            fingerprint(graph, random_weights(graph, 4)));
}

TEST(RandomWeights, KernelsHaveHeDeviation) {
  const Weights weights = random_weights(small(), 0);
  const Tensor& kernel = weights.at("Conv_1/kernel");  // [1,1,112,1280]
  EXPECT_NEAR(deviation(kernel), std::sqrt(2.0 / 112), 0.01 * std::sqrt(2.0 / 112));
}

TEST(RandomWeights, BatchNormBeginsAsTheIdentity) {
  const Weights weights = random_weights(small(), 0);
  for (const float value : weights.at("bn_Conv1/gamma").values()) EXPECT_EQ(value, 1);
  for (const float value : weights.at("bn_Conv1/moving_variance").values()) EXPECT_EQ(value, 1);
  for (const float value : weights.at("bn_Conv1/beta").values()) EXPECT_EQ(value, 0);
}

TEST(RandomWeights, DenseStaysWithinGlorotLimits) {
  const Weights weights = random_weights(small(), 0);
  const float limit = std::sqrt(6.0f / (1280 + 7));
  const auto values = weights.at("predictions/kernel").values();
  EXPECT_LE(std::ranges::max(values), limit);
  EXPECT_GE(std::ranges::min(values), -limit);
  EXPECT_GT(std::ranges::max(values), 0.99f * limit);
}

}  // namespace engraft::random_weights_test
