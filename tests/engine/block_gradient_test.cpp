// Gradients through whole blocks in one step, against exact derivatives of the unfused graph.
#include <gmock/gmock.h>

#include <bit>
#include <functional>
#include <limits>
#include <ostream>

#include "block_networks.h"
#include "gradient_harness.h"
#include "gradient_networks.h"

namespace engraft::block_gradient_test {

using test::below;
using test::block;
using test::blocks_of;
using test::BlockSpec;
using test::GradientProblem;
using test::GradientResult;
using test::run_on;
using test::stem;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::uint32_t> bits_of(std::span<const float> values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

/// A network, and which of its steps are blocks when it is trained.
struct NetworkCase {
  const char* name;
  std::function<Graph()> network;
  std::vector<std::string> blocks{"a_expand"};
};

void PrintTo(const NetworkCase& c, std::ostream* out) {
  *out << c.name;
}

/// Three times as large as elsewhere, so that relu6 closes at its upper end, too.
GradientProblem problem_of(Graph graph, std::size_t pictures) {
  GradientProblem problem = test::gradient_problem(std::move(graph), pictures);
  for (auto& picture : problem.pictures) {
    for (float& value : picture) value *= 3;
  }
  return problem;
}

class BlockGradient : public testing::TestWithParam<NetworkCase> {
 protected:
  static constexpr std::size_t kSamples = 16;

  void SetUp() override {
    ASSERT_THAT(blocks_of(test::fused_steps(GetParam().network(), LowerFor::kTraining)),
                ElementsAreArray(GetParam().blocks));
  }
};

TEST_P(BlockGradient, IsExactWhateverTheMicroBatch) {
  GradientProblem problem = problem_of(GetParam().network(), 3);
  const GradientResult result = test::run_gradient(problem);
  const test::ExactGradient exact = test::exact_gradient(problem, result, kSamples);
  EXPECT_THAT(test::gradient_failures(exact, result.gradient), IsEmpty());
  for (const int micro_batch : {1, 4}) {
    problem.micro_batch = micro_batch;
    EXPECT_THAT(test::gradient_failures(exact, test::run_gradient(problem).gradient), IsEmpty())
        << "micro-batches of " << micro_batch;
  }
}

TEST_P(BlockGradient, HasTheSameBitsForAnyNumberOfThreads) {
  const GradientProblem problem = problem_of(GetParam().network(), 7);
  const auto alone = bits_of(test::run_gradient(problem, 1).gradient);
  for (const int threads : {2, 3}) {
    EXPECT_EQ(bits_of(test::run_gradient(problem, threads).gradient), alone) << threads;
  }
}

/// A block on the input, of which no gradient is wanted.
std::function<Graph()> on_the_input(const Shape& input, const BlockSpec& spec) {
  return [=] {
    GraphBuilder g(input);
    return g.finish(block(g, "a", g.input(), spec));
  };
}

std::function<Graph()> on_a_convolution(const Shape& input, const BlockSpec& spec) {
  return [=] {
    GraphBuilder g(input);
    return g.finish(block(g, "a", below(g, input[2]), spec));
  };
}

/// x → block → y, with more around it.
std::function<Graph()> around(
    const BlockSpec& spec, const std::function<ValueId(GraphBuilder&, ValueId, ValueId)>& behind) {
  return [=] {
    GraphBuilder g({3, 15, 4});
    const ValueId x = below(g);
    const ValueId y = block(g, "a", x, spec);
    return g.finish(behind(g, x, y));
  };
}

ValueId another(GraphBuilder& g, const std::string& name, ValueId x) {
  return g.conv(name, x, {.channels = 4, .bias = Bias::kAdded});
}

/// The block adds its gradient to what the step behind it has left.
ValueId input_read_later(GraphBuilder& g, ValueId x, ValueId y) {
  return g.add("add", y, another(g, "b", x));
}
ValueId input_multiplied(GraphBuilder& g, ValueId x, ValueId y) {
  return g.multiply("multiply", x, y);
}
ValueId added_apart(GraphBuilder& g, ValueId x, ValueId y) {
  const ValueId z = another(g, "b", x);
  return g.multiply("multiply", g.add("add", x, y), z);
}
ValueId read_twice(GraphBuilder& g, ValueId x, ValueId y) {
  return g.multiply("multiply", g.add("add", x, y), another(g, "b", y));
}

/// The block's gradient is the first, and another step's is added to it.
Graph input_read_before() {
  GraphBuilder g({3, 15, 4});
  const ValueId x = below(g);
  const ValueId z = another(g, "b", x);
  return g.finish(g.multiply("multiply", block(g, "a", x, {.residual = true}), z));
}

/// Two blocks side by side: the later writes the gradient, the earlier adds.
Graph two_on_one_value() {
  GraphBuilder g({3, 15, 4});
  const ValueId x = below(g);
  const ValueId a = block(g, "a", x, {.residual = true});
  return g.finish(g.multiply("multiply", a, block(g, "b", x, {.expanded = 32})));
}

Graph behind_an_activation() {
  GraphBuilder g({3, 15, 4});
  const ValueId x = g.apply(Op::kRelu6, "relu", below(g));
  return g.finish(block(g, "a", x, {.residual = true}));
}

/// A value whose gradient a later depthwise convolution gates where it alone reads it.
Graph before_an_activation() {
  GraphBuilder g({3, 15, 4});
  const ValueId y = g.apply(Op::kRelu, "relu", block(g, "a", below(g), {.residual = true}));
  return g.finish(g.depthwise_conv("b", y, {.kernel = 3, .bias = Bias::kAdded}));
}

/// Of every kind one after the other.
Graph chain() {
  GraphBuilder g({9, 60, 3});
  ValueId x = block(g, "a", g.input(), stem());
  x = block(g, "b", x, {.residual = true});
  x = block(g, "c", x, {.expanded = 32, .stride = 2, .out = 6});
  x = block(g, "d", x, {.expanded = 32, .expand = Op::kRelu, .out = 6, .residual = true});
  x = g.apply(Op::kGlobalAveragePool, "pool", x);
  return g.finish(g.dense("dense", x, 3));
}

/// Batch norms that are folded, and trained through the folding.
Graph with_batch_norms() {
  GraphBuilder g({3, 28, 16});
  ValueId x = test::inverted_residual(g, "a", g.input(), 1);
  x = test::inverted_residual(g, "b", x, 2);
  return g.finish(x);
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, BlockGradient,
    testing::Values(
        NetworkCase{"OnTheInput", on_the_input({3, 14, 4}, {})},
        NetworkCase{
            "ResidualOnTheInput", on_the_input({4, 15, 4}, {.residual = true}), {"a_expand +"}},
        NetworkCase{"Stride1", on_a_convolution({3, 14, 4}, {.out = 5})},
        NetworkCase{"Stride2OfEvenSizes", on_a_convolution({4, 28, 4}, {.stride = 2, .out = 6})},
        NetworkCase{"Stride2OfOddSizes", on_a_convolution({5, 27, 3}, {.stride = 2, .out = 6})},
        NetworkCase{"Residual", on_a_convolution({3, 15, 4}, {.residual = true}), {"a_expand +"}},
        NetworkCase{"ResidualOfManyChannels",
                    on_a_convolution({3, 14, 8}, {.expanded = 96, .out = 8, .residual = true}),
                    {"a_expand +"}},
        NetworkCase{"Wide", on_a_convolution({3, 61, 3}, {.out = 5})},
        NetworkCase{"High", on_a_convolution({30, 14, 2}, {.out = 3})},
        NetworkCase{"Relu",
                    on_a_convolution({3, 14, 4}, {.expand = Op::kRelu, .depthwise = Op::kRelu})},
        NetworkCase{"NoActivation", on_a_convolution({3, 14, 4}, {.expand = std::nullopt,
                                                                  .depthwise = std::nullopt})},
        NetworkCase{"Stem", on_the_input({6, 28, 3}, stem())},
        NetworkCase{
            "StemOfOddSizesWithRelu",
            on_the_input({7, 31, 3}, stem({.expand = Op::kRelu, .depthwise = std::nullopt}))},
        NetworkCase{"InputReadLater", around({}, input_read_later)},
        NetworkCase{"InputOfAResidualReadLater",
                    around({.residual = true}, input_read_later),
                    {"a_expand +"}},
        NetworkCase{
            "InputMultipliedLater", around({.residual = true}, input_multiplied), {"a_expand +"}},
        NetworkCase{"InputReadBefore", input_read_before, {"a_expand +"}},
        NetworkCase{"TwoBlocksOnOneValue", two_on_one_value, {"a_expand +", "b_expand"}},
        NetworkCase{"InputAddedApart", around({}, added_apart)},
        NetworkCase{"OutputReadTwice", around({}, read_twice)},
        NetworkCase{"BehindAnActivation", behind_an_activation, {"a_expand +"}},
        NetworkCase{"BeforeAnActivation", before_an_activation, {"a_expand +"}},
        NetworkCase{"Chain", chain, {"a_expand", "b_expand +", "c_expand", "d_expand +"}},
        NetworkCase{"WithBatchNorms", with_batch_norms, {"a_expand +", "b_expand"}}),
    [](const auto& spec) { return std::string(spec.param.name); });

TEST(BlockGradients, AreTheSameAfterPicturesOfNaNsAndOtherParameters) {
  const GradientProblem given = problem_of(chain(), 7);
  ThreadPool pool(2);
  GradientRunner fresh(given.graph, options_of(given), pool);
  const auto expected = bits_of(run_on(fresh, given, 5).gradient);
  GradientProblem other = given;
  other.weights = test::random_weights(given.graph, 77);
  for (auto& picture : other.pictures) {
    std::ranges::fill(picture, std::numeric_limits<float>::quiet_NaN());
  }
  GradientRunner runner(given.graph, options_of(given), pool);
  EXPECT_NE(bits_of(run_on(runner, other).gradient), expected);
  EXPECT_EQ(bits_of(run_on(runner, given, 5).gradient), expected);
}

/// The oracle would see it if a parameter's gradient were a thousandth off.
TEST(BlockGradients, AThousandthOffWouldBeNoticed) {
  const GradientProblem problem = problem_of(two_on_one_value(), 2);
  const GradientResult result = test::run_gradient(problem);
  const test::ExactGradient exact = test::exact_gradient(problem, result, 10);
  ASSERT_THAT(test::gradient_failures(exact, result.gradient), IsEmpty());
  for (const auto& slot : result.parameters.slots()) {
    std::vector<float> wrong = result.gradient;
    for (std::size_t i = 0; i < slot.size; ++i) wrong[slot.offset + i] *= 1.001F;
    EXPECT_THAT(test::gradient_failures(exact, wrong), Not(IsEmpty())) << slot.name;
  }
}

}  // namespace engraft::block_gradient_test
