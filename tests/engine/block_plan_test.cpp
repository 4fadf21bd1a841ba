// Plans with whole blocks as steps, against the double reference of the unfused graph.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "block_networks.h"
#include "engraft/graph/surgery.h"
#include "plan_harness.h"
#include "support/random_weights.h"

namespace engraft::block_plan_test {

using test::below;
using test::block;
using test::blocks_of;
using test::BlockSpec;
using test::fused_steps;
using test::random_values;
using test::run;
using test::same_bits;
using test::stem;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr int kBatches[] = {1, 3, 4};

/// What float32's rounding may change in the few layers of one block: a wrong factor of 1.001 is
/// fifty times this.
constexpr double kTolerance = 2e-5;

enum class On { kInput, kConvolution };

struct BlockCase {
  const char* name;
  Shape input;
  BlockSpec block;
  On on = On::kConvolution;  ///< what the block reads
};

void PrintTo(const BlockCase& c, std::ostream* out) {
  *out << c.name;
}

/// The block, behind it what reads it.
Graph network(const BlockCase& c) {
  GraphBuilder g(c.input);
  const ValueId x = c.on == On::kInput ? g.input() : below(g, c.input[2]);
  ValueId y = block(g, "a", x, c.block);
  y = g.conv("behind", y, {.channels = 3, .bias = Bias::kAdded});
  return g.finish(y);
}

/// Pictures one by one, with nobody but the caller.
std::vector<float> one_by_one(const Graph& graph, const Weights& weights,
                              std::span<const float> pictures) {
  const Plan plan = Plan::compile(graph, weights);
  std::vector<float> all;
  for (std::size_t i = 0; i < pictures.size(); i += plan.input_size()) {
    const auto y = run(plan, pictures.subspan(i, plan.input_size()));
    all.insert(all.end(), y.begin(), y.end());
  }
  return all;
}

void expect_same_bits_for_any_batch_and_team(const Graph& graph, const Weights& weights) {
  const auto size = static_cast<std::size_t>(graph.shape(graph.input()).elements());
  for (const int batch : kBatches) {
    const auto pictures = random_values(size * static_cast<std::size_t>(batch), 9);
    const auto expected = one_by_one(graph, weights, pictures);
    for (const int threads : {1, 2, 3}) {
      const Plan plan = Plan::compile(graph, weights, {.batch = batch, .threads = threads});
      EXPECT_TRUE(same_bits(run(plan, pictures), expected)) << batch << " pictures, no team";
      EXPECT_TRUE(same_bits(run(plan, pictures, threads), expected))
          << batch << " pictures, a team of " << threads;
    }
  }
}

class BlockPlan : public testing::TestWithParam<BlockCase> {
 protected:
  void SetUp() override {
    ASSERT_THAT(blocks_of(fused_steps(graph_, LowerFor::kInference)), SizeIs(1));
  }
  Graph graph_ = network(GetParam());
  Weights weights_ = test::random_weights(graph_);
};

TEST_P(BlockPlan, IsTheReferencesFunction) {
  for (const int batch : kBatches) test::expect_reference(graph_, weights_, batch, kTolerance);
}

TEST_P(BlockPlan, IsTheReferencesFunctionWhereTheBlockIsTheOutput) {
  const Graph cut = cut_at(graph_, graph_.nodes().back().inputs[0]);
  ASSERT_THAT(blocks_of(fused_steps(cut, LowerFor::kInference)), SizeIs(1));
  test::expect_reference(cut, weights_, 3, kTolerance);
}

TEST_P(BlockPlan, HasTheSameBitsForAnyBatchAndTeam) {
  expect_same_bits_for_any_batch_and_team(graph_, weights_);
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, BlockPlan,
    testing::Values(
        BlockCase{"Stride1", {5, 7, 4}, {}},
        BlockCase{"Stride1OnTheInput", {5, 7, 4}, {}, On::kInput},
        BlockCase{"Stride2OfOddSizes", {7, 9, 4}, {.stride = 2, .out = 6}},
        BlockCase{"Stride2OfEvenSizes", {12, 10, 4}, {.stride = 2, .out = 6}},
        BlockCase{"Stride2OfOddHeightAndEvenWidth", {13, 26, 5}, {.expanded = 48, .stride = 2}},
        BlockCase{"Residual", {6, 5, 4}, {.residual = true}},
        BlockCase{"ResidualOnTheInput", {6, 5, 4}, {.residual = true}, On::kInput},
        BlockCase{"ResidualCutByChannels", {7, 7, 8}, {.expanded = 96, .out = 8, .residual = true}},
        BlockCase{"CutByChannelsInFourUnevenParts", {3, 11, 4}, {.expanded = 240, .out = 5}},
        BlockCase{"Stride2CutByChannels", {13, 11, 4}, {.expanded = 192, .stride = 2, .out = 9}},
        BlockCase{"AHundredPixels", {10, 10, 4}, {.expanded = 144}},
        BlockCase{"AHundredAndOnePixels", {101, 1, 4}, {.expanded = 144}},
        BlockCase{"ResidualCutByRows", {14, 15, 8}, {.expanded = 48, .out = 8, .residual = true}},
        BlockCase{"LargeCutByRows", {29, 31, 4}, {.expanded = 32, .out = 8}},
        BlockCase{"TwoPicturesTogether", {40, 41, 8}, {.out = 8}},
        BlockCase{"ThreePicturesTogetherCutByChannels",
                  {13, 13, 100},
                  {.expanded = 96, .stride = 2, .out = 8}},
        BlockCase{"OnePixel", {1, 1, 4}, {.expanded = 96, .residual = true}},
        BlockCase{"OneRow", {1, 120, 4}, {.expanded = 32}},
        BlockCase{"OneColumn", {120, 1, 4}, {.expanded = 32, .stride = 2}},
        BlockCase{"Relu", {6, 9, 4}, {.expand = Op::kRelu, .depthwise = Op::kRelu}},
        BlockCase{"NoActivation", {6, 9, 4}, {.expand = std::nullopt, .depthwise = std::nullopt}},
        BlockCase{"ActivationsThatDiffer",
                  {6, 9, 4},
                  {.expand = std::nullopt, .stride = 2, .depthwise = Op::kRelu}},
        BlockCase{"Stem", {16, 20, 3}, stem(), On::kInput},
        BlockCase{"StemOfOddSizes", {15, 23, 3}, stem({.expanded = 32, .out = 8}), On::kInput},
        BlockCase{"StemWithRelu",
                  {9, 12, 1},
                  stem({.expand = Op::kRelu, .depthwise = Op::kRelu}),
                  On::kInput},
        BlockCase{"StemWithoutActivation",
                  {12, 9, 3},
                  stem({.expand = std::nullopt, .depthwise = std::nullopt}),
                  On::kInput},
        BlockCase{"StemCutByRows", {40, 42, 3}, stem({.expanded = 48, .out = 8}), On::kInput}),
    [](const auto& spec) { return std::string(spec.param.name); });

/// A stem and blocks of every kind one after the other, with batch norms and a top.
Graph chain() {
  GraphBuilder g({37, 45, 3});
  const auto normed = [&](const std::string& name, ValueId y) {
    return g.batch_norm(name + "_bn", y, 1e-3F);
  };
  ValueId x = normed("stem", g.conv("stem", g.input(), {.channels = 16, .kernel = 3, .stride = 2}));
  x = g.apply(Op::kRelu6, "stem_relu", x);
  x = g.apply(Op::kRelu6, "deep_relu", normed("deep", g.depthwise_conv("deep", x, {.kernel = 3})));
  x = normed("narrow", g.conv("narrow", x, {.channels = 8}));
  x = block(g, "a", x, {.expanded = 48, .out = 8, .residual = true});
  x = block(g, "b", x, {.expanded = 48, .stride = 2, .out = 12});
  x = block(g, "c", x, {.expanded = 96, .expand = Op::kRelu, .out = 12, .residual = true});
  x = block(g, "d", x, {.expanded = 96, .stride = 2, .depthwise = std::nullopt, .out = 20});
  x = block(g, "e", x, {.expanded = 240, .out = 20, .residual = true});
  x = g.apply(Op::kRelu6, "top_relu", normed("top", g.conv("top", x, {.channels = 100})));
  x = g.apply(Op::kGlobalAveragePool, "pool", x);
  return g.finish(g.dense("logits", x, 7));
}

TEST(BlockPlans, OfManyBlocksAreTheReferencesFunction) {
  const Graph graph = chain();
  ASSERT_THAT(
      blocks_of(fused_steps(graph, LowerFor::kInference)),
      ElementsAre("stem", "a_expand +", "b_expand", "c_expand +", "d_expand", "e_expand +"));
  const Weights weights = test::random_weights(graph);
  for (const int batch : kBatches) test::expect_reference(graph, weights, batch, 1e-4);
}

TEST(BlockPlans, OfManyBlocksHaveTheSameBitsForAnyBatchAndTeam) {
  const Graph graph = chain();
  expect_same_bits_for_any_batch_and_team(graph, test::random_weights(graph));
}

/// x → block → y and what is made of the two.
struct Surroundings {
  const char* name;
  bool residual;
  ValueId (*behind)(GraphBuilder&, ValueId x, ValueId y);
  int blocks = 1;
};

ValueId input_multiplied(GraphBuilder& g, ValueId x, ValueId y) {
  return g.multiply("z", y, x);
}
ValueId added_apart(GraphBuilder& g, ValueId x, ValueId y) {
  const ValueId other = g.apply(Op::kHardSigmoid, "other", x);
  return g.multiply("z", g.add("add", y, x), other);
}
ValueId output_read_twice(GraphBuilder& g, ValueId x, ValueId y) {
  return g.multiply("z", g.apply(Op::kRelu, "relu", g.add("add", x, y)), y);
}

TEST(BlockPlans, WithOtherReadersAndAdditionsAreTheReferencesFunction) {
  for (const Surroundings& around :
       {Surroundings{"input multiplied by the block", false, input_multiplied},
        Surroundings{"input multiplied by the residual block", true, input_multiplied},
        // The addition joins the projection, which then runs behind another step.
        Surroundings{"input added behind another step", false, added_apart, 0},
        Surroundings{"input added twice", true, added_apart},
        Surroundings{"output read twice", false, output_read_twice},
        Surroundings{"output of the residual block read twice", true, output_read_twice}}) {
    SCOPED_TRACE(around.name);
    GraphBuilder g({9, 8, 4});
    const ValueId x = below(g);
    const ValueId y = block(g, "a", x, {.expanded = 96, .residual = around.residual});
    const Graph graph = g.finish(around.behind(g, x, y));
    ASSERT_THAT(blocks_of(fused_steps(graph, LowerFor::kInference)), SizeIs(around.blocks));
    const Weights weights = test::random_weights(graph);
    test::expect_reference(graph, weights, 3, kTolerance);
    expect_same_bits_for_any_batch_and_team(graph, weights);
  }
}

TEST(BlockPlans, HaveTheSameBitsAfterNansHaveBeenInTheWorkspace) {
  const Graph graph = chain();
  for (const int team_of : {0, 2}) {
    const Plan plan = Plan::compile(graph, test::random_weights(graph), {.threads = 2});
    const auto picture = random_values(plan.input_size(), 3);
    const auto expected = run(plan, picture);
    Plan::Workspace workspace = plan.make_workspace();
    Team team(2);
    const auto forward = [&] {
      return team_of == 0 ? plan.forward(workspace) : plan.forward(workspace, team);
    };
    const auto input = plan.input(workspace);
    std::fill(input.begin(), input.end(), std::nanf(""));
    static_cast<void>(forward());
    std::copy(picture.begin(), picture.end(), input.begin());
    for (int again = 0; again < 3; ++again) EXPECT_TRUE(same_bits(forward(), expected));
  }
}

}  // namespace engraft::block_plan_test
