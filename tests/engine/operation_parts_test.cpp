// Steps cut into parts, for several threads at one picture: run_part() against run().
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <ostream>
#include <thread>

#include "block_networks.h"
#include "operation_harness.h"
#include "support/random_values.h"
#include "support/random_weights.h"

namespace engraft::operation_parts_test {

using test::block;
using test::BlockSpec;
using test::PoisonedBuffer;
using test::stem;

std::byte* bytes_of(const PoisonedBuffer& buffer) {
  return reinterpret_cast<std::byte*>(buffer.data());
}

/// Memory for so many bytes.
PoisonedBuffer buffer_of(std::size_t bytes) {
  return PoisonedBuffer((bytes + sizeof(float) - 1) / sizeof(float));
}

/// The one step of a graph, bound to buffers that are poisoned first.
class BoundStep {
 public:
  BoundStep(const Graph& graph, int batch) : BoundStep(graph, only_step(graph), batch) {}

  [[nodiscard]] int parts(int threads) const { return bound_->parts(threads); }
  /// On memory full of NaN, but for the input.
  [[nodiscard]] std::vector<float> run() {
    poison();
    bound_->run();
    return output();
  }
  /// Those parts, in that order, each with scratch memory of its own.
  [[nodiscard]] std::vector<float> run(const std::vector<int>& order) {
    poison();
    for (const int part : order) run_part(part, order.size());
    return output();
  }
  /// All parts at the same time, a thread each.
  [[nodiscard]] std::vector<float> run_together(int parts) {
    poison();
    std::vector<std::thread> threads;
    for (int part = 0; part < parts; ++part) {
      threads.emplace_back(
          [this, part, parts] { run_part(part, static_cast<std::size_t>(parts)); });
    }
    for (std::thread& thread : threads) thread.join();
    return output();
  }

 private:
  static Step only_step(const Graph& graph) {
    const StepList list = test::fused_steps(graph, LowerFor::kInference);
    EXPECT_THAT(list.steps, testing::SizeIs(1));
    return list.steps.at(0);
  }

  BoundStep(const Graph& graph, const Step& step, int batch)
      : operation_(make_operation({.step = step,
                                   .input = graph.shape(step.input),
                                   .output = graph.shape(step.output),
                                   .batch = batch})),
        values_(test::random_values(size_of(graph, step.input, batch), 3)),
        parameters_(buffer_of(operation_->parameter_bytes())),
        scratch_(buffer_of(operation_->scratch_bytes())),
        shared_(buffer_of(operation_->shared_bytes())),
        x_(values_.size()),
        y_(size_of(graph, step.output, batch)) {
    operation_->pack_parameters(test::random_weights(graph), bytes_of(parameters_));
    bound_ = operation_->bind({.input = x_.data(),
                               .output = y_.data(),
                               .scratch = bytes_of(scratch_),
                               .shared = bytes_of(shared_)});
    x_.fill(values_);
  }
  static std::size_t size_of(const Graph& graph, ValueId value, int batch) {
    return static_cast<std::size_t>(graph.shape(value).elements() * batch);
  }

  void poison() const {
    for (const PoisonedBuffer* buffer : {&scratch_, &shared_, &y_}) {
      std::ranges::fill(buffer->values(), std::numeric_limits<float>::quiet_NaN());
    }
  }
  void run_part(int part, std::size_t parts) {
    const PoisonedBuffer scratch = buffer_of(operation_->scratch_bytes());
    bound_->run_part(part, static_cast<int>(parts), bytes_of(scratch));
    EXPECT_TRUE(scratch.guards_intact());
  }
  [[nodiscard]] std::vector<float> output() const {
    for (const PoisonedBuffer* buffer : {&parameters_, &scratch_, &shared_, &x_, &y_}) {
      EXPECT_TRUE(buffer->guards_intact());
    }
    EXPECT_TRUE(std::ranges::equal(values_, x_.values())) << "the input was written to";
    return {y_.values().begin(), y_.values().end()};
  }

