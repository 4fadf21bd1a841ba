// One batch, one gradient, to the bit: whoever computes it and whatever ran before.
#include <gmock/gmock.h>

#include <bit>
#include <limits>
#include <map>

#include "engraft/graph/mobilenet_v2.h"
#include "gradient_harness.h"
#include "gradient_networks.h"

namespace engraft::gradient_bits_test {

using test::GradientProblem;
using test::GradientResult;
using test::run_on;
using ::testing::IsEmpty;

std::vector<std::uint32_t> bits_of(std::span<const float> values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

void expect_same_bits(const GradientResult& a, const GradientResult& b, const std::string& what) {
  EXPECT_EQ(bits_of(a.gradient), bits_of(b.gradient)) << what << ": gradient";
  EXPECT_EQ(bits_of(a.statistics), bits_of(b.statistics)) << what << ": moving statistics";
}

DropoutRng rng_of_picture() {
  return [](std::size_t picture, int layer) {
    return Rng(5, 1 + static_cast<std::uint64_t>(layer), picture);
  };
}

/// A value that is not what any sound run writes, in every picture and gradient of the output.
GradientProblem poisoned(GradientProblem problem, float value) {
  for (auto& picture : problem.pictures) std::ranges::fill(picture, value);
  for (auto& d_output : problem.coefficients) std::ranges::fill(d_output, value);
  return problem;
}

struct BitsCase {
  BatchNormMode mode;
  int micro_batch;
};

class GradientBits : public testing::TestWithParam<BitsCase> {
 protected:
  static GradientProblem problem(Graph graph, std::size_t pictures) {
    GradientProblem made = test::gradient_problem(std::move(graph), pictures);
    made.mode = GetParam().mode;
    made.micro_batch = GetParam().micro_batch;
    made.dropout = rng_of_picture();
    return made;
  }
};

TEST_P(GradientBits, AreTheSameForAnyNumberOfThreadsAtEveryBatchSize) {
  const GradientProblem given = problem(test::small_mobilenet(), 32);
  ThreadPool one(1);
  GradientRunner alone(given.graph, options_of(given), one);
  for (const int threads : {2, 3}) {
    ThreadPool pool(threads);
    GradientRunner together(given.graph, options_of(given), pool);
    for (const std::size_t pictures : {1u, 2u, 5u, 32u}) {
      expect_same_bits(run_on(together, given, pictures), run_on(alone, given, pictures),
                       fmt::format("{} pictures on {} threads", pictures, threads));
    }
  }
}

TEST_P(GradientBits, AreTheSameForAnyNumberOfThreadsWhereEarlyStepsRunPictureByPicture) {
  const GradientProblem given = problem(test::staged_mobilenet(), 6);
  expect_same_bits(test::run_gradient(given, 1), test::run_gradient(given, 3), "3 threads");
}

TEST_P(GradientBits, OfMobileNetV2AreTheSameForAnyNumberOfThreads) {
  const GradientProblem given =
      problem(mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = 5}), 5);
  const GradientResult alone = test::run_gradient(given, 1);
  expect_same_bits(test::run_gradient(given, 2), alone, "2 threads");
  expect_same_bits(test::run_gradient(given, 3), alone, "3 threads");
}

TEST_P(GradientBits, AreTheSameEachTimeOnOneRunnerAlsoAfterOtherBatchSizes) {
  const GradientProblem given = problem(test::small_mobilenet(), 32);
  ThreadPool pool(2);
  GradientRunner runner(given.graph, options_of(given), pool);
  std::map<std::size_t, GradientResult> first;
  for (const std::size_t pictures : {5u, 5u, 32u, 1u, 5u, 2u, 32u, 2u, 1u}) {
    const GradientResult result = run_on(runner, given, pictures);
    const auto& expected = first.try_emplace(pictures, result).first->second;
    expect_same_bits(result, expected, fmt::format("{} pictures", pictures));
  }
  ThreadPool other(2);
  GradientRunner fresh(given.graph, options_of(given), other);
  expect_same_bits(run_on(fresh, given, 2), first.at(2), "a fresh runner");
}

/// All of the memory is poisoned first, the places too that a last micro-batch leaves empty.
TEST_P(GradientBits, AreTheSameAfterPicturesOfNaNsAndHugeValues) {
  for (Graph graph : {test::small_mobilenet(), test::staged_mobilenet()}) {
    const GradientProblem given = problem(std::move(graph), 8);
    ThreadPool pool(1);
    GradientRunner runner(given.graph, options_of(given), pool);
    for (const float poison :
         {std::numeric_limits<float>::quiet_NaN(), 1e30f, std::numeric_limits<float>::infinity()}) {
      for (const std::size_t pictures : {1u, 5u, 8u}) {
        static_cast<void>(run_on(runner, poisoned(given, poison)));
        const GradientResult result = run_on(runner, given, pictures);
        GradientRunner fresh(given.graph, options_of(given), pool);
        expect_same_bits(result, run_on(fresh, given, pictures),
                         fmt::format("{} pictures after {}", pictures, poison));
        for (const float value : result.gradient) ASSERT_TRUE(std::isfinite(value));
      }
    }
  }
}

