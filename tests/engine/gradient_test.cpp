#include <gmock/gmock.h>

#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "gradient_harness.h"
#include "gradient_networks.h"

namespace engraft::gradient_test {

using test::expect_right_gradients;
using test::gradient_problem;
using test::GradientProblem;
using test::inverted_residual;

/// A parameter below the operator under test, so that its input gradient shows; x keeps its shape.
ValueId below(GraphBuilder& g) {
  const std::int64_t channels = g.graph().shape(g.input())[2];
  return g.conv("below", g.input(), {.channels = channels});
}

struct ConvolutionCase {
  int size, channels, kernel, stride, out;
};

class ConvolutionGradient : public testing::TestWithParam<ConvolutionCase> {};

TEST_P(ConvolutionGradient, IsTheComplexSteps) {
  const ConvolutionCase c = GetParam();
  GraphBuilder g({c.size, c.size, c.channels});
  const ValueId x =
      g.conv("conv", below(g), {.channels = c.out, .kernel = c.kernel, .stride = c.stride});
  expect_right_gradients(gradient_problem(g.finish(x), 3), 60);
}

TEST_P(ConvolutionGradient, OfADepthwiseOneToo) {
  const ConvolutionCase c = GetParam();
  GraphBuilder g({c.size, c.size, c.channels});
  const ValueId x = g.depthwise_conv("conv", below(g), {.kernel = c.kernel, .stride = c.stride});
  expect_right_gradients(gradient_problem(g.finish(x), 3), 60);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, ConvolutionGradient,
    testing::Values(ConvolutionCase{5, 3, 1, 1, 4}, ConvolutionCase{6, 16, 1, 1, 24},
                    ConvolutionCase{6, 4, 3, 1, 5}, ConvolutionCase{6, 4, 3, 2, 5},
                    ConvolutionCase{7, 3, 3, 2, 8}, ConvolutionCase{1, 17, 3, 1, 2},
                    ConvolutionCase{6, 5, 5, 2, 3}, ConvolutionCase{6, 3, 1, 2, 3}));

class ActivationGradient : public testing::TestWithParam<Op> {};

TEST_P(ActivationGradient, BehindAConvolution) {
  GraphBuilder g({4, 5, 6});
  const ValueId x = g.conv("conv", below(g), {.channels = 7});
  expect_right_gradients(gradient_problem(g.finish(g.apply(GetParam(), "activation", x)), 3));
}

TEST_P(ActivationGradient, BehindADepthwiseConvolution) {
  GraphBuilder g({4, 5, 6});
  const ValueId x = g.depthwise_conv("conv", below(g), {.kernel = 3});
  expect_right_gradients(gradient_problem(g.finish(g.apply(GetParam(), "activation", x)), 3));
}

TEST_P(ActivationGradient, BeforeADepthwiseConvolution) {
  GraphBuilder g({4, 5, 6});
  const ValueId x = g.apply(GetParam(), "activation", below(g));
  expect_right_gradients(
      gradient_problem(g.finish(g.depthwise_conv("conv", x, {.kernel = 3, .stride = 2})), 3));
}

TEST_P(ActivationGradient, OnTheInputOfTwoReaders) {
  GraphBuilder g({4, 5, 6});
  const ValueId x = g.apply(GetParam(), "activation", below(g));
  const ValueId y = g.depthwise_conv("depthwise", x, {.kernel = 3});
  const ValueId z = g.conv("conv", x, {.channels = 6, .kernel = 3});
  expect_right_gradients(gradient_problem(g.finish(g.add("add", y, z)), 3));
}

INSTANTIATE_TEST_SUITE_P(Every, ActivationGradient,
                         testing::Values(Op::kRelu, Op::kRelu6, Op::kSigmoid, Op::kHardSigmoid,
                                         Op::kHardSwish, Op::kSoftmax),
                         [](const auto& spec) { return std::string(name_of(spec.param)); });

TEST(Gradient, OfADenseLayerAndPooling) {
  GraphBuilder g({4, 5, 6});
  ValueId x = g.apply(Op::kGlobalAveragePool, "pool", below(g));
  x = g.apply(Op::kRelu, "relu", g.dense("hidden", x, 9));
  expect_right_gradients(gradient_problem(g.finish(g.dense("dense", x, 3)), 5));
}

TEST(Gradient, OfMultiplyingByAValueAChannel) {
  GraphBuilder g({4, 5, 6});
  const ValueId x = g.conv("conv", below(g), {.channels = 8});
  ValueId gate = g.apply(Op::kGlobalAveragePool, "pool", x);
  gate = g.apply(Op::kHardSigmoid, "gate", g.dense("dense", gate, 8));
  expect_right_gradients(gradient_problem(g.finish(g.multiply("multiply", x, gate)), 3));
}

TEST(Gradient, OfMultiplyingValueByValue) {
  GraphBuilder g({4, 5, 6});
  const ValueId x = below(g);
  const ValueId y = g.conv("conv", x, {.channels = 6});
  expect_right_gradients(gradient_problem(g.finish(g.multiply("multiply", x, y)), 3));
}

TEST(Gradient, OfAValueMultipliedByAndAddedToItself) {
  GraphBuilder g({3, 3, 4});
  const ValueId x = below(g);
  const ValueId y = g.add("twice", g.multiply("square", x, x), x);
  expect_right_gradients(gradient_problem(g.finish(g.add("again", y, y)), 3));
}

TEST(Gradient, OfOneParameterInTwoLayersIsTheirSum) {
  Graph graph(Shape{3, 3, 4});
  const Node conv{.op = Op::kConv, .name = "a", .inputs = {0}, .parameters = {"w"}};
  Node again = conv;
  const ValueId a = graph.append(conv, {3, 3, 4});
  again.name = "b";
  again.inputs = {a};
  graph.set_output(graph.append(again, {3, 3, 4}));
  GradientProblem problem{.graph = graph};
  problem.weights.set("w", Tensor(Shape{1, 1, 4, 4}, test::random_values(16, 3)));
  for (std::uint64_t i = 0; i < 3; ++i) {
    problem.pictures.push_back(test::random_values(36, i));
    problem.coefficients.push_back(test::random_values(36, 10 + i));
  }
  expect_right_gradients(problem);
}

TEST(Gradient, OfWhatTheOutputDoesNotNeedIsZero) {
  GraphBuilder g({3, 3, 4});
  const ValueId x = below(g);
  g.batch_norm("unused_bn", g.conv("unused", x, {.channels = 2}), 1e-3f);
  GradientProblem problem = gradient_problem(g.finish(g.apply(Op::kRelu, "relu", x)), 3);
  expect_right_gradients(problem);
  const test::GradientResult result = test::run_gradient(problem);
  for (const char* name : {"unused/kernel", "unused_bn/gamma", "unused_bn/beta"}) {
    EXPECT_THAT(result.parameters.of(std::span<const float>(result.gradient), name),
                testing::Each(0.0f));
  }
}

TEST(Gradient, OfAnOutputThatOthersRead) {
  GraphBuilder g({3, 3, 4});
  const ValueId x = g.apply(Op::kRelu6, "relu", g.conv("conv", below(g), {.channels = 4}));
  g.depthwise_conv("unused", x, {.kernel = 3});
  expect_right_gradients(gradient_problem(g.finish(x), 3));
}

TEST(Gradient, OfChainsAndTreesOfAdditions) {
  GraphBuilder g({3, 3, 4});
  const ValueId x = below(g);
  const ValueId a = g.conv("a", x, {.channels = 4});
  const ValueId b = g.depthwise_conv("b", x, {.kernel = 3});
  const ValueId c = g.apply(Op::kHardSwish, "c", a);
  ValueId sum = g.add("ab", a, b);
  sum = g.add("abc", sum, c);
  sum = g.add("abca", sum, a);
  sum = g.add("picture", sum, g.input());
  sum = g.add("tree", sum, g.add("bc", b, c));
  expect_right_gradients(gradient_problem(g.finish(g.add("twice", sum, sum)), 3));
}

/// A value behind a fused activation as either operand of an addition, alone or read again.
TEST(Gradient, OfAdditionsOfFusedActivations) {
  for (const bool again : {false, true}) {
    for (const bool first : {false, true}) {
      GraphBuilder g({3, 3, 4});
      const ValueId x = below(g);
      const ValueId a = g.apply(Op::kRelu, "relu", g.conv("a", x, {.channels = 4}));
      const ValueId b = g.conv("b", again ? a : x, {.channels = 4});
      const ValueId sum = first ? g.add("sum", a, b) : g.add("sum", b, a);
      expect_right_gradients(gradient_problem(g.finish(sum), 3));
    }
  }
}

class BatchNormGradient : public testing::TestWithParam<BatchNormMode> {
 protected:
  static void check(Graph graph, std::size_t samples = 1000) {
    GradientProblem problem = gradient_problem(std::move(graph), 3);
    problem.mode = GetParam();
    expect_right_gradients(problem, samples);
  }
};

TEST_P(BatchNormGradient, BehindAConvolution) {
  GraphBuilder g({4, 5, 6});
  check(g.finish(g.batch_norm("bn", g.conv("conv", below(g), {.channels = 7}), 1e-3f)));
}

TEST_P(BatchNormGradient, BehindAConvolutionAndBeforeRelu6) {
  GraphBuilder g({4, 5, 6});
  const ValueId x = g.batch_norm("bn", g.conv("conv", below(g), {.channels = 7}), 1e-3f);
  check(g.finish(g.apply(Op::kRelu6, "relu", x)));
}

TEST_P(BatchNormGradient, OfAValueWithTwoReaders) {
  GraphBuilder g({4, 5, 6});
  const ValueId x = below(g);
  const ValueId y = g.apply(Op::kRelu, "relu", g.batch_norm("bn", x, 1e-3f));
  check(g.finish(g.add("add", y, x)));
}

TEST_P(BatchNormGradient, BehindADenseLayerWithABias) {
  GraphBuilder g({4, 5, 6});
  const ValueId x = g.apply(Op::kGlobalAveragePool, "pool", below(g));
  check(g.finish(g.batch_norm("bn", g.dense("dense", x, 5), 1e-3f)));
}

TEST_P(BatchNormGradient, OfInvertedResidualsOneAfterTheOther) {
  GraphBuilder g({6, 6, 4});
  ValueId x = inverted_residual(g, "a", below(g), 1);
  x = inverted_residual(g, "b", x, 1);
  x = inverted_residual(g, "c", x, 2);
  x = inverted_residual(g, "d", x, 1);
  x = g.apply(Op::kGlobalAveragePool, "pool", x);
  check(g.finish(g.dense("dense", x, 3)), 40);
}

TEST_P(BatchNormGradient, OnTheInputBehindAnotherAndAsTheOutput) {
  GraphBuilder g({3, 4, 5});
  const ValueId x = g.batch_norm("bn1", g.input(), 1e-3f);
  const ValueId y = g.apply(Op::kRelu, "relu", g.batch_norm("bn2", x, 1e-3f));
  check(g.finish(g.batch_norm("bn3", g.conv("conv", y, {.channels = 4}), 1e-3f)));
}

TEST_P(BatchNormGradient, OfAnAdditionOfTwoBranchesWithNormsOfTheirOwn) {
  GraphBuilder g({4, 4, 4});
  const ValueId x = g.batch_norm("bn", below(g), 1e-3f);
  const ValueId y = g.batch_norm("bn1", g.conv("conv1", x, {.channels = 4, .kernel = 3}), 1e-3f);
  const ValueId z = g.batch_norm("bn2", g.depthwise_conv("conv2", x, {.kernel = 3}), 1e-3f);
  check(g.finish(g.apply(Op::kRelu6, "relu", g.add("add", y, z))));
}

TEST_P(BatchNormGradient, OfAConvolutionWithABias) {
  GraphBuilder g({4, 4, 4});
  const ValueId x = g.conv("conv", below(g), {.channels = 5, .kernel = 3, .bias = Bias::kAdded});
  ValueId y = g.batch_norm("bn", x, 1e-3f);
  y = g.depthwise_conv("depthwise", y, {.kernel = 3, .bias = Bias::kAdded});
  check(g.finish(g.batch_norm("bn2", y, 1e-3f)));
}

TEST_P(BatchNormGradient, OfAnInvertedResidualOnTheInput) {
  GraphBuilder g({6, 6, 4});
  check(g.finish(inverted_residual(g, "a", g.input(), 1)), 40);
}

INSTANTIATE_TEST_SUITE_P(Modes, BatchNormGradient,
                         testing::Values(BatchNormMode::kFrozen, BatchNormMode::kTrainable),
                         [](const auto& spec) {
                           return spec.param == BatchNormMode::kFrozen ? "Frozen" : "Trainable";
                         });

}  // namespace engraft::gradient_test
