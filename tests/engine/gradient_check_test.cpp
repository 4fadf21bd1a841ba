// The check that the gradient tests rest on: would it see a small mistake?
#include <gmock/gmock.h>

#include <map>

#include "gradient_harness.h"
#include "gradient_networks.h"

namespace engraft::gradient_check_test {

using ::testing::Contains;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// Below a batch norm with the batch's own statistics, which takes every channel's mean off, the
/// gradient by beta of a linear batch norm is zero: a factor changes nothing there.
constexpr double kZero = 1e-9;

struct Checked {
  test::GradientProblem problem;
  test::GradientResult result;
  test::ExactGradient exact;
};

/// Inverted residuals, worked out once for all tests.
const Checked& checked(BatchNormMode mode) {
  static std::map<BatchNormMode, Checked> made;
  if (const auto found = made.find(mode); found != made.end()) return found->second;
  GraphBuilder g({6, 6, 4});
  ValueId x = g.conv("below", g.input(), {.channels = 4});
  x = test::inverted_residual(g, "a", x, 1);
  x = test::inverted_residual(g, "b", x, 2);
  x = g.apply(Op::kGlobalAveragePool, "pool", x);
  test::GradientProblem problem = test::gradient_problem(g.finish(g.dense("dense", x, 3)), 5);
  problem.mode = mode;
  const test::GradientResult result = test::run_gradient(problem);
  const test::ExactGradient exact = test::exact_gradient(problem, result, 40);
  return made.emplace(mode, Checked{problem, result, exact}).first->second;
}

class GradientCheck : public testing::TestWithParam<BatchNormMode> {
 protected:
  static std::size_t largest_of(const test::ExactGradient::Slot& slot) {
    return static_cast<std::size_t>(
        std::ranges::max_element(slot.derivatives, {}, [](double d) { return std::abs(d); }) -
        slot.derivatives.begin());
  }
  static bool is_zero(const test::ExactGradient::Slot& slot) {
    return std::abs(slot.derivatives[largest_of(slot)]) < kZero;
  }

  const test::GradientProblem& problem_ = checked(GetParam()).problem;
  const test::GradientResult& result_ = checked(GetParam()).result;
  const test::ExactGradient& exact_ = checked(GetParam()).exact;
};

TEST_P(GradientCheck, TakesTheRightGradient) {
  EXPECT_THAT(test::gradient_failures(exact_, result_.gradient), IsEmpty());
}

TEST_P(GradientCheck, CatchesOneParametersGradientThatIsATenthOfAPercentTooLarge) {
  int caught = 0;
  for (const auto& slot : exact_.slots) {
    if (is_zero(slot)) continue;
    std::vector<float> wrong = result_.gradient;
    for (float& value : result_.parameters.of(std::span(wrong), slot.parameter)) value *= 1.001f;
    const auto failures = test::gradient_failures(exact_, wrong);
    EXPECT_THAT(failures, Not(IsEmpty())) << slot.parameter;
    EXPECT_THAT(failures, Each(StartsWith(slot.parameter + "[")));
    ++caught;
  }
  EXPECT_GE(caught, 20);  // of 21 parameters
}

TEST_P(GradientCheck, CatchesOneLargeValueThatIsATenthOfAPercentTooLarge) {
  for (const auto& slot : exact_.slots) {
    if (is_zero(slot)) continue;
    std::vector<float> wrong = result_.gradient;
    wrong[slot.offset + slot.indices[largest_of(slot)]] *= 1.001f;
    EXPECT_THAT(test::gradient_failures(exact_, wrong), SizeIs(1)) << slot.parameter;
  }
}

TEST_P(GradientCheck, CatchesANaN) {
  std::vector<float> wrong = result_.gradient;
  const auto& slot = exact_.slots.back();
  wrong[slot.offset + slot.indices[0]] = std::nanf("");
  EXPECT_THAT(test::gradient_failures(exact_, wrong), SizeIs(1));
}

TEST_P(GradientCheck, CatchesAGradientThatSomeMicroBatchIsMissingFrom) {
  test::GradientProblem fewer = problem_;
  fewer.coefficients[4].assign(3, 0.0f);
  EXPECT_THAT(test::gradient_failures(exact_, test::run_gradient(fewer).gradient),
              Contains(StartsWith("dense/kernel")));
}

INSTANTIATE_TEST_SUITE_P(Modes, GradientCheck,
                         testing::Values(BatchNormMode::kFrozen, BatchNormMode::kTrainable),
                         [](const auto& spec) {
                           return spec.param == BatchNormMode::kFrozen ? "Frozen" : "Trainable";
                         });

}  // namespace engraft::gradient_check_test
