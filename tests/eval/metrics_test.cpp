#include "engraft/eval/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engraft/base/error.h"
#include "engraft/base/rng.h"

namespace engraft::metrics_test {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kZ = 1.959963984540054;

std::vector<std::string> names(int classes) {
  std::vector<std::string> result;
  for (int c = 0; c < classes; ++c) result.push_back("class" + std::to_string(c));
  return result;
}

/// Rows that put 0.9 on the predicted class and share the rest.
Tensor sure_of(const std::vector<int>& predicted, int classes) {
  Tensor result(Shape{static_cast<std::int64_t>(predicted.size()), classes});
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    const auto row = result.row(static_cast<std::int64_t>(i));
    std::fill(row.begin(), row.end(), 0.1f / static_cast<float>(classes - 1));
    row[static_cast<std::size_t>(predicted[i])] = 0.9f;
  }
  return result;
}

void expect_estimate(const Estimate& actual, double value, double low, double high,
                     double tolerance = 1e-4) {
  EXPECT_NEAR(actual.value, value, tolerance);
  EXPECT_NEAR(actual.low, low, tolerance);
  EXPECT_NEAR(actual.high, high, tolerance);
}

// Newcombe 1998, table I, method 3 (score, no continuity correction), rounded there to 4 places.
TEST(Wilson, GivesThePublishedIntervals) {
  expect_estimate(wilson(81, 263), 0.3080, 0.2553, 0.3662);
  expect_estimate(wilson(15, 148), 0.1014, 0.0624, 0.1605);
  expect_estimate(wilson(0, 20), 0.0, 0.0, 0.1611);
  expect_estimate(wilson(1, 29), 0.0345, 0.0061, 0.1718);
}

TEST(Wilson, EndsSolveTheScoreEquation) {
  for (const int n : {1, 2, 7, 30, 1000}) {
    for (int k = 0; k <= n; k += std::max(1, n / 7)) {
      const Estimate e = wilson(k, n);
      for (const double end : {e.low, e.high}) {
        // |p - end| = z·√(end(1-end)/n)
        EXPECT_NEAR(std::abs(e.value - end), kZ * std::sqrt(end * (1 - end) / n), 1e-9);
      }
    }
  }
}

TEST(Wilson, StaysInsideTheUnitIntervalAndHoldsItsValue) {
  for (const double n : {1.0, 3.0, 30.0, 1e6}) {
    for (const double share : {0.0, 0.001, 0.5, 0.999, 1.0}) {
      const Estimate e = wilson(share * n, n);
      EXPECT_GE(e.low, 0);
      EXPECT_LE(e.high, 1);
      EXPECT_LE(e.low, e.value);
      EXPECT_GE(e.high, e.value);
    }
  }
  EXPECT_EQ(wilson(0, 30).low, 0);
  EXPECT_EQ(wilson(30, 30).high, 1);
}

TEST(Wilson, KnowsNothingOfNothing) {
  expect_estimate(wilson(0, 0), 0, 0, 1, 0);
}

TEST(Wilson, NarrowsWithMorePicturesAndWidensWithZ) {
  EXPECT_LT(wilson(90, 100).high - wilson(90, 100).low, wilson(9, 10).high - wilson(9, 10).low);
  EXPECT_LT(wilson(9, 10, 1).high, wilson(9, 10, 3).high);
}

TEST(MeanOf, OfOneIsThatOne) {
  const Estimate one[] = {{0.7, 0.5, 0.8}};
  expect_estimate(mean_of(one), 0.7, 0.5, 0.8, 1e-12);
}

TEST(MeanOf, AddsTheSquaresOfTheDistances) {
  const Estimate two[] = {{0.8, 0.5, 0.9}, {0.6, 0.2, 1.0}};
  expect_estimate(mean_of(two), 0.7, 0.7 - std::hypot(0.3, 0.4) / 2,
                  std::min(1.0, 0.7 + std::hypot(0.1, 0.4) / 2), 1e-12);
}

TEST(MeanOf, IsClippedToShares) {
  const Estimate wide[] = {{0.05, 0, 1}, {0.95, 0, 1}};
  EXPECT_GE(mean_of(wide).low, 0);
  EXPECT_LE(mean_of(wide).high, 1);
  expect_estimate(mean_of({}), 0, 0, 1, 0);
}

