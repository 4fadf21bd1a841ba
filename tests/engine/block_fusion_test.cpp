#include "engraft/engine/block_fusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "block_networks.h"
#include "engraft/graph/mobilenet_v2.h"

namespace engraft::block_fusion_test {

using test::below;
using test::block;
using test::blocks_of;
using test::fused_steps;
using test::stem;
using test::steps_of;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr LowerFor kUses[] = {LowerFor::kInference, LowerFor::kTraining};

TEST(BlockFusion, MobileNetV2ForInferenceIsItsStemAndSixteenBlocksAndItsTop) {
  for (const float width : {0.35F, 0.5F, 1.0F, 1.4F}) {
    const Graph graph = mobilenet_v2({.width = width});
    EXPECT_THAT(
        steps_of(fused_steps(graph, LowerFor::kInference)),
        ElementsAre("Conv1", "block_1_expand", "block_2_expand", "block_3_expand", "block_4_expand",
                    "block_5_expand", "block_6_expand", "block_7_expand", "block_8_expand",
                    "block_9_expand", "block_10_expand", "block_11_expand", "block_12_expand",
                    "block_13_expand", "block_14_expand", "block_15_expand", "block_16_expand",
                    "Conv_1", "global_average_pooling2d", "predictions", "predictions_softmax"))
        << width;
  }
}

TEST(BlockFusion, OfMobileNetV2AllBlocksButThoseThatHalveOrWidenAddTheirInput) {
  EXPECT_THAT(
      blocks_of(fused_steps(mobilenet_v2({}), LowerFor::kInference)),
      ElementsAre("Conv1", "block_1_expand", "block_2_expand +", "block_3_expand",
                  "block_4_expand +", "block_5_expand +", "block_6_expand", "block_7_expand +",
                  "block_8_expand +", "block_9_expand +", "block_10_expand", "block_11_expand +",
                  "block_12_expand +", "block_13_expand", "block_14_expand +", "block_15_expand +",
                  "block_16_expand"));
}

TEST(BlockFusion, MobileNetV2ForTrainingIsFusedDownToFourteenPixels) {
  const StepList list = fused_steps(mobilenet_v2({}), LowerFor::kTraining);
  EXPECT_THAT(blocks_of(list),
              ElementsAre("Conv1", "block_1_expand", "block_2_expand +", "block_3_expand",
                          "block_4_expand +", "block_5_expand +", "block_6_expand",
                          "block_7_expand +", "block_8_expand +", "block_9_expand +",
                          "block_10_expand", "block_11_expand +", "block_12_expand +"));
  // Blocks 13 to 16 in three steps each, two additions, and the top's four.
  EXPECT_THAT(list.steps, SizeIs(13 + 4 * 3 + 2 + 4));
}

/// Its first convolution has 24 channels.
TEST(BlockFusion, MobileNetV2AtThreeQuartersHasAStemThatDoesNotFit) {
  const StepList list = fused_steps(mobilenet_v2({.width = 0.75F}), LowerFor::kInference);
  EXPECT_THAT(blocks_of(list), SizeIs(16));
  EXPECT_THAT(list.steps, SizeIs(3 + 16 + 4));
}

/// With trainable statistics, batch norms stand between.
TEST(BlockFusion, BatchNormsThatAreNotFoldedKeepBlocksApart) {
  const Graph graph = mobilenet_v2({});
  const StepList list = lower(graph, LowerFor::kTraining);
  EXPECT_THAT(fuse_blocks(list, graph, LowerFor::kTraining).steps, SizeIs(list.steps.size()));
}

TEST(BlockFusion, ABlocksStepIsDescribedWhole) {
  GraphBuilder g({9, 29, 3});
  const ValueId x = below(g, 5);
  const ValueId y = block(
      g, "a", x,
      {.expanded = 32, .expand = Op::kRelu, .stride = 2, .depthwise = std::nullopt, .out = 7});
  const Graph graph = g.finish(y);
  for (const LowerFor use : kUses) {
    const StepList list = fused_steps(graph, use);
    ASSERT_THAT(steps_of(list), ElementsAre("below", "a_expand"));
    const Step& step = list.steps[1];
    EXPECT_EQ(step.input, x);
    EXPECT_EQ(step.output, y);
    EXPECT_FALSE(step.addend);
    EXPECT_FALSE(step.activation);
    EXPECT_THAT(step.parameters,
                ElementsAre("a_expand/kernel", "a_expand/bias", "a_depthwise/depthwise_kernel",
                            "a_depthwise/bias", "a_project/kernel", "a_project/bias"));
    ASSERT_TRUE(step.block);
    const InvertedResidual& b = *step.block;
    EXPECT_THAT((std::vector{b.in_height, b.in_width, b.height, b.width, b.out_height, b.out_width,
                             b.in, b.expanded, b.out}),
                ElementsAre(9, 29, 9, 29, 5, 15, 5, 32, 7));
    EXPECT_THAT((std::vector{b.expand.kernel, b.expand.stride, b.expand.pad_top, b.expand.pad_left,
                             b.depthwise.kernel, b.depthwise.stride, b.depthwise.pad_top,
                             b.depthwise.pad_left}),
                ElementsAre(1, 1, 0, 0, 3, 2, 1, 1));
    EXPECT_EQ(b.expand_activation, Gate::kRelu);
    EXPECT_EQ(b.depthwise_activation, Gate::kOpen);
    EXPECT_FALSE(b.residual);
  }
}

TEST(BlockFusion, AStemsStepIsDescribedWhole) {
  GraphBuilder g({30, 31, 3});
  const Graph graph = g.finish(block(g, "a", g.input(), stem()));
  for (const LowerFor use : kUses) {
    const StepList list = fused_steps(graph, use);
    ASSERT_THAT(blocks_of(list), ElementsAre("a_expand"));
    const InvertedResidual& b = *list.steps[0].block;
    EXPECT_THAT((std::vector{b.in_height, b.in_width, b.height, b.width, b.out_height, b.out_width,
                             b.expand.kernel, b.expand.stride, b.expand.pad_top, b.expand.pad_left,
                             b.depthwise.stride}),
                ElementsAre(30, 31, 15, 16, 15, 16, 3, 2, 0, 1, 1));
  }
}

enum class On { kInput, kConvolution };

/// A residual block whose addition names its operands in either order.
Graph residual_block(On on, bool input_first) {
  GraphBuilder g({3, 15, 4});
  const ValueId x = on == On::kInput ? g.input() : below(g);
  const ValueId y = block(g, "a", x, {});
  return g.finish(input_first ? g.add("add", x, y) : g.add("add", y, x));
}

TEST(BlockFusion, TheResidualAdditionIsPartOfTheBlock) {
  for (const LowerFor use : kUses) {
    for (const On on : {On::kInput, On::kConvolution}) {
      for (const bool input_first : {false, true}) {
        const Graph graph = residual_block(on, input_first);
        const StepList list = fused_steps(graph, use);
        EXPECT_THAT(blocks_of(list), ElementsAre("a_expand +"));
        EXPECT_THAT(list.steps, SizeIs(on == On::kInput ? 1 : 2));
        EXPECT_EQ(list.steps.back().output, graph.output());
        EXPECT_FALSE(list.steps.back().in_place());
      }
    }
  }
}

TEST(BlockFusion, ABlockWhoseInputOthersReadIsOne) {
  GraphBuilder g({3, 15, 4});
  const ValueId x = below(g);
  const ValueId y = block(g, "a", x, {.residual = true});
  const Graph graph = g.finish(g.multiply("y", y, x));
  for (const LowerFor use : kUses) {
    EXPECT_THAT(steps_of(fused_steps(graph, use)), ElementsAre("below", "a_expand", "y"));
    EXPECT_THAT(blocks_of(fused_steps(graph, use)), ElementsAre("a_expand +"));
  }
}

TEST(BlockFusion, WhatABlockGivesMayBeTheOutputBeforeItsAddition) {
  const Graph graph = residual_block(On::kInput, true);
  StepList list = lower(graph, LowerFor::kTraining);
  list.output = graph.find("a_project");
  list = fuse_blocks(list, graph, LowerFor::kTraining);
  EXPECT_THAT(steps_of(list), ElementsAre("a_expand", "add"));
  EXPECT_THAT(blocks_of(list), ElementsAre("a_expand"));
}

TEST(BlockFusion, AnAdditionStaysApartWhereAnotherReadsWhatTheBlockGives) {
  GraphBuilder g({3, 15, 4});
  const ValueId y = block(g, "a", g.input(), {});
  const Graph graph = g.finish(g.multiply("z", g.add("add", g.input(), y), y));
  for (const LowerFor use : kUses) {
    EXPECT_THAT(steps_of(fused_steps(graph, use)), ElementsAre("a_expand", "add", "z"));
    EXPECT_THAT(blocks_of(fused_steps(graph, use)), ElementsAre("a_expand"));
  }
}

TEST(BlockFusion, AnAdditionStaysApartWhereAnotherStepStandsBetween) {
  GraphBuilder g({3, 15, 4});
  const ValueId y = block(g, "a", g.input(), {});
  const ValueId z = g.apply(Op::kHardSigmoid, "z", g.input());
  const Graph graph = g.finish(g.multiply("y", g.add("add", g.input(), y), z));
  for (const LowerFor use : kUses) {
    EXPECT_THAT(steps_of(fused_steps(graph, use)), ElementsAre("a_expand", "z", "add", "y"));
    EXPECT_THAT(blocks_of(fused_steps(graph, use)), ElementsAre("a_expand"));
  }
}

TEST(BlockFusion, AnAdditionWithAnActivationStaysApart) {
  GraphBuilder g({3, 15, 4});
  const ValueId y = block(g, "a", g.input(), {.residual = true});
  const Graph graph = g.finish(g.apply(Op::kRelu, "relu", y));
  EXPECT_THAT(steps_of(fused_steps(graph, LowerFor::kInference)), ElementsAre("a_expand", "a_add"));
  EXPECT_THAT(blocks_of(fused_steps(graph, LowerFor::kInference)), ElementsAre("a_expand"));
  // In training, it is the activation that stays apart.
  EXPECT_THAT(steps_of(fused_steps(graph, LowerFor::kTraining)), ElementsAre("a_expand", "relu"));
  EXPECT_THAT(blocks_of(fused_steps(graph, LowerFor::kTraining)), ElementsAre("a_expand +"));
}

TEST(BlockFusion, ForInferenceABlockThatAddsAnotherValueIsNone) {
  GraphBuilder g({3, 15, 4});
  const ValueId x = below(g);
  const ValueId other =
      g.apply(Op::kRelu, "relu", g.conv("other", x, {.channels = 4, .bias = Bias::kAdded}));
  const Graph graph = g.finish(g.add("add", other, block(g, "a", x, {})));
  EXPECT_THAT(steps_of(fused_steps(graph, LowerFor::kInference)),
              ElementsAre("below", "other", "a_expand", "a_depthwise", "a_project"));
  EXPECT_THAT(steps_of(fused_steps(graph, LowerFor::kTraining)),
              ElementsAre("below", "other", "a_expand", "add"));
  EXPECT_THAT(blocks_of(fused_steps(graph, LowerFor::kTraining)), ElementsAre("a_expand"));
}

TEST(BlockFusion, InTrainingOnlyBlocksOfFourteenPixelsAndMoreAreWorthIt) {
  for (const int width : {13, 14}) {
    GraphBuilder g({3, width, 4});
    const Graph graph = g.finish(block(g, "a", g.input(), {}));
    EXPECT_THAT(blocks_of(fused_steps(graph, LowerFor::kInference)), SizeIs(1));
    EXPECT_THAT(blocks_of(fused_steps(graph, LowerFor::kTraining)), SizeIs(width < 14 ? 0 : 1));
  }
}

}  // namespace engraft::block_fusion_test
