// What keeps the steps of an inverted residual block apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>

#include "block_networks.h"
#include "engraft/engine/block_fusion.h"
#include "engraft/graph/surgery.h"

namespace engraft::block_misfit_test {

using test::below;
using test::block;
using test::blocks_of;
using test::BlockSpec;
using test::fused_steps;
using test::stem;
using test::steps_of;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr LowerFor kUses[] = {LowerFor::kInference, LowerFor::kTraining};

/// A network without a block that the kernel takes, for one reason alone.
struct Misfit {
  const char* name;
  std::function<Graph()> network;
};

void PrintTo(const Misfit& misfit, std::ostream* out) {
  *out << misfit.name;
}

std::function<Graph()> on_the_input(const BlockSpec& spec) {
  return [spec] {
    GraphBuilder g({10, 60, 4});
    return g.finish(block(g, "a", g.input(), spec));
  };
}

std::function<Graph()> on_a_convolution(const BlockSpec& spec) {
  return [spec] {
    GraphBuilder g({10, 60, 4});
    return g.finish(block(g, "a", below(g), spec));
  };
}

/// The value of that name is read by pooling, too, and what the block gives is multiplied by that.
std::function<Graph()> with_a_reader_of(std::string name) {
  return [name] {
    GraphBuilder g({10, 60, 4});
    const ValueId y = block(g, "a", g.input(), {.out = 16});
    const ValueId pooled = g.apply(Op::kGlobalAveragePool, "pool", g.graph().find(name));
    return g.finish(g.multiply("y", y, pooled));
  };
}

/// One of the three convolutions without a bias; nothing is folded into it that would bring one.
std::function<Graph()> without_a_bias(int which) {
  return [which] {
    GraphBuilder g({10, 60, 4});
    const auto bias = [which](int i) { return i == which ? Bias::kNone : Bias::kAdded; };
    ValueId y = g.conv("expand", g.input(), {.channels = 16, .bias = bias(0)});
    y = g.depthwise_conv("depthwise", y, {.kernel = 3, .bias = bias(1)});
    return g.finish(g.conv("project", y, {.channels = 4, .bias = bias(2)}));
  };
}

Graph with_a_step_between() {
  GraphBuilder g({10, 60, 4});
  const auto biased = [](std::int64_t channels, int kernel) {
    return ConvSpec{.channels = channels, .kernel = kernel, .bias = Bias::kAdded};
  };
  ValueId y = g.conv("expand", g.input(), biased(16, 1));
  const ValueId z = g.conv("other", g.input(), biased(4, 1));
  y = g.depthwise_conv("depthwise", y, biased(0, 3));
  return g.finish(g.multiply("y", g.conv("project", y, biased(4, 1)), z));
}

class IsNoBlock : public testing::TestWithParam<Misfit> {};

TEST_P(IsNoBlock, BecauseOfOneThingAlone) {
  for (const BlockSpec& fit : {BlockSpec{}, stem()}) {
    ASSERT_THAT(blocks_of(fused_steps(on_the_input(fit)(), LowerFor::kTraining)), SizeIs(1));
  }
  const Graph graph = GetParam().network();
  for (const LowerFor use : kUses) {
    const StepList list = fused_steps(graph, use);
    EXPECT_THAT(blocks_of(list), IsEmpty());
    EXPECT_EQ(steps_of(list), steps_of(lower(graph, use)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, IsNoBlock,
    testing::Values(
        Misfit{"AnotherReadsWhatIsExpanded", with_a_reader_of("a_e")},
        Misfit{"AnotherReadsWhatIsFiltered", with_a_reader_of("a_d")},
        Misfit{"AnotherReadsWhatIsBeforeTheActivation", with_a_reader_of("a_expand")},
        Misfit{"AnotherStepBetween", with_a_step_between},
        Misfit{"HardSwishBehindTheExpansion", on_the_input({.expand = Op::kHardSwish})},
        Misfit{"HardSwishBehindTheDepthwise", on_the_input({.depthwise = Op::kHardSwish})},
        Misfit{"SigmoidBehindTheExpansion", on_the_input({.expand = Op::kSigmoid})},
        Misfit{"ReluBehindTheProjection", on_the_input({.project = Op::kRelu})},
        Misfit{"FiveByFiveDepthwise", on_the_input({.depthwise_kernel = 5})},
        Misfit{"OneByOneDepthwise", on_the_input({.depthwise_kernel = 1})},
        Misfit{"DepthwiseAtStrideThree", on_the_input({.stride = 3})},
        Misfit{"ChannelsOfNoWholeVectors", on_the_input({.expanded = 24})},
        Misfit{"ExpansionAtStrideTwo", on_the_input({.expand_stride = 2})},
        Misfit{"ThreeByThreeExpansionAtStrideOne", on_the_input({.expand_kernel = 3})},
        Misfit{"FiveByFiveExpansion", on_the_input({.expand_kernel = 5, .expand_stride = 2})},
        Misfit{"ThreeByThreeExpansionBehindAnotherStep", on_a_convolution(stem())},
        Misfit{"StemWithADepthwiseAtStrideTwo", on_the_input(stem({.stride = 2}))},
        Misfit{"ThreeByThreeProjection", on_the_input({.project_kernel = 3})},
        Misfit{"ProjectionAtStrideTwo", on_the_input({.project_stride = 2})},
        Misfit{"ExpansionWithoutABias", without_a_bias(0)},
        Misfit{"DepthwiseWithoutABias", without_a_bias(1)},
        Misfit{"ProjectionWithoutABias", without_a_bias(2)}),
    [](const auto& spec) { return std::string(spec.param.name); });

TEST(BlockFusion, AValueInsideABlockCanBeTheOutput) {
  const Graph graph = on_the_input({})();
  for (const LowerFor use : kUses) {
    for (const char* name : {"a_e", "a_d"}) {
      EXPECT_THAT(blocks_of(fused_steps(cut_at(graph, graph.find(name)), use)), IsEmpty()) << name;
      StepList list = lower(graph, use);  // as before, with the steps behind it
      list.output = graph.find(name);
      EXPECT_THAT(fuse_blocks(list, graph, use).steps, SizeIs(3)) << name;
    }
  }
}

}  // namespace engraft::block_misfit_test