TEST(Evaluate, CountsTheConfusionByTrueThenPredicted) {
  const std::vector<int> truth{0, 0, 0, 1, 1, 2}, predicted{0, 1, 1, 1, 2, 2};
  const Evaluation e = evaluate(sure_of(predicted, 3), truth, names(3));
  EXPECT_THAT(e.confusion,
              ElementsAre(ElementsAre(1, 2, 0), ElementsAre(0, 1, 1), ElementsAre(0, 0, 1)));
  EXPECT_EQ(e.n, 6);
  EXPECT_EQ(e.correct, 3);
  expect_estimate(e.accuracy, 0.5, wilson(3, 6).low, wilson(3, 6).high, 1e-12);
}

TEST(Evaluate, MeasuresEachClassAgainstTheRest) {
  const std::vector<int> truth{0, 0, 0, 1, 1, 2}, predicted{0, 1, 1, 1, 2, 2};
  const Evaluation e = evaluate(sure_of(predicted, 3), truth, names(3));
  ASSERT_EQ(e.per_class.size(), 3u);
  const ClassMetrics& middle = e.per_class[1];
  EXPECT_EQ(middle.label, "class1");
  EXPECT_EQ(middle.n, 2);
  EXPECT_EQ(middle.predicted, 3);
  EXPECT_NEAR(middle.precision.value, 1.0 / 3, 1e-12);
  EXPECT_NEAR(middle.recall.value, 1.0 / 2, 1e-12);
  EXPECT_NEAR(middle.f1.value, 2 * (1.0 / 3) * (1.0 / 2) / (1.0 / 3 + 1.0 / 2), 1e-12);
  EXPECT_NEAR(e.balanced_accuracy.value, (1.0 / 3 + 1.0 / 2 + 1) / 3, 1e-12);
  EXPECT_NEAR(e.macro_f1.value, (0.5 + 0.4 + 2.0 / 3) / 3, 1e-12);
}

TEST(Evaluate, CarriesTheJaccardIntervalOverToF1) {
  const std::vector<int> truth{0, 0, 0, 1, 1}, predicted{0, 0, 1, 1, 0};
  const Evaluation e = evaluate(sure_of(predicted, 2), truth, names(2));
  const Estimate jaccard = wilson(2, 4);  // class 0: 2 hits, 1 false, 1 missed
  expect_estimate(e.per_class[0].f1, 2 * 0.5 / 1.5, 2 * jaccard.low / (1 + jaccard.low),
                  2 * jaccard.high / (1 + jaccard.high), 1e-12);
}

TEST(Evaluate, BalancedAccuracyDoesNotRewardTheLargeClass) {
  const std::vector<int> truth{0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const Evaluation e = evaluate(sure_of(std::vector<int>(10, 0), 2), truth, names(2));
  EXPECT_NEAR(e.accuracy.value, 0.9, 1e-12);
  EXPECT_NEAR(e.balanced_accuracy.value, 0.5, 1e-12);
}

TEST(Evaluate, LeavesClassesWithoutPicturesOutOfTheMeans) {
  const std::vector<int> truth{0, 0, 1};
  const Evaluation e = evaluate(sure_of({0, 0, 1}, 3), truth, names(3));
  EXPECT_NEAR(e.balanced_accuracy.value, 1, 1e-12);
  EXPECT_NEAR(e.macro_f1.value, 1, 1e-12);
  expect_estimate(e.per_class[2].recall, 0, 0, 1, 0);
}

TEST(Evaluate, CountsAWronglyPredictedAbsentClassInMacroF1) {
  const std::vector<int> truth{0, 0, 1};
  const Evaluation e = evaluate(sure_of({0, 2, 1}, 3), truth, names(3));
  EXPECT_NEAR(e.macro_f1.value, (2.0 / 3 + 1 + 0) / 3, 1e-12);
}

TEST(Evaluate, TiesGoToTheLowerIndex) {
  Tensor even(Shape{2, 3});
  for (float& p : even.values()) p = 1.0f / 3;
  const Evaluation e = evaluate(even, std::vector<int>{0, 1}, names(3));
  EXPECT_EQ(e.confusion[0][0], 1);
  EXPECT_EQ(e.confusion[1][0], 1);
  EXPECT_EQ(e.top_k, 2);
  EXPECT_NEAR(e.top_k_accuracy.value, 1, 1e-12);
}

TEST(Evaluate, TopKIsGivenOnlyWhereItSaysSomething) {
  for (const auto& [classes, k] : {std::pair{2, 0}, {3, 2}, {5, 2}, {6, 5}, {1000, 5}}) {
    EXPECT_EQ(evaluate(sure_of({0}, classes), std::vector<int>{0}, names(classes)).top_k, k);
  }
}

TEST(Evaluate, TopFiveHoldsTheFifthAndNotTheSixth) {
  Tensor falling(Shape{2, 8});
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::size_t c = 0; c < 8; ++c) falling.row(i)[c] = 0.3f - 0.03f * static_cast<float>(c);
  }
  const Evaluation e = evaluate(falling, std::vector<int>{4, 5}, names(8));
  EXPECT_NEAR(e.top_k_accuracy.value, 0.5, 1e-12);
}

