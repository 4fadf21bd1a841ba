#include "engraft/engine/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <thread>

#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/surgery.h"
#include "plan_harness.h"
#include "support/errors.h"
#include "support/random_values.h"
#include "support/random_weights.h"

namespace engraft::plan_test {

using test::expect_error;
using test::expect_reference;
using test::random_values;
using test::run;
using test::same_bits;
using ::testing::HasSubstr;

constexpr double kDeep =
    1e-4;  ///< 53 layers: each adds a few roundings of 6e-8 and passes on earlier ones

TEST(Plan, MobileNetV2IsTheReferencesFunctionAtEveryWidthAndOddSizes) {
  for (const auto& [width, size] : {std::pair{0.35f, 33}, {0.5f, 64}, {1.0f, 32}, {1.4f, 47}}) {
    const Graph graph = mobilenet_v2({.width = width, .image_size = size, .classes = 7});
    expect_reference(graph, test::random_weights(graph), 2, kDeep);
    const Graph logits = cut_at(graph, graph.find(kLogitsValue));
    expect_reference(logits, test::random_weights(graph), 1, kDeep);
  }
}

TEST(Plan, ValuesInTheMiddleOfANetworkCanBeTheOutput) {
  const Graph graph = mobilenet_v2({.width = 0.5f, .image_size = 40, .classes = 0});
  for (const char* name : {"Conv1", "bn_Conv1", "block_2_project_BN", "block_2_add", "out_relu"}) {
    expect_reference(cut_at(graph, graph.find(name)), test::random_weights(graph), 3, kDeep);
  }
}

TEST(Plan, GraphsThatFuseNothingAreTheReferencesFunction) {
  GraphBuilder g({6, 5, 4});
  const ValueId norm = g.batch_norm("norm", g.input(), 1e-3f);
  const ValueId relu = g.apply(Op::kRelu, "relu", norm);
  const ValueId sum = g.add("sum", relu, norm);
  const ValueId conv = g.conv("conv", sum, {.channels = 4, .kernel = 3, .bias = Bias::kAdded});
  const ValueId twice = g.add("twice", conv, conv);
  const ValueId both = g.add("both", twice, sum);
  const ValueId six = g.apply(Op::kRelu6, "six", both);
  const Graph graph = g.finish(g.apply(Op::kSoftmax, "softmax", six));
  expect_reference(graph, test::random_weights(graph), 3, 1e-5);
}

/// An inverted residual as MobileNetV3 has it, and the same operators where nothing fuses.
Graph gated_network() {
  GraphBuilder g({9, 7, 3});
  const auto normed = [&](const std::string& name, ValueId y) {
    return g.batch_norm(name + "_norm", y, 1e-3f);
  };
  ValueId x = normed("stem", g.conv("stem", g.input(), {.channels = 8, .kernel = 3, .stride = 2}));
  x = g.apply(Op::kHardSwish, "stem_swish", x);
  ValueId y = normed("expand", g.conv("expand", x, {.channels = 24}));
  y = g.apply(Op::kHardSwish, "expand_swish", y);
  y = g.apply(Op::kHardSwish, "deep_swish",
              normed("deep", g.depthwise_conv("deep", y, {.kernel = 5})));
  ValueId gate = g.dense("squeeze", g.apply(Op::kGlobalAveragePool, "pool", y), 8);
  gate = g.dense("excite", g.apply(Op::kRelu, "squeeze_relu", gate), 24);
  gate = g.apply(Op::kHardSigmoid, "gate", gate);
  y = normed("project", g.conv("project", g.multiply("gated", y, gate), {.channels = 8}));
  x = g.add("residual", x, y);
  const ValueId apart = g.apply(Op::kHardSigmoid, "apart", x);
  x = g.multiply("product", g.apply(Op::kHardSwish, "swish_apart", x), apart);
  x = g.apply(Op::kGlobalAveragePool, "last_pool", x);
  return g.finish(g.multiply("square", x, x));
}

TEST(Plan, GatedNetworksAreTheReferencesFunction) {
  const Graph graph = gated_network();
  const Weights weights = test::random_weights(graph);
  for (const int batch : {1, 3, 4}) expect_reference(graph, weights, batch, 1e-5);
  for (const char* name : {"stem_swish", "gate", "gated", "residual", "apart", "product"}) {
    expect_reference(cut_at(graph, graph.find(name)), weights, 2, 1e-5);
  }
}

TEST(Plan, GatedNetworksGiveTheSameBitsForAnyBatchAndThreads) {
  const Graph graph = gated_network();
  const Weights weights = test::random_weights(graph);
  const Plan single = Plan::compile(graph, weights);
  const auto pictures = random_values(4 * single.input_size(), 21);
  std::vector<float> expected;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto y =
        run(single, std::span(pictures).subspan(i * single.input_size(), single.input_size()));
    expected.insert(expected.end(), y.begin(), y.end());
  }
  for (const int threads : {1, 2, 3}) {
    const Plan plan = Plan::compile(graph, weights, {.batch = 4, .threads = threads});
    EXPECT_TRUE(same_bits(run(plan, pictures, threads), expected)) << threads;
  }
}

