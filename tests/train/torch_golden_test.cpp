#include "support/torch_golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engraft/base/hash.h"
#include "engraft/engine/reference_run.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/train/loss.h"
#include "support/synthetic_network.h"

namespace engraft::torch_golden_test {

using test::TorchCase;

Graph graph_of(const TorchCase& c) {
  return mobilenet_v2({.width = c.width, .image_size = c.image_size, .classes = c.classes});
}

Tensor pictures_of(const TorchCase& c) {
  return test::synthetic_pictures({.count = c.pictures, .side = c.image_size, .seed = c.seed});
}

/// The mean loss of the case's batch, in double, by the plain formulas.
double reference_loss(const TorchCase& c) {
  const Graph graph = graph_of(c);
  const auto parameters =
      reference_parameters<double>(test::synthetic_weights(graph, c.beta_centre));
  const Tensor pictures = pictures_of(c);
  double sum = 0;
  for (int i = 0; i < c.pictures; ++i) {
    const auto row = pictures.row(i);
    const std::vector<double> x(row.begin(), row.end());
    const auto values = reference_run<double>(graph, parameters, x);
    const auto& z = values[static_cast<std::size_t>(graph.find(kLogitsValue))];
    std::vector<double> p(z.size()), dz(z.size());
    sum += loss::softmax_cross_entropy<double>(z, i % c.classes, c.label_smoothing, p, dz);
  }
  return sum / c.pictures;
}

std::string digest_of_inputs(const TorchCase& c) {
  Sha256 hash;
  const Weights weights = test::synthetic_weights(graph_of(c), c.beta_centre);
  for (const auto& [name, tensor] : weights.all()) {
    hash.update(std::as_bytes(tensor->values()));
  }
  const Tensor pictures = pictures_of(c);
  hash.update(std::as_bytes(pictures.values()));
  return hash.finish().hex();
}

TEST(TorchGolden, SyntheticWeightsAndPicturesAreThoseOfTheScriptBitForBit) {
  for (const char* name : {"synthetic_frozen", "synthetic_trainable"}) {
    const TorchCase c = test::torch_case(name);
    EXPECT_EQ(digest_of_inputs(c), c.sha256) << name;
  }
}

TEST(TorchGolden, TheDoubleReferenceHasTheSameFirstLoss) {
  const TorchCase c = test::torch_case("synthetic_frozen");
  // Both are float64 on the same float32 values; the golden has 16 digits.
  EXPECT_NEAR(reference_loss(c), c.losses.at(0), 1e-12 * c.losses.at(0));
}

TEST(TorchGolden, HasASummaryForEveryTrainedParameter) {
  for (const char* name : {"synthetic_frozen", "synthetic_trainable", "real_frozen"}) {
    const TorchCase c = test::torch_case(name);
    EXPECT_EQ(c.losses.size(), 10u) << name;
    std::size_t trained = 0, moving = 0;
    for (const auto& [parameter, shape] : parameter_shapes(graph_of(c))) {
      const bool is_moving = parameter.find("/moving_") != std::string::npos;
      ++(is_moving ? moving : trained);
      const auto& summaries = is_moving ? c.moving : c.gradients;
      if (is_moving && c.frozen()) continue;
      ASSERT_TRUE(summaries.contains(parameter)) << name << ": " << parameter;
      const auto elements = static_cast<std::size_t>(shape.elements());
      EXPECT_EQ(summaries.at(parameter).first.size(), std::min<std::size_t>(4, elements));
      EXPECT_EQ(summaries.at(parameter).last.size(), std::min<std::size_t>(2, elements));
    }
    EXPECT_EQ(c.gradients.size(), trained) << name;
    EXPECT_EQ(c.moving.size(), c.frozen() ? 0u : moving) << name;
  }
}

TEST(TorchGolden, ASummarySeesASmallError) {
  std::vector<double> values(1000);
  const test::SyntheticStream stream("values");
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = stream.uniform(i);
  const auto exact = test::summary_of<double>("layer/kernel", values);
  EXPECT_NEAR(exact.norm, std::sqrt(1000.0 / 3), 1);

  // One value in the middle, wrong by a thousandth of the norm, moves every product.
  values[500] += 1e-3 * exact.norm;
  const auto wrong = test::summary_of<double>("layer/kernel", values);
  EXPECT_NEAR(wrong.sum - exact.sum, 1e-3 * exact.norm, 1e-12);
  for (std::size_t j = 0; j < 3; ++j) {
    EXPECT_NEAR(std::fabs(wrong.products[j] - exact.products[j]), 1e-3 * exact.norm, 1e-12);
  }
}

}  // namespace engraft::torch_golden_test