  std::unique_ptr<Operation> operation_;
  std::vector<float> values_;
  PoisonedBuffer parameters_, scratch_, shared_, x_, y_;
  std::unique_ptr<BoundOperation> bound_;
};

/// All orders of few parts; of many, forwards, backwards and some others.
std::vector<std::vector<int>> orders_of(int parts) {
  std::vector<int> order(static_cast<std::size_t>(parts));
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::vector<int>> orders;
  if (parts <= 4) {
    do {
      orders.push_back(order);
    } while (std::ranges::next_permutation(order).found);
    return orders;
  }
  orders.push_back(order);
  std::ranges::reverse(order);
  orders.push_back(order);
  Rng rng(1);
  for (int again = 0; again < 5; ++again) {
    for (std::size_t i = order.size() - 1; i > 0; --i) {
      std::swap(order[i], order[rng.below(static_cast<std::uint32_t>(i + 1))]);
    }
    orders.push_back(order);
  }
  return orders;
}

struct StepCase {
  const char* name;
  Graph graph;
  int parts_of_three = 1;  ///< into which three threads cut it
  int batch = 1;
};

void PrintTo(const StepCase& c, std::ostream* out) {
  *out << c.name;
}

Graph block_on(const Shape& input, const BlockSpec& spec) {
  GraphBuilder g(input);
  return g.finish(block(g, "a", g.input(), spec));
}

Graph convolution_on(const Shape& input, std::int64_t channels, Bias bias) {
  GraphBuilder g(input);
  const ValueId y = g.conv("a", g.input(), {.channels = channels, .bias = bias});
  return g.finish(g.apply(Op::kRelu6, "relu", y));
}

Graph dense_on(std::int64_t inputs, std::int64_t units) {
  GraphBuilder g({inputs});
  return g.finish(g.dense("a", g.input(), units));
}

class OperationParts : public testing::TestWithParam<StepCase> {
 protected:
  BoundStep step_{GetParam().graph, GetParam().batch};
  std::vector<float> expected_ = step_.run();
};

TEST_P(OperationParts, AreAsManyAsThreadsCanUse) {
  EXPECT_EQ(step_.parts(3), GetParam().parts_of_three);
}

TEST_P(OperationParts, EachWriteTheirShareOfTheBitsInAnyOrder) {
  for (const float value : expected_) ASSERT_TRUE(std::isfinite(value));
  for (const int threads : {1, 2, 3, 4, 8}) {
    for (const auto& order : orders_of(step_.parts(threads))) {
      ASSERT_EQ(step_.run(order), expected_) << testing::PrintToString(order);
    }
  }
}

TEST_P(OperationParts, WriteTheSameBitsAtTheSameTimeAgainAndAgain) {
  for (const int threads : {2, 3, 8}) {
    for (int again = 0; again < 5; ++again) {
      ASSERT_EQ(step_.run_together(step_.parts(threads)), expected_) << threads;
    }
  }
}

TEST_P(OperationParts, LeaveTheStepFitToRunAsAWhole) {
  for (const int threads : {2, 4}) {
    static_cast<void>(step_.run(orders_of(step_.parts(threads)).back()));
    EXPECT_EQ(step_.run(), expected_);
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, OperationParts,
    testing::Values(
        StepCase{"BlockCutByRows", block_on({14, 11, 4}, {.expanded = 48}), 3},
        StepCase{"BlockOfFewRows", block_on({2, 60, 4}, {.expanded = 48}), 2},
        StepCase{"BlockOfOneRow", block_on({1, 120, 4}, {.expanded = 48}), 1},
        StepCase{"ResidualCutByRows", block_on({15, 13, 4}, {.residual = true}), 3},
        StepCase{"Stride2CutByRows", block_on({29, 23, 4}, {.expanded = 32, .stride = 2}), 3},
        StepCase{"StemCutByRows", block_on({29, 30, 3}, stem({.out = 8})), 3},
        StepCase{"BlockTooNarrowForChannels", block_on({7, 7, 4}, {.expanded = 32}), 3},
        StepCase{"BlockOfOneShare", block_on({7, 7, 4}, {.expanded = 48}), 3},
        StepCase{"BlockCutByChannelsInTwo", block_on({7, 7, 4}, {.expanded = 96, .out = 5}), 2},
        StepCase{"BlockCutByChannelsInFour", block_on({7, 7, 8}, {.expanded = 240, .out = 7}), 4},
        StepCase{"ResidualCutByChannels",
                 block_on({3, 5, 8}, {.expanded = 144, .out = 8, .residual = true}), 3},
        StepCase{"StemCutByChannels", block_on({13, 12, 3}, stem({.expanded = 192})), 4},
        StepCase{"ABatchOfBlocksIsNotCut",
                 block_on({7, 7, 8}, {.expanded = 96, .out = 8, .residual = true}), 1, 3},
        StepCase{"Dense", dense_on(320, 1000), 6}, StepCase{"DenseOfFewUnits", dense_on(320, 7), 1},
        StepCase{"ABatchOfDense", dense_on(40, 500), 6, 3},
        StepCase{"Convolution", convolution_on({7, 7, 24}, 160, Bias::kAdded), 4},
        StepCase{"ConvolutionWithoutABias", convolution_on({5, 3, 16}, 97, Bias::kNone), 3},
        StepCase{"ABatchOfConvolutions", convolution_on({4, 5, 9}, 96, Bias::kAdded), 2, 4}),
    [](const auto& spec) { return std::string(spec.param.name); });

}  // namespace engraft::operation_parts_test