TEST(Plan, ALargeGatedNetworkRunsInStages) {
  GraphBuilder g({128, 96, 3});
  ValueId x = g.conv("wide", g.input(), {.channels = 40, .kernel = 3});
  ValueId gate = g.dense("dense", g.apply(Op::kGlobalAveragePool, "pool", x), 40);
  x = g.multiply("gated", x, g.apply(Op::kHardSigmoid, "gate", gate));
  x = g.conv("narrow", x, {.channels = 4, .kernel = 3, .stride = 4});
  const Graph graph = g.finish(g.apply(Op::kHardSwish, "swish", x));
  expect_reference(graph, test::random_weights(graph), 3, 1e-5);
}

TEST(Plan, HeadsWithAndWithoutHiddenLayerAreTheReferencesFunction) {
  GraphBuilder g({40});
  ValueId x = g.dense("hidden", g.input(), 25);
  x = g.apply(Op::kRelu, "hidden_relu", x);
  x = g.dropout("dropout", x, 0.5f);
  x = g.dense("top", x, 3);
  const Graph sigmoid = g.finish(g.apply(Op::kSigmoid, "sigmoid", x));
  expect_reference(sigmoid, test::random_weights(sigmoid), 5, 1e-5);
}

TEST(Plan, GraphThatIsItsInputGivesItsInput) {
  const Graph graph(Shape{2, 2, 3});
  const auto x = random_values(24, 3);
  EXPECT_TRUE(same_bits(run(Plan::compile(graph, {}, {.batch = 2}), x), x));
}

TEST(Plan, SizesAreThoseOfOnePicture) {
  const Graph graph = mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = 9});
  const Plan plan = Plan::compile(graph, test::random_weights(graph), {.batch = 3});
  EXPECT_EQ(plan.batch(), 3);
  EXPECT_EQ(plan.input_size(), 32u * 32u * 3u);
  EXPECT_EQ(plan.output_size(), 9u);
  Plan::Workspace workspace = plan.make_workspace();
  EXPECT_EQ(plan.input(workspace).size(), 3 * plan.input_size());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(plan.input(workspace).data()) % 64, 0u);
  EXPECT_EQ(plan.forward(workspace).size(), 3 * plan.output_size());
  EXPECT_GE(plan.workspace_bytes(), 3 * plan.input_size() * sizeof(float));
}

class SameBits : public testing::Test {
 protected:
  Graph graph_ = mobilenet_v2({.width = 1, .image_size = 96, .classes = 11});
  Weights weights_ = test::random_weights(graph_);
  std::size_t size_ = 96 * 96 * 3;
  std::vector<float> picture_ = random_values(size_, 1);
  std::vector<float> expected_ = run(Plan::compile(graph_, weights_), picture_);
};

TEST_F(SameBits, ForAnyNumberOfThreads) {
  for (const int threads : {1, 2, 3, 5}) {
    const Plan plan = Plan::compile(graph_, weights_, {.threads = threads});
    EXPECT_TRUE(same_bits(run(plan, picture_), expected_)) << threads;
    EXPECT_TRUE(same_bits(run(plan, picture_, threads), expected_)) << threads;
  }
}

TEST_F(SameBits, ForATeamThatIsSmallerThanThePlanAllows) {
  const Plan plan = Plan::compile(graph_, weights_, {.threads = 4});
  EXPECT_TRUE(same_bits(run(plan, picture_, 2), expected_));
}

TEST_F(SameBits, PictureAfterPictureByATeam) {
  const Plan plan = Plan::compile(graph_, weights_, {.threads = 3});
  Team team(3);
  Plan::Workspace workspace = plan.make_workspace();
  std::copy(picture_.begin(), picture_.end(), plan.input(workspace).begin());
  for (int again = 0; again < 50; ++again) {
    EXPECT_TRUE(same_bits(plan.forward(workspace, team), expected_)) << again;
  }
}

TEST_F(SameBits, AtEveryPlaceOfABatchByATeam) {
  const Plan plan = Plan::compile(graph_, weights_, {.batch = 3, .threads = 2});
  std::vector<float> pictures;
  for (int i = 0; i < 3; ++i) pictures.insert(pictures.end(), picture_.begin(), picture_.end());
  const auto y = run(plan, pictures, 2);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(same_bits(std::span(y).subspan(i * 11, 11), expected_)) << i;
  }
}

