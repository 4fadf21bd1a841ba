#include "engraft/train/head_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engraft/base/error.h"
#include "engraft/base/rng.h"
#include "engraft/train/loss.h"

namespace engraft::head_network_test {

using testing::ElementsAre;

HeadLayers<float> random_layers(const std::vector<DenseShape>& shapes) {
  Rng rng(4);
  HeadLayers<float> layers;
  for (const DenseShape& shape : shapes) {
    layers.emplace_back(shape);
    for (float& w : layers.back().kernel) w = rng.normal();
    for (float& b : layers.back().bias) b = rng.normal();
  }
  return layers;
}

std::vector<std::string> names_of(const Network& head) {
  std::vector<std::string> names;
  for (const Node& node : head.graph.nodes()) names.push_back(node.name);
  return names;
}

TEST(HeadNetwork, LinearIsDropoutDenseProbabilities) {
  const Network head = head_network(random_layers({{.in = 6, .out = 3}}), {.dropout = 0.25f});
  EXPECT_THAT(names_of(head), ElementsAre("head_dropout", "head_dense", "head_probabilities"));
  EXPECT_EQ(head.graph.nodes()[0].attributes.rate, 0.25f);
  EXPECT_EQ(head.graph.nodes()[2].op, Op::kSoftmax);
  EXPECT_EQ(head.graph.shape(head.graph.input()), Shape{6});
  EXPECT_EQ(head.graph.shape(head.graph.output()), Shape{3});
  EXPECT_EQ(head.graph.name(head.graph.output()), "head_probabilities");
}

TEST(HeadNetwork, MlpHasAHiddenLayerBeforeTheDropout) {
  const Network head = head_network(random_layers({{.in = 6, .out = 4}, {.in = 4, .out = 3}}), {});
  EXPECT_THAT(names_of(head), ElementsAre("head_hidden", "head_hidden_relu", "head_dropout",
                                          "head_dense", "head_probabilities"));
}

TEST(HeadNetwork, NamesTheParametersThatItsWeightsHave) {
  const Network head = head_network(random_layers({{.in = 6, .out = 4}, {.in = 4, .out = 3}}), {});
  EXPECT_NO_THROW(check_weights(head.graph, head.weights));
  EXPECT_EQ(head.weights.at("head_hidden/kernel").shape(), (Shape{6, 4}));
  EXPECT_EQ(head.weights.at("head_dense/bias").shape(), Shape{3});
}

TEST(HeadNetwork, TurnsKernelsRound) {
  const auto layers = random_layers({{.in = 5, .out = 2}});
  const Network head = head_network(layers, {});
  const Tensor& kernel = head.weights.at("head_dense/kernel");
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t o = 0; o < 2; ++o) {
      EXPECT_EQ(kernel.data()[i * 2 + o], layers[0].kernel[o * 5 + i]);
    }
  }
}

TEST(HeadNetwork, ASingleLogitBecomesTheProbabilitiesOfTwoClasses) {
  const auto layers = random_layers({{.in = 5, .out = 1}});
  const Network head = head_network(layers, {.loss = LossKind::kSigmoid});
  EXPECT_EQ(head.graph.nodes().back().op, Op::kSoftmax);
  Tensor x(Shape{3, 5});
  Rng rng(6);
  for (float& value : x.values()) value = rng.normal();
  const Tensor p = apply_head(head, x);
  for (std::int64_t i = 0; i < 3; ++i) {
    std::vector<float> z(1);
    dense::forward<float>(layers[0], x.row(i), z);
    EXPECT_NEAR(p.row(i)[1], loss::sigmoid(z[0]), 1e-6);
    EXPECT_NEAR(p.row(i)[0], 1 - loss::sigmoid(z[0]), 1e-6);
  }
}

TEST(HeadNetwork, OneAgainstTheRestEndsInSigmoids) {
  const auto layers = random_layers({{.in = 5, .out = 3}});
  const Network head = head_network(layers, {.loss = LossKind::kSigmoid});
  EXPECT_EQ(head.graph.nodes().back().op, Op::kSigmoid);
}

TEST(ApplyHead, ReckonsDenseReluSoftmax) {
  HeadLayers<float> layers = random_layers({{.in = 1, .out = 2}, {.in = 2, .out = 2}});
  layers[0].kernel = {1, -1};
  layers[0].bias = {0, 0.5f};
  layers[1].kernel = {2, 0, 0, 1};
  layers[1].bias = {0, 0};
  const Network head = head_network(layers, {.dropout = 0.5f});
  const Tensor p = apply_head(head, Tensor(Shape{2, 1}, std::vector<float>{1, -2}));
  // x = 1: hidden (1, 0), logits (2, 0).  x = -2: hidden (0, 2.5), logits (0, 2.5).
  EXPECT_NEAR(p.row(0)[0], 1 / (1 + std::exp(-2.0)), 1e-6);
  EXPECT_NEAR(p.row(1)[1], 1 / (1 + std::exp(-2.5)), 1e-6);
}

TEST(ApplyHead, OfNoRowsGivesNone) {
  const Network head = head_network(random_layers({{.in = 6, .out = 3}}), {});
  EXPECT_EQ(apply_head(head, Tensor(Shape{0, 6})).shape(), (Shape{0, 3}));
}

ErrorKind kind_of_error(const Network& head, const Tensor& features) {
  try {
    (void)apply_head(head, features);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kInternal;
}

TEST(ApplyHead, RefusesFeaturesOfAnotherSize) {
  const Network head = head_network(random_layers({{.in = 6, .out = 3}}), {});
  EXPECT_EQ(kind_of_error(head, Tensor(Shape{2, 7})), ErrorKind::kBadInput);
  EXPECT_EQ(kind_of_error(head, Tensor(Shape{6})), ErrorKind::kUsage);
}

TEST(ApplyHead, RefusesOperatorsThatNoHeadHas) {
  Network head{Graph(Shape{6}), {}};
  Node node{.op = Op::kRelu6, .name = "odd", .inputs = {0}, .parameters = {}, .attributes = {}};
  head.graph.set_output(head.graph.append(std::move(node), Shape{6}));
  EXPECT_EQ(kind_of_error(head, Tensor(Shape{1, 6})), ErrorKind::kUnsupported);
}

}  // namespace engraft::head_network_test