TEST_P(GradientBits, AreTheSameAfterOtherParameters) {
  const GradientProblem given = problem(test::small_mobilenet(), 5);
  GradientProblem others = given;
  others.weights = test::random_weights(given.graph, 77);
  ThreadPool pool(2);
  GradientRunner runner(given.graph, options_of(given), pool);
  const GradientResult first = run_on(runner, given);
  EXPECT_NE(bits_of(run_on(runner, others).gradient), bits_of(first.gradient));
  expect_same_bits(run_on(runner, given), first, "back again");
}

INSTANTIATE_TEST_SUITE_P(
    ModesAndMicroBatches, GradientBits,
    testing::Values(BitsCase{BatchNormMode::kFrozen, 1}, BitsCase{BatchNormMode::kFrozen, 2},
                    BitsCase{BatchNormMode::kFrozen, 4}, BitsCase{BatchNormMode::kTrainable, 1},
                    BitsCase{BatchNormMode::kTrainable, 2}, BitsCase{BatchNormMode::kTrainable, 4}),
    [](const auto& spec) {
      const bool frozen = spec.param.mode == BatchNormMode::kFrozen;
      return fmt::format("{}{}", frozen ? "Frozen" : "Trainable", spec.param.micro_batch);
    });

/// Pictures without a loss stand where a last micro-batch that is not full has empty places.
TEST(GradientOfPicturesWithoutALoss, IsNothing) {
  for (const int micro_batch : {1, 2, 4}) {
    GradientProblem given = test::gradient_problem(test::small_mobilenet(), 8);
    given.micro_batch = micro_batch;
    for (std::size_t i = 5; i < 8; ++i) given.coefficients[i].assign(3, 0.0f);
    const GradientResult eight = test::run_gradient(given);
    given.pictures.resize(5);
    // Equal, if not to the bit: 0 and -0.
    EXPECT_EQ(eight.gradient, test::run_gradient(given).gradient) << micro_batch;
  }
}

double largest_of(std::span<const float> values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(double{value}));
  return largest;
}

/// Parameters whose gradients differ by more than rounding's few millionths; beside those of their
/// own, a millionth of the largest of all is for what is zero but for rounding.
std::vector<std::string> differences(const GradientResult& a, const GradientResult& b) {
  std::vector<std::string> found;
  for (const auto& slot : a.parameters.slots()) {
    const auto x = a.parameters.of(std::span<const float>(a.gradient), slot.name);
    const auto y = b.parameters.of(std::span<const float>(b.gradient), slot.name);
    const double allowed = 1e-5 * largest_of(x) + 1e-6 * largest_of(a.gradient);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double difference = std::abs(double{x[i]} - y[i]);
      if (difference <= allowed) continue;
      found.push_back(fmt::format("{}: {} and {}", slot.name, x[i], y[i]));
      break;
    }
  }
  for (std::size_t i = 0; i < a.statistics.size(); ++i) {
    const double difference = std::abs(double{a.statistics[i]} - b.statistics[i]);
    if (!(difference <= 1e-6)) found.push_back(fmt::format("statistic {}: {}", i, difference));
  }
  return found;
}

class MicroBatch : public testing::TestWithParam<BatchNormMode> {};

/// In micro-batches of one, all steps run on as many pictures at a time; in larger ones, the early
/// steps of the second network run picture by picture, and all of the third's.
TEST_P(MicroBatch, ItsSizeChangesTheLastBitsOnly) {
  for (Graph graph :
       {test::small_mobilenet(), test::staged_mobilenet(), test::unstaged_network()}) {
    GradientProblem problem = test::gradient_problem(std::move(graph), 5);
    problem.mode = GetParam();
    problem.dropout = rng_of_picture();
    problem.micro_batch = 1;
    const GradientResult one = test::run_gradient(problem);
    for (const int micro_batch : {2, 3, 4, 5, 8}) {
      problem.micro_batch = micro_batch;
      EXPECT_THAT(differences(one, test::run_gradient(problem)), IsEmpty())
          << "micro-batches of " << micro_batch;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, MicroBatch,
                         testing::Values(BatchNormMode::kFrozen, BatchNormMode::kTrainable),
                         [](const auto& spec) {
                           return spec.param == BatchNormMode::kFrozen ? "Frozen" : "Trainable";
                         });

}  // namespace engraft::gradient_bits_test
