// What a GradientRunner promises beside right numbers: errors, memory, odd batches.
#include "engraft/engine/training/gradient_runner.h"

#include <gmock/gmock.h>

#include "engraft/engine/training/reference_batch.h"
#include "engraft/graph/mobilenet_v2.h"
#include "gradient_harness.h"
#include "gradient_networks.h"
#include "support/errors.h"

namespace engraft::gradient_runner_test {

using test::expect_error;
using test::GradientProblem;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

GradientProblem small_problem(BatchNormMode mode, std::size_t pictures = 5) {
  GradientProblem problem = test::gradient_problem(test::small_mobilenet(), pictures);
  problem.mode = mode;
  return problem;
}

class GradientRunnerTest : public testing::TestWithParam<BatchNormMode> {};

TEST_P(GradientRunnerTest, ABatchWithoutPicturesHasAGradientOfZeroAndMovesNothing) {
  const GradientProblem problem = small_problem(GetParam(), 0);
  const test::GradientResult result = test::run_gradient(problem);
  EXPECT_THAT(result.gradient, Each(0.0f));
  EXPECT_EQ(result.statistics, moving_statistics(problem.graph).gather(problem.weights));
}

TEST_P(GradientRunnerTest, ParametersAndStatisticsAreThoseOfTheGraph) {
  const GradientProblem problem = small_problem(GetParam());
  ThreadPool pool(1);
  const GradientRunner runner(problem.graph, options_of(problem), pool);
  EXPECT_EQ(runner.parameters().size(), trainable_parameters(problem.graph).size());
  EXPECT_EQ(runner.statistics().size(), moving_statistics(problem.graph).size());
  EXPECT_TRUE(runner.parameters().contains("bn_Conv1/gamma"));
  EXPECT_TRUE(runner.statistics().contains("bn_Conv1/moving_variance"));
}

TEST_P(GradientRunnerTest, FillsAndJudgesEachPictureOnce) {
  const GradientProblem problem = small_problem(GetParam(), 11);
  ThreadPool pool(3);
  GradientRunner runner(problem.graph, {.plan = {.micro_batch = 4, .batch_norm = GetParam()}},
                        pool);
  std::vector<int> filled(11), judged(11);
  std::vector<float> statistics = runner.statistics().gather(problem.weights);
  std::vector<float> gradient(runner.parameters().size());
  runner.run(runner.parameters().gather(problem.weights), statistics,
             {.pictures = 11,
              .fill =
                  [&](std::size_t i, std::span<float> input) {
                    EXPECT_EQ(input.size(), problem.pictures[i].size());
                    std::ranges::copy(problem.pictures[i], input.begin());
                    ++filled[i];
                  },
              .loss =
                  [&](std::size_t i, std::span<const float> output, std::span<float> d_output) {
                    EXPECT_EQ(output.size(), 3u);
                    EXPECT_THAT(d_output, Each(0.0f));
                    ++judged[i];
                  },
              .dropout = {}},
             gradient);
  EXPECT_THAT(filled, Each(1));
  EXPECT_THAT(judged, Each(1));
  EXPECT_THAT(gradient, Each(0.0f)) << "a loss that writes no gradient";
}

TEST_P(GradientRunnerTest, ALossOfAMicroBatchTogetherIsThatOfItsPictures) {
  const GradientProblem problem = small_problem(GetParam(), 10);
  ThreadPool pool(2);
  GradientRunner runner(problem.graph, {.plan = {.micro_batch = 4, .batch_norm = GetParam()}},
                        pool);
  const std::vector<float> parameters = runner.parameters().gather(problem.weights);
  const auto one = [](std::size_t i, std::span<const float> output, std::span<float> d_output) {
    for (std::size_t k = 0; k < output.size(); ++k) {
      d_output[k] = static_cast<float>(i + 1) * output[k];
    }
  };
  GradientBatch batch{.pictures = 10,
                      .fill =
                          [&](std::size_t i, std::span<float> input) {
                            std::ranges::copy(problem.pictures[i], input.begin());
                          },
                      .loss = one,
                      .dropout = {}};
  const auto gradient_of = [&] {
    std::vector<float> statistics = runner.statistics().gather(problem.weights);
    std::vector<float> gradient(parameters.size());
    runner.run(parameters, statistics, batch, gradient);
    return gradient;
  };
  const std::vector<float> expected = gradient_of();
  std::vector<int> judged(10);
  batch.loss = {};
  batch.losses = [&](std::size_t first, std::span<const float> outputs,
                     std::span<float> d_outputs) {
    EXPECT_EQ(outputs.size(), d_outputs.size());
    const std::size_t size = 3, count = outputs.size() / size;
    EXPECT_EQ(count, first == 8 ? 2u : 4u);
    for (std::size_t p = 0; p < count; ++p) {
      ++judged[first + p];
      one(first + p, outputs.subspan(p * size, size), d_outputs.subspan(p * size, size));
    }
  };
  EXPECT_EQ(gradient_of(), expected);
  EXPECT_THAT(judged, Each(1));
}

TEST_P(GradientRunnerTest, OutputsAreTheReferences) {
  const GradientProblem problem = small_problem(GetParam(), 5);
  const auto parameters = reference_parameters<double>(problem.weights);
  std::vector<std::vector<double>> pictures;
  for (const auto& picture : problem.pictures)
    pictures.emplace_back(picture.begin(), picture.end());
  const auto values = reference_batch<double>(problem.graph, parameters, pictures, GetParam());
  ThreadPool pool(2);
  GradientRunner runner(problem.graph, options_of(problem), pool);
  std::vector<float> statistics = runner.statistics().gather(problem.weights);
  std::vector<float> gradient(runner.parameters().size());
  runner.run(runner.parameters().gather(problem.weights), statistics,
             {.pictures = 5,
              .fill =
                  [&](std::size_t i, std::span<float> input) {
                    std::ranges::copy(problem.pictures[i], input.begin());
                  },
              .loss =
                  [&](std::size_t i, std::span<const float> output, std::span<float>) {
                    const auto& exact = values[i][static_cast<std::size_t>(problem.graph.output())];
                    for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(output[k], exact[k], 2e-5);
                  },
              .dropout = {}},
             gradient);
}

TEST_P(GradientRunnerTest, AnErrorOfTheCallersComesThroughAndLeavesARunnerThatWorks) {
  const GradientProblem problem = small_problem(GetParam());
  ThreadPool pool(2);
  GradientRunner runner(problem.graph, options_of(problem), pool);
  const test::GradientResult before = run_on(runner, problem);
  std::vector<float> statistics = runner.statistics().gather(problem.weights);
  std::vector<float> gradient(runner.parameters().size());
  const std::vector<float> parameters = runner.parameters().gather(problem.weights);
  const auto fail = [] { throw Error(ErrorKind::kBadInput, "photo.jpg: truncated"); };
  const auto fill = [](std::size_t, std::span<float> input) { std::ranges::fill(input, 1.0f); };
  const auto loss = [](std::size_t, std::span<const float>, std::span<float>) {};
  expect_error(ErrorKind::kBadInput, HasSubstr("photo.jpg"), [&] {
    runner.run(parameters, statistics,
               {.pictures = 5,
                .fill = [&](std::size_t, std::span<float>) { fail(); },
                .loss = loss,
                .dropout = {}},
               gradient);
  });
  expect_error(ErrorKind::kBadInput, HasSubstr("photo.jpg"), [&] {
    runner.run(parameters, statistics,
               {.pictures = 5,
                .fill = fill,
                .loss =
                    [&](std::size_t i, std::span<const float>, std::span<float>) {
                      if (i == 4) fail();
                    },
                .dropout = {}},
               gradient);
  });
  EXPECT_EQ(run_on(runner, problem).gradient, before.gradient);
}

TEST_P(GradientRunnerTest, TakesMoreMemoryForMorePicturesAsItsModeNeeds) {
  const GradientProblem problem = small_problem(GetParam());
  ThreadPool pool(2);
  const GradientRunner runner(problem.graph, options_of(problem), pool);
  const std::size_t gradient = runner.parameters().size() * sizeof(float);
  const std::size_t one = runner.memory_bytes(1), two = runner.memory_bytes(3);
  EXPECT_GT(one, gradient);
  EXPECT_EQ(runner.memory_bytes(2), one) << "one micro-batch";
  EXPECT_GT(two, one) << "two";
  // From there on frozen batch norm takes gradients only: each worker has a workspace.
  const std::size_t more = runner.memory_bytes(5) - two;
  if (GetParam() == BatchNormMode::kFrozen) {
    EXPECT_LT(more, 2 * gradient);
  } else {
    EXPECT_EQ(more, two - one);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, GradientRunnerTest,
                         testing::Values(BatchNormMode::kFrozen, BatchNormMode::kTrainable),
                         [](const auto& spec) {
                           return spec.param == BatchNormMode::kFrozen ? "Frozen" : "Trainable";
                         });

TEST(GradientRunnerErrors, MicroBatchesOutOfRange) {
  ThreadPool pool(1);
  for (const int micro_batch : {0, -1, 1025}) {
    expect_error(
        ErrorKind::kUsage, AllOf(HasSubstr(std::to_string(micro_batch)), HasSubstr("1024")), [&] {
          GradientRunner(test::small_mobilenet(), {.plan = {.micro_batch = micro_batch}}, pool);
        });
  }
}

TEST(GradientRunnerErrors, AGraphWithoutSteps) {
  ThreadPool pool(1);
  expect_error(ErrorKind::kUsage, HasSubstr("steps"), [&] {
    GradientRunner(Graph(Shape{4, 4, 3}), {}, pool);
  });
}

class DamagedVariance : public testing::TestWithParam<float> {};

/// In front of a convolution a batch norm is not folded; behind one it is.
TEST_P(DamagedVariance, IsRefusedByNameWhereItIsUsed) {
  for (const bool folded : {false, true}) {
    GraphBuilder g({3, 3, 4});
    const ValueId x = folded ? g.conv("conv", g.input(), {.channels = 4}) : g.input();
    GradientProblem problem = test::gradient_problem(g.finish(g.batch_norm("bn", x, 1e-3f)), 2);
    Tensor variance = problem.weights.at("bn/moving_variance");
    variance.data()[2] = GetParam();
    problem.weights.set("bn/moving_variance", std::move(variance));
    expect_error(ErrorKind::kBadInput,
                 AllOf(HasSubstr("bn/moving_variance"), HasSubstr("channel 2")),
                 [&] { static_cast<void>(test::run_gradient(problem)); });
    problem.mode = BatchNormMode::kTrainable;
    EXPECT_NO_THROW(static_cast<void>(test::run_gradient(problem))) << "the batch's own is taken";
  }
}

INSTANTIATE_TEST_SUITE_P(Values, DamagedVariance, testing::Values(-1.0f, -2e-3f, std::nanf("")));

TEST(MovingStatistics, FollowTheBatchesMeanAndBiasedVariance) {
  GraphBuilder g({2, 3, 4});
  GradientProblem problem =
      test::gradient_problem(g.finish(g.batch_norm("bn", g.input(), 1e-3f)), 5);
  ThreadPool pool(2);
  GradientRunner runner(problem.graph,
                        {.plan = {.micro_batch = 2, .batch_norm = BatchNormMode::kTrainable},
                         .statistics_momentum = 0.9f},
                        pool);
  const test::GradientResult result = run_on(runner, problem);
  for (std::size_t c = 0; c < 4; ++c) {
    double sum = 0, squares = 0;
    for (const auto& picture : problem.pictures) {
      for (std::size_t i = c; i < picture.size(); i += 4) sum += double{picture[i]};
    }
    const double mean = sum / 30;
    for (const auto& picture : problem.pictures) {
      for (std::size_t i = c; i < picture.size(); i += 4) {
        squares += (double{picture[i]} - mean) * (double{picture[i]} - mean);
      }
    }
    const auto moving = [&](const char* name) {
      return double{problem.weights.at(name).data()[c]};
    };
    EXPECT_NEAR(result.statistics[c], 0.9 * moving("bn/moving_mean") + 0.1 * mean, 1e-6);
    EXPECT_NEAR(result.statistics[4 + c], 0.9 * moving("bn/moving_variance") + 0.1 * squares / 30,
                1e-6);
  }
}

TEST(MovingStatistics, StayAsTheyAreWhereTheyAreFrozen) {
  const GradientProblem problem = small_problem(BatchNormMode::kFrozen);
  EXPECT_EQ(test::run_gradient(problem).statistics,
            moving_statistics(problem.graph).gather(problem.weights));
}

/// One picture of one pixel has no variance: x̂ is 0, and nothing passes below.
TEST(TrainableBatchNorm, OfASingleValueAChannelIsFiniteAndPassesNothingOn) {
  GraphBuilder g({4});
  const ValueId x = g.batch_norm("bn", g.dense("dense", g.input(), 3), 1e-3f);
  GradientProblem problem = test::gradient_problem(g.finish(x), 1);
  problem.mode = BatchNormMode::kTrainable;
  test::GradientResult result = test::run_gradient(problem);
  for (const char* name : {"dense/kernel", "bn/gamma"}) {
    for (const float d : result.parameters.of(std::span(result.gradient), name)) {
      EXPECT_NEAR(d, 0, 1e-5) << name;
    }
  }
  EXPECT_THAT(result.parameters.of(std::span(result.gradient), "bn/beta"),
              testing::ElementsAreArray(problem.coefficients[0]));
}

/// x − mean is small beside the mean: without care the variance would be lost in float32. The mean
/// itself is off by up to 3e-5 there, and x̂ with it.
TEST(TrainableBatchNorm, KeepsSmallVariancesBesideLargeMeans) {
  GraphBuilder g({3, 3, 2});
  GradientProblem problem =
      test::gradient_problem(g.finish(g.batch_norm("bn", g.input(), 1e-3f)), 4);
  problem.mode = BatchNormMode::kTrainable;
  for (auto& picture : problem.pictures) {
    for (float& value : picture) value = 1000 + value;
  }
  problem.weights.set("bn/moving_mean", Tensor(Shape{2}, std::vector<float>{990, 1010}));
  const test::GradientResult result = test::run_gradient(problem);
  for (const auto& slot : test::exact_gradient(problem, result, 1000).slots) {
    for (std::size_t i = 0; i < slot.indices.size(); ++i) {
      EXPECT_NEAR(result.gradient[slot.offset + slot.indices[i]], slot.derivatives[i], 5e-4)
          << slot.parameter;
    }
  }
}

}  // namespace engraft::gradient_runner_test