TEST(Evaluate, LogLossIsTheMeanSurpriseInNats) {
  Tensor p(Shape{2, 2}, std::vector<float>{0.25f, 0.75f, 0.5f, 0.5f});
  const Evaluation e = evaluate(p, std::vector<int>{0, 1}, names(2));
  EXPECT_NEAR(e.log_loss, (std::log(4.0) + std::log(2.0)) / 2, 1e-6);
}

TEST(Evaluate, LogLossIsClippedWhereTheTrueClassGotNothing) {
  Tensor p(Shape{1, 2}, std::vector<float>{0, 1});
  EXPECT_NEAR(evaluate(p, std::vector<int>{0}, names(2)).log_loss, -std::log(1e-7), 1e-4);
}

TEST(Evaluate, AProbabilityThatIsNoNumberIsTheLeast) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Tensor p(Shape{2, 2}, std::vector<float>{nan, 0.1f, nan, nan});
  const Evaluation e = evaluate(p, std::vector<int>{0, 0}, names(2));
  EXPECT_EQ(e.confusion[0][1], 1);
  EXPECT_EQ(e.confusion[0][0], 1);
  EXPECT_TRUE(std::isfinite(e.log_loss));
}

TEST(Evaluate, OfNoPicturesKnowsNothing) {
  const Evaluation e = evaluate(Tensor(Shape{0, 2}), {}, names(2));
  EXPECT_EQ(e.n, 0);
  expect_estimate(e.accuracy, 0, 0, 1, 0);
  expect_estimate(e.balanced_accuracy, 0, 0, 1, 0);
  EXPECT_EQ(e.log_loss, 0);
}

TEST(Evaluate, SumsAgreeWhateverThePredictions) {
  Rng rng(7);
  for (const int classes : {2, 3, 7}) {
    const std::int64_t n = 50;
    Tensor p(Shape{n, classes});
    for (float& value : p.values()) value = rng.uniform();
    std::vector<int> truth;
    for (std::int64_t i = 0; i < n; ++i)
      truth.push_back(static_cast<int>(rng.below(static_cast<std::uint32_t>(classes))));
    const Evaluation e = evaluate(p, truth, names(classes));
    int total = 0, predicted = 0, hits = 0;
    for (std::size_t c = 0; c < e.per_class.size(); ++c) {
      total += e.per_class[c].n;
      predicted += e.per_class[c].predicted;
      hits += e.confusion[c][c];
      EXPECT_LE(e.per_class[c].f1.low, e.per_class[c].f1.value);
      EXPECT_GE(e.per_class[c].f1.high, e.per_class[c].f1.value);
    }
    EXPECT_EQ(total, n);
    EXPECT_EQ(predicted, n);
    EXPECT_EQ(hits, e.correct);
    EXPECT_LE(e.balanced_accuracy.low, e.balanced_accuracy.value);
    EXPECT_GE(e.balanced_accuracy.high, e.balanced_accuracy.value);
  }
}

void expect_usage_error(const Tensor& p, const std::vector<int>& labels, int classes,
                        const std::string& part) {
  try {
    (void)evaluate(p, labels, names(classes));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(Evaluate, RefusesSizesThatDisagree) {
  expect_usage_error(Tensor(Shape{2, 3}), {0}, 3, "[2,3] against 1 labels");
  expect_usage_error(Tensor(Shape{1, 3}), {0}, 2, "2 classes");
  expect_usage_error(Tensor(Shape{4}), {0, 0, 0, 0}, 1, "[4]");
  expect_usage_error(Tensor(Shape{0, 0}), {}, 0, "without classes");
}

TEST(Evaluate, RefusesLabelsThatAreNoClass) {
  expect_usage_error(Tensor(Shape{1, 3}), {3}, 3, "label 3 at row 0");
  expect_usage_error(Tensor(Shape{1, 3}), {-1}, 3, "label -1");
}

}  // namespace engraft::metrics_test
