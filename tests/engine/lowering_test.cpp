#include "engraft/engine/lowering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/surgery.h"
#include "support/random_weights.h"

namespace engraft::lowering_test {

using ::testing::ElementsAre;

std::vector<std::string> names(const StepList& list) {
  std::vector<std::string> result;
  for (const Step& step : list.steps) result.push_back(step.name);
  return result;
}

TEST(Lowering, ActivationJoinsTheStepWhoseResultItAloneReads) {
  GraphBuilder g({8, 8, 3});
  const ValueId c = g.conv("conv", g.input(), {.channels = 4, .bias = Bias::kAdded});
  const ValueId r = g.apply(Op::kRelu6, "relu", c);
  const StepList list = lower(g.finish(r));
  ASSERT_THAT(names(list), ElementsAre("conv"));
  EXPECT_EQ(list.steps[0].activation, Op::kRelu6);
  EXPECT_EQ(list.steps[0].output, r);
  EXPECT_EQ(list.output, r);
}

TEST(Lowering, ActivationStaysApartWhereSomethingElseReadsWhatItReads) {
  GraphBuilder g({8, 8, 3});
  const ValueId c = g.conv("conv", g.input(), {.channels = 4});
  const ValueId r = g.apply(Op::kRelu, "relu", c);
  const StepList list = lower(g.finish(g.add("add", c, r)));
  EXPECT_FALSE(list.steps[0].activation);
  EXPECT_EQ(list.steps[1].name, "relu");
}

TEST(Lowering, SecondActivationIsAStepOfItsOwn) {
  GraphBuilder g({4});
  const ValueId d = g.dense("dense", g.input(), 3);
  const ValueId r = g.apply(Op::kRelu, "relu", d);
  EXPECT_THAT(names(lower(g.finish(g.apply(Op::kSigmoid, "sigmoid", r)))),
              ElementsAre("dense", "sigmoid"));
}

TEST(Lowering, ResidualIsAddedInPlaceByTheConvolution) {
  GraphBuilder g({8, 8, 3});
  const ValueId x = g.conv("first", g.input(), {.channels = 4});
  const ValueId y = g.conv("middle", x, {.channels = 8});
  const ValueId z = g.conv("last", y, {.channels = 4});
  const ValueId sum = g.add("add", x, z);
  const StepList list = lower(g.finish(g.apply(Op::kRelu, "relu", sum)));
  ASSERT_THAT(names(list), ElementsAre("first", "middle", "last"));
  EXPECT_EQ(list.steps[2].addend, x);
  EXPECT_TRUE(list.steps[2].in_place());
  EXPECT_EQ(list.steps[2].activation, Op::kRelu);
}

TEST(Lowering, ResidualNeededLaterIsNotOverwritten) {
  GraphBuilder g({8, 8, 3});
  const ValueId x = g.conv("first", g.input(), {.channels = 4});
  const ValueId y = g.conv("middle", x, {.channels = 8});
  const ValueId z = g.conv("last", y, {.channels = 4});
  const ValueId sum = g.add("add", x, z);
  const StepList list = lower(g.finish(g.add("again", sum, x)));
  EXPECT_THAT(names(list), ElementsAre("first", "middle", "last", "add", "again"));
  for (const Step& step : list.steps) EXPECT_FALSE(step.in_place());
}

TEST(Lowering, TheInputIsNeverOverwritten) {
  GraphBuilder g({8, 8, 4});
  const ValueId y = g.conv("conv", g.conv("wide", g.input(), {.channels = 8}), {.channels = 4});
  const StepList list = lower(g.finish(g.add("add", g.input(), y)));
  EXPECT_THAT(names(list), ElementsAre("wide", "conv", "add"));
}

TEST(Lowering, ConvolutionDoesNotOverwriteWhatItReads) {
  GraphBuilder g({8, 8, 4});
  const ValueId x = g.conv("first", g.input(), {.channels = 4});
  const StepList list = lower(g.finish(g.add("add", x, g.conv("second", x, {.channels = 4}))));
  EXPECT_THAT(names(list), ElementsAre("first", "second", "add"));
}

TEST(Lowering, AdditionDoesNotMoveAConvolutionBehindTheLossOfItsInput) {
  GraphBuilder g({8, 8, 4});
  const ValueId x = g.conv("x", g.input(), {.channels = 4});
  const ValueId a = g.conv("a", g.conv("wide", x, {.channels = 8}), {.channels = 4});
  const ValueId b = g.conv("b", x, {.channels = 4});
  const ValueId first = g.add("first", x, a);  // takes over x's memory
  const StepList list = lower(g.finish(g.add("second", first, b)));
  std::size_t overwritten = list.steps.size();
  for (std::size_t i = 0; i < list.steps.size(); ++i) {
    if (list.steps[i].in_place() && list.steps[i].addend == x) overwritten = i;
  }
  for (std::size_t i = overwritten + 1; i < list.steps.size(); ++i) {
    EXPECT_NE(list.steps[i].input, x) << list.steps[i].name;
  }
}

TEST(Lowering, GatedBlockFusesItsActivationsAndKeepsWhatTheGateIsFor) {
  GraphBuilder g({8, 8, 3});
  const ValueId conv = g.conv("conv", g.input(), {.channels = 4});
  const ValueId x = g.apply(Op::kHardSwish, "swish", conv);
  const ValueId squeezed = g.dense("dense", g.apply(Op::kGlobalAveragePool, "pool", x), 4);
  const ValueId gate = g.apply(Op::kHardSigmoid, "gate", squeezed);
  const ValueId gated = g.multiply("multiply", x, gate);
  const StepList list = lower(g.finish(g.apply(Op::kRelu, "relu", gated)));
  ASSERT_THAT(names(list), ElementsAre("conv", "pool", "dense", "multiply"));
  EXPECT_EQ(list.steps[0].activation, Op::kHardSwish);
  EXPECT_EQ(list.steps[2].activation, Op::kHardSigmoid);
  EXPECT_EQ(list.steps[3].input, x);
  EXPECT_EQ(list.steps[3].addend, gate);
  EXPECT_FALSE(list.steps[3].in_place());
  EXPECT_EQ(list.steps[3].activation, Op::kRelu);
}

TEST(Lowering, ResidualThatAGateStillNeedsIsNotOverwritten) {
  GraphBuilder g({8, 8, 3});
  const ValueId x = g.conv("first", g.input(), {.channels = 4});
  const ValueId y = g.conv("second", x, {.channels = 4});
  const ValueId sum = g.add("add", x, y);
  const StepList list = lower(g.finish(g.multiply("multiply", sum, x)));
  EXPECT_THAT(names(list), ElementsAre("first", "second", "add", "multiply"));
}

TEST(Lowering, DropoutIsNothingAndDeadNodesAreLeftOut) {
  GraphBuilder g({4});
  const ValueId d = g.dropout("drop", g.input(), 0.5f);
  static_cast<void>(g.dense("unused", d, 7));
  const ValueId y = g.dense("used", d, 3);
  const StepList list = lower(g.finish(g.dropout("drop_again", y, 0.1f)));
  ASSERT_THAT(names(list), ElementsAre("used"));
  EXPECT_EQ(list.steps[0].input, 0);
  EXPECT_EQ(list.output, y);
}

TEST(Lowering, MobileNetV2BecomesOneStepForEachConvolution) {
  const Graph graph = mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = 10});
  const Network folded = fold_batch_norm({graph, test::random_weights(graph)});
  const StepList list = lower(folded.graph);
  EXPECT_EQ(list.steps.size(), 52u + 3u);  // and pooling, dense, softmax
  int in_place = 0;
  for (const Step& step : list.steps) in_place += step.in_place() ? 1 : 0;
  EXPECT_EQ(in_place, 10);
}

}  // namespace engraft::lowering_test