TEST_F(SameBits, AtEveryPlaceOfABatchOfAnySizeWhateverTheNeighbours) {
  for (const int batch : {2, 3, 4, 5}) {
    const Plan plan = Plan::compile(graph_, weights_, {.batch = batch});
    for (std::size_t place = 0; place < static_cast<std::size_t>(batch); ++place) {
      auto pictures = random_values(size_ * static_cast<std::size_t>(batch), place + 10);
      for (std::size_t i = 0; i < pictures.size(); i += 7) {
        pictures[i] = std::numeric_limits<float>::quiet_NaN();
      }
      std::copy(picture_.begin(), picture_.end(),
                pictures.begin() + static_cast<std::ptrdiff_t>(place * size_));
      const auto y = run(plan, pictures);
      EXPECT_TRUE(same_bits(std::span(y).subspan(place * 11, 11), expected_))
          << "place " << place << " of " << batch;
    }
  }
}

TEST_F(SameBits, AfterAnythingElseHasBeenInTheWorkspace) {
  const Plan plan = Plan::compile(graph_, weights_);
  Plan::Workspace workspace = plan.make_workspace();
  const auto input = plan.input(workspace);
  std::fill(input.begin(), input.end(), std::numeric_limits<float>::quiet_NaN());
  static_cast<void>(plan.forward(workspace));
  std::copy(picture_.begin(), picture_.end(), input.begin());
  for (int again = 0; again < 3; ++again) {  // the input stays as it was filled
    EXPECT_TRUE(same_bits(plan.forward(workspace), expected_));
  }
}

TEST_F(SameBits, OnManyThreadsAtOnceWithAWorkspaceEach) {
  const Plan plan = Plan::compile(graph_, weights_, {.batch = 2});
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      Plan::Workspace workspace = plan.make_workspace();
      const auto input = plan.input(workspace);
      for (std::size_t round = 0; round < 5; ++round) {
        const auto other = random_values(size_, 100 + t * 10 + round);
        const std::size_t place = round % 2;
        std::copy(picture_.begin(), picture_.end(), input.subspan(place * size_).begin());
        std::copy(other.begin(), other.end(), input.subspan((1 - place) * size_).begin());
        const auto y = plan.forward(workspace).subspan(place * 11, 11);
        wrong[t] += same_bits(y, expected_) ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

TEST_F(SameBits, AfterThePlanHasMoved) {
  Plan first = Plan::compile(graph_, weights_);
  Plan::Workspace workspace = first.make_workspace();
  const Plan plan = std::move(first);
  std::copy(picture_.begin(), picture_.end(), plan.input(workspace).begin());
  Plan::Workspace moved = std::move(workspace);
  EXPECT_TRUE(same_bits(plan.forward(moved), expected_));
}

TEST(PlanErrors, OptionsOutOfRangeAreUsage) {
  const Graph graph(Shape{2, 2, 3});
  for (const int batch : {0, -1, 1 << 30}) {
    expect_error(ErrorKind::kUsage, HasSubstr("batch"),
                 [&] { static_cast<void>(Plan::compile(graph, {}, {.batch = batch})); });
  }
  for (const int threads : {0, -5, 100000}) {
    expect_error(ErrorKind::kUsage, HasSubstr("threads"),
                 [&] { static_cast<void>(Plan::compile(graph, {}, {.threads = threads})); });
  }
}

TEST(PlanErrors, ATeamOfMoreThreadsThanThePlanIsMadeForIsUsage) {
  GraphBuilder g({4});
  const Graph graph = g.finish(g.dense("top", g.input(), 3));
  const Plan plan = Plan::compile(graph, test::random_weights(graph), {.threads = 2});
  Plan::Workspace workspace = plan.make_workspace();
  Team team(3);
  expect_error(ErrorKind::kUsage, HasSubstr("a team of 3 threads for a plan made for 2"),
               [&] { static_cast<void>(plan.forward(workspace, team)); });
}

TEST(PlanErrors, MissingAndMisshapenWeightsAreNamed) {
  GraphBuilder g({4});
  const Graph graph = g.finish(g.dense("top", g.input(), 3));
  expect_error(ErrorKind::kBadInput, HasSubstr("top/kernel"),
               [&] { static_cast<void>(Plan::compile(graph, {})); });
  Weights weights = test::random_weights(graph);
  weights.set("top/kernel", Tensor(Shape{3, 4}));
  expect_error(ErrorKind::kBadInput, HasSubstr("top/kernel"),
               [&] { static_cast<void>(Plan::compile(graph, weights)); });
}

TEST(PlanErrors, MoreMemoryThanAnyMachineHasIsUsage) {
  const Graph graph(Shape{60000, 60000, 3});
  expect_error(ErrorKind::kUsage, HasSubstr("memory"),
               [&] { static_cast<void>(Plan::compile(graph, {}, {.batch = 60000})); });
}

TEST(PlanErrors, AnotherPlansWorkspaceIsUsage) {
  const Graph graph(Shape{2, 2, 3});
  const Plan plan = Plan::compile(graph, {}), other = Plan::compile(graph, {});
  Plan::Workspace empty, foreign = other.make_workspace();
  for (Plan::Workspace* workspace : {&empty, &foreign}) {
    expect_error(ErrorKind::kUsage, HasSubstr("workspace"),
                 [&] { static_cast<void>(plan.forward(*workspace)); });
  }
}

}  // namespace engraft::plan_test
