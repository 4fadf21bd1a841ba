// Plans that compute in 8-bit integers, and the ranges that they need.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "block_networks.h"
#include "engraft/engine/batch_runner.h"
#include "engraft/engine/calibration.h"
#include "engraft/engine/quantization.h"
#include "plan_harness.h"
#include "support/errors.h"
#include "support/random_weights.h"

namespace engraft::quantized_plan_test {

using test::block;
using test::random_values;
using test::run;
using test::same_bits;
using test::stem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::UnorderedElementsAre;

/// The first block of a network, two of those behind it, and a wide 1×1 convolution.
Graph network() {
  GraphBuilder g({20, 20, 3});
  ValueId x = block(g, "a", g.input(), stem({.out = 8}));
  x = block(g, "b", x, {.expanded = 48, .stride = 2, .out = 8});
  x = block(g, "c", x, {.expanded = 48, .out = 8, .residual = true});
  x = g.conv("d", x, {.channels = 160, .bias = Bias::kAdded});
  x = g.apply(Op::kRelu6, "d_relu", x);
  x = g.conv("e", x, {.channels = 240, .bias = Bias::kAdded});
  return g.finish(x);
}

class QuantizedPlan : public testing::Test {
 protected:
  static constexpr std::size_t kPictures = 4;

  [[nodiscard]] ActivationRanges ranges(int threads = 2, std::size_t first = 0) const {
    ThreadPool pool(threads);
    const std::size_t size = pictures_.size() / kPictures;
    return calibrate(
        graph_, weights_, kPictures - first,
        [&](std::size_t i, std::span<float> input) {
          std::ranges::copy(std::span(pictures_).subspan((first + i) * size, size), input.begin());
          return true;
        },
        pool);
  }
  [[nodiscard]] std::vector<float> outputs(const ActivationRanges* ranges) const {
    return run(Plan::compile(graph_, weights_, {.batch = kPictures, .ranges = ranges}), pictures_);
  }
  [[nodiscard]] std::vector<std::string> quantized(const ActivationRanges& ranges) const {
    const StepList list =
        quantize_steps(test::fused_steps(graph_, LowerFor::kInference),
                       fold_batch_norm(graph_, DropoutNodes::kRemove).graph, ranges);
    std::vector<std::string> names;
    for (const Step& step : list.steps) {
      if (step.ranges) names.push_back(step.name);
    }
    return names;
  }

  Graph graph_ = network();
  Weights weights_ = test::random_weights(graph_);
  std::vector<float> pictures_ = random_values(
      kPictures * static_cast<std::size_t>(graph_.shape(graph_.input()).elements()), 1);
};

TEST_F(QuantizedPlan, TakesBlocksAndBigLayersButNotTheFirstBlock) {
  EXPECT_THAT(quantized(ranges()), ElementsAre("b_expand", "c_expand", "e"));
}

TEST_F(QuantizedPlan, LooksAtWhatTheseStepsRead) {
  EXPECT_THAT(ranges(),
              UnorderedElementsAre(Key("a_project"), Key("b_e"), Key("b_d"), Key("b_project"),
                                   Key("c_e"), Key("c_d"), Key("d_relu")));
}

TEST_F(QuantizedPlan, IsNearThePlanInFloatsAndNotTheSame) {
  const ActivationRanges known = ranges();
  const std::vector<float> expected = outputs(nullptr), y = outputs(&known);
  double error = 0, size = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    error += std::pow(y[i] - expected[i], 2);
    size += std::pow(expected[i], 2);
  }
  EXPECT_LT(std::sqrt(error / size), 0.05);
  EXPECT_GT(error, 0);
}

TEST_F(QuantizedPlan, HasTheSameBitsForAnyBatchAndTeam) {
  const ActivationRanges known = ranges();
  const std::vector<float> expected = outputs(&known);
  const std::size_t size = pictures_.size() / kPictures, out = expected.size() / kPictures;
  for (const int threads : {1, 2, 3, 4}) {
    const Plan plan = Plan::compile(graph_, weights_, {.threads = threads, .ranges = &known});
    for (std::size_t i = 0; i < kPictures; ++i) {
      const auto y = run(plan, std::span(pictures_).subspan(i * size, size), threads);
      EXPECT_TRUE(same_bits(y, std::span(expected).subspan(i * out, out))) << threads << ", " << i;
    }
  }
}

TEST_F(QuantizedPlan, IsWhatABatchRunnerRuns) {
  const ActivationRanges known = ranges();
  const std::vector<float> expected = outputs(&known);
  ThreadPool pool(2);
  BatchRunner runner(graph_, weights_, pool, &known);
  const std::size_t size = pictures_.size() / kPictures, out = expected.size() / kPictures;
  std::vector<float> y(expected.size());
  runner.run(
      kPictures,
      [&](std::size_t i, std::span<float> input) {
        std::ranges::copy(std::span(pictures_).subspan(i * size, size), input.begin());
        return true;
      },
      [&](std::size_t i, std::span<const float> output) {
        std::ranges::copy(output, y.begin() + static_cast<std::ptrdiff_t>(i * out));
      });
  EXPECT_TRUE(same_bits(y, expected));
}

TEST_F(QuantizedPlan, WhatHasNoRangesStaysInFloats) {
  ActivationRanges known = ranges();
  known.erase("c_d");
  EXPECT_THAT(quantized(known), ElementsAre("b_expand", "e"));
  known.clear();
  EXPECT_THAT(quantized(known), IsEmpty());
  EXPECT_TRUE(same_bits(outputs(&known), outputs(nullptr)));
}

TEST_F(QuantizedPlan, RangesOfOtherValuesAreNotLookedAt) {
  ActivationRanges known = ranges();
  const std::vector<float> expected = outputs(&known);
  known["somewhere else"] = {-1, 1};
  EXPECT_TRUE(same_bits(outputs(&known), expected));
}

TEST_F(QuantizedPlan, RangesAreTheSameForAnyNumberOfThreads) {
  const ActivationRanges expected = ranges(1);
  for (const int threads : {2, 3, 4}) EXPECT_EQ(ranges(threads), expected);
}

TEST_F(QuantizedPlan, RangesHoldZeroAndAllThatWasSeen) {
  const ActivationRanges all = ranges(), some = ranges(2, 2);
  for (const auto& [name, range] : all) {
    EXPECT_LE(range.low, 0) << name;
    EXPECT_GT(range.high, 0) << name;
    EXPECT_LE(range.low, some.at(name).low) << name;
    EXPECT_GE(range.high, some.at(name).high) << name;
  }
  EXPECT_EQ(all.at("d_relu").low, 0);
  EXPECT_LE(all.at("d_relu").high, 6);
}

TEST_F(QuantizedPlan, RangesAreTheGreatestAndSmallestOfTheReferencesValues) {
  const ActivationRanges known = ranges();
  const auto parameters = reference_parameters<double>(weights_);
  ActivationRanges expected;
  const std::size_t size = pictures_.size() / kPictures;
  for (std::size_t i = 0; i < kPictures; ++i) {
    const auto one = std::span(pictures_).subspan(i * size, size);
    const auto values =
        reference_run<double>(graph_, parameters, std::vector<double>(one.begin(), one.end()));
    for (const auto& [name, range] : known) {
      for (const double value : values[static_cast<std::size_t>(graph_.find(name))]) {
        expected[name].low = std::min(expected[name].low, static_cast<float>(value));
        expected[name].high = std::max(expected[name].high, static_cast<float>(value));
      }
    }
  }
  for (const auto& [name, range] : known) {
    EXPECT_NEAR(range.low, expected[name].low, 1e-4) << name;
    EXPECT_NEAR(range.high, expected[name].high, 1e-4) << name;
  }
}

TEST_F(QuantizedPlan, PicturesThatAreLeftOutAreNotLookedAt) {
  ThreadPool pool(2);
  const std::size_t size = pictures_.size() / kPictures;
  const auto last_two = calibrate(
      graph_, weights_, kPictures,
      [&](std::size_t i, std::span<float> input) {
        if (i < 2) return false;
        std::ranges::copy(std::span(pictures_).subspan(i * size, size), input.begin());
        return true;
      },
      pool);
  EXPECT_EQ(last_two, ranges(2, 2));
}

TEST_F(QuantizedPlan, WithoutAPictureThereAreNoRanges) {
  ThreadPool pool(2);
  const auto none = [](std::size_t, std::span<float>) { return false; };
  for (const std::size_t pictures : {0, 3}) {
    test::expect_error(ErrorKind::kBadInput, testing::HasSubstr("at least one picture"), [&] {
      static_cast<void>(calibrate(graph_, weights_, pictures, none, pool));
    });
  }
}

TEST_F(QuantizedPlan, ValuesThatAreNotFiniteHaveNoRanges) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::string bias = "b_project/bias";
  const Tensor whole = weights_.at(bias);
  for (const std::int64_t channel : {0, 3, 7}) {  // the others do not hide it
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
      Tensor damaged = whole;
      damaged.values()[static_cast<std::size_t>(channel)] = bad;
      weights_.set(bias, std::move(damaged));
      test::expect_error(ErrorKind::kUnsupported, testing::HasSubstr("infinite or no number"),
                         [&] { (void)ranges(); });
    }
  }
}

TEST_F(QuantizedPlan, AnExceptionOfThePicturesComesThrough) {
  ThreadPool pool(2);
  const auto stops = [](std::size_t, std::span<float>) -> bool {
    throw Error(ErrorKind::kCancelled, "stopped");
  };
  test::expect_error(ErrorKind::kCancelled, "stopped",
                     [&] { static_cast<void>(calibrate(graph_, weights_, 3, stops, pool)); });
}

}  // namespace engraft::quantized_plan_test
