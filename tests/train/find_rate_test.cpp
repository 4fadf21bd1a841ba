#include "engraft/train/find_rate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "engraft/base/rng.h"
#include "support/errors.h"

namespace engraft::find_rate_test {

using test::expect_error;
using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Gradient descent from x = 1 on level + curvature/2·x², the gradient as noisy as that of a batch:
/// it diverges above a rate of 2/curvature.
class Bowl {
 public:
  explicit Bowl(double curvature) : curvature_(curvature) {}
  BatchLosses operator()(float rate) {
    const BatchLosses losses{.now = static_cast<float>(loss(x_)),
                             .at_start = static_cast<float>(loss(1))};
    const double noise = 0.5 * double{rng_.uniform(-1.0f, 1.0f)};
    x_ -= double{rate} * curvature_ * (x_ + noise);
    return losses;
  }

 private:
  static constexpr double kLevel = 0.1;
  [[nodiscard]] double loss(double x) const { return kLevel + curvature_ / 2 * x * x; }
  Rng rng_{1, 2};
  double curvature_, x_ = 1;
};

/// A loss that is a function of the rate alone.
template <typename Loss>
RateTest test_of(const Loss& loss, const RateSweep& sweep = {}) {
  return test_rates(sweep, [&](float rate) {
    return BatchLosses{.now = static_cast<float>(loss(std::log10(double{rate}))), .at_start = 1};
  });
}

RateSuggestion suggestion_of(const RateTest& test) {
  return suggest_rate(test, {});
}

TEST(RateSweep, RisesByOneFactorFromTheLowestToTheHighest) {
  const RateSweep sweep{.low = 1e-6f, .high = 1e-1f, .steps = 51};
  EXPECT_FLOAT_EQ(sweep.rate(0), 1e-6f);
  EXPECT_FLOAT_EQ(sweep.rate(50), 1e-1f);
  for (int s = 1; s < sweep.steps; ++s) {
    EXPECT_NEAR(std::log10(sweep.rate(s) / sweep.rate(s - 1)), 0.1, 1e-5) << s;
  }
}

TEST(RateSweep, RefusesWhatCannotBeSwept) {
  RateSweep{.low = 1e-7f, .high = 1e-6f, .steps = kFewestSweepSteps}.check();
  RateSweep{.low = 10, .high = kHighestSweepRate, .steps = kMostSweepSteps}.check();
  for (const float low : {0.0f, -1e-3f, kNan, kInfinity}) {
    expect_error(ErrorKind::kUsage, HasSubstr("lowest"), [&] { RateSweep{.low = low}.check(); });
  }
  for (const float high : {0.9e-6f, 1e-7f, 0.0f, -1.0f, 101.0f, kNan, kInfinity}) {
    expect_error(ErrorKind::kUsage, HasSubstr("highest"), [&] { RateSweep{.high = high}.check(); });
  }
  for (const int steps : {-1, 0, kFewestSweepSteps - 1, kMostSweepSteps + 1}) {
    expect_error(ErrorKind::kUsage, HasSubstr("steps"), [&] { RateSweep{.steps = steps}.check(); });
    expect_error(ErrorKind::kUsage, HasSubstr("steps"),
                 [&] { (void)test_rates({.steps = steps}, Bowl(1)); });
  }
}

TEST(TestRates, SmoothesTheDifferencesAndKnowsTheirError) {
  const auto difference = [](int s) { return 0.01f * static_cast<float>(s % 5 - s % 3); };
  int s = 0;
  const RateTest test = test_rates({.steps = 40}, [&](float) {
    const float start = 1 + 0.5f * static_cast<float>(s % 2);
    return BatchLosses{.now = start + difference(s++), .at_start = start};
  });
  ASSERT_EQ(test.points.size(), 40u);
  EXPECT_NEAR(test.level, 1.25, 1e-6);
  for (int t = 0; t < 40; ++t) {
    double weights = 0, mean = 0, variance = 0, squares = 0;
    for (int i = 0; i <= t; ++i) weights += std::pow(0.9, t - i);
    for (int i = 0; i <= t; ++i) mean += std::pow(0.9, t - i) / weights * double{difference(i)};
    for (int i = 0; i <= t; ++i) {
      variance += std::pow(0.9, t - i) / weights * std::pow(double{difference(i)} - mean, 2);
    }
    for (int i = 0; i <= t; ++i) squares += std::pow(std::pow(0.9, t - i) / weights, 2);
    const double error = t == 0 ? 0 : std::sqrt(squares * variance / (1 - squares));
    const auto point = static_cast<std::size_t>(t);
    EXPECT_NEAR(test.points[point].change, mean, 1e-6) << t;
    EXPECT_NEAR(test.points[point].error, error, 1e-6) << t;
    EXPECT_NEAR(test.smoothed(point), 1.25 + mean, 1e-6) << t;
    EXPECT_NEAR(test.loss(point), 1.25 + double{difference(t)}, 1e-6) << t;
  }
}

TEST(TestRates, TellsOfEachPointOnceInOrder) {
  std::vector<float> rates;
  const RateTest test =
      test_rates({}, Bowl(20), [&](const RatePoint& point) { rates.push_back(point.rate); });
  ASSERT_EQ(rates.size(), test.points.size());
  for (std::size_t i = 0; i < rates.size(); ++i) EXPECT_EQ(rates[i], test.points[i].rate);
}

TEST(TestRates, EndsWhereALossIsNoNumberAnyMore) {
  for (const float broken : {kNan, kInfinity}) {
    int steps = 0;
    const RateTest test = test_rates({}, [&](float) {
      return BatchLosses{.now = ++steps == 31 ? broken : 0.5f, .at_start = 0.5f};
    });
    EXPECT_EQ(steps, 31);
    EXPECT_EQ(test.points.size(), 30u);
    EXPECT_EQ(test.end, SweepEnd::kDiverged);
  }
}

TEST(TestRates, SaysWhereTheNetworkIsBrokenFromTheStart) {
  expect_error(ErrorKind::kBadInput, HasSubstr("before any step"), [] {
    (void)test_rates({}, [](float) { return BatchLosses{.now = kNan, .at_start = kNan}; });
  });
}

TEST(TestRates, EndsAtFourTimesTheLowestLoss) {
  const RateTest test = test_of([](double x) { return x < -5 ? 1.0 : x < -3 ? 0.05 : 0.9; });
  EXPECT_EQ(test.end, SweepEnd::kAllRates);  // never above where it began
  const RateTest rising = test_of([](double x) { return x < -5 ? 1.0 : x < -3 ? 0.05 : 1.4; });
  EXPECT_EQ(rising.end, SweepEnd::kDiverged);
  EXPECT_LT(rising.smoothed(rising.points.size() - 1), 1.4);
}

TEST(TestRates, EndsAtTwiceTheFirstLoss) {
  const RateTest test = test_of([](double x) { return x < -3 ? 0.9 : 100.0; });
  EXPECT_EQ(test.end, SweepEnd::kDiverged);
  EXPECT_LT(test.points.back().rate, 2e-3f);
  EXPECT_EQ(test_of([](double x) { return x < -3 ? 0.9 : 1.9; }).end, SweepEnd::kAllRates);
}

TEST(TestRates, StopsOnRequest) {
  std::stop_source source;
  int steps = 0;
  expect_error(ErrorKind::kCancelled, HasSubstr("stopped"), [&] {
    (void)test_rates(
        {},
        [&](float) {
          if (++steps == 3) source.request_stop();
          return BatchLosses{.now = 1, .at_start = 1};
        },
        {}, source.get_token());
  });
  EXPECT_EQ(steps, 3);
}

TEST(SuggestRate, StaysBelowTheRateAtWhichDescentDiverges) {
  for (const double curvature : {2.0, 20.0, 200.0, 2000.0}) {
    const RateTest test = test_rates({}, Bowl(curvature));
    const RateSuggestion suggestion = suggestion_of(test);
    EXPECT_EQ(suggestion.verdict, curvature > 2 ? RateVerdict::kFound : RateVerdict::kStillFalling)
        << curvature;
    EXPECT_LT(suggestion.rate, 1.5 / curvature);
    EXPECT_GT(suggestion.rate, 0.02 / curvature);
    EXPECT_LT(test.points[suggestion.steepest].rate, 1.5 / curvature);
    EXPECT_LT(test.points[suggestion.minimum].rate, 4 / curvature);
  }
}

TEST(SuggestRate, FollowsTheScaleOfTheProblem) {
  const RateSuggestion one = suggestion_of(test_rates({}, Bowl(30)));
  const RateSuggestion ten = suggestion_of(test_rates({}, Bowl(300)));
  EXPECT_NEAR(std::log10(one.rate / ten.rate), 1, 0.3);
}

TEST(SuggestRate, DoesNotMindThatSomeBatchesAreHarder) {
  Bowl quiet(50), noisy(50);
  const RateTest alone = test_rates({}, quiet);
  Rng rng(1, 3);
  const RateTest among = test_rates({}, [&](float rate) {
    BatchLosses losses = noisy(rate);
    const float hardness = 20 * rng.uniform(0.0f, 1.0f);
    losses.now += hardness;
    losses.at_start += hardness;
    return losses;
  });
  const RateSuggestion a = suggestion_of(alone), b = suggestion_of(among);
  EXPECT_EQ(b.verdict, RateVerdict::kFound);
  EXPECT_EQ(a.steepest, b.steepest);
  EXPECT_EQ(a.minimum, b.minimum);
}

TEST(SuggestRate, SuggestsNothingWhereTheLossStaysWhereItIs) {
  const RateSuggestion flat = suggestion_of(test_of([](double) { return 1.0; }));
  EXPECT_EQ(flat.verdict, RateVerdict::kNeverFell);
  EXPECT_FALSE(flat.found());
  EXPECT_EQ(flat.rate, 0);
  EXPECT_EQ(suggestion_of(test_of([](double x) { return x < -2 ? 1.0 : 1.5; })).verdict,
            RateVerdict::kNeverFell);
  EXPECT_EQ(suggestion_of(test_of([](double x) { return 1 - 1e-3 * (x + 7); })).verdict,
            RateVerdict::kNeverFell)
      << "a fall of no account";
}

TEST(SuggestRate, DoesNotTakeChanceForAFall) {
  int fooled = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed, 7);
    const RateTest test = test_of([&](double) { return 1 + rng.uniform(-0.5f, 0.5f); });
    fooled += suggestion_of(test).found();
  }
  EXPECT_LT(fooled, 30);
}

TEST(SuggestRate, SeesASmallFallThatIsMoreThanChance) {
  Rng rng(3, 7);
  const RateTest test = test_of([&](double x) {
    return x < -4 ? 1.0 - 0.04 * (x + 7) + 0.02 * double{rng.uniform(-1.0f, 1.0f)} : 1 + x + 4;
  });
  EXPECT_EQ(suggestion_of(test).verdict, RateVerdict::kFound);
}

TEST(SuggestRate, SaysThatTheLossRoseAtOnce) {
  EXPECT_EQ(suggestion_of(test_of([](double x) { return 1.0 + 0.5 * (x + 7); })).verdict,
            RateVerdict::kRoseAtOnce);
  int steps = 0;
  const RateTest broken = test_rates(
      {}, [&](float) { return BatchLosses{.now = ++steps == 5 ? kInfinity : 1, .at_start = 1}; });
  const RateSuggestion suggestion = suggestion_of(broken);
  EXPECT_EQ(suggestion.verdict, RateVerdict::kRoseAtOnce);
  EXPECT_LT(suggestion.minimum, broken.points.size());
}

TEST(SuggestRate, SaysThatTheLossWasStillFalling) {
  const RateSuggestion suggestion =
      suggestion_of(test_of([](double x) { return 1.0 - 0.1 * (x + 7); }));
  EXPECT_EQ(suggestion.verdict, RateVerdict::kStillFalling);
  EXPECT_GT(suggestion.rate, 0);
}

TEST(SuggestRate, LooksForTheLowestBehindTheStart) {
  int step = 0;
  const RateTest test = test_rates({}, [&](float) {
    ++step;
    const float now = step < 5 ? 0.1f : step < 60 ? 0.9f : 1.2f;
    return BatchLosses{.now = now, .at_start = 1};
  });
  EXPECT_GE(suggestion_of(test).minimum, RateSweep().start());
}

TEST(SuggestRate, FindsTheFastestFallAndTheLowestLoss) {
  // Flat, then down in a line between 1e-6 and 1e-5, then slowly on to 1e-3, then up.
  const RateTest test = test_of([](double x) {
    return x < -6 ? 1.0 : x < -5 ? 1 - 0.5 * (x + 6) : x < -3 ? 0.5 - 0.05 * (x + 5) : 5.0;
  });
  const RateSuggestion suggestion = suggestion_of(test);
  EXPECT_EQ(suggestion.verdict, RateVerdict::kFound);
  EXPECT_NEAR(std::log10(test.points[suggestion.steepest].rate), -5.2, 0.4);
  const float lowest = test.points[suggestion.minimum].rate;
  EXPECT_NEAR(std::log10(lowest), -3, 0.1);
  EXPECT_FLOAT_EQ(suggestion.tenth_of_minimum, lowest / 10);
  EXPECT_NEAR(suggestion.rate / lowest, 1.0 / 3, 0.02);
}

TEST(SuggestRate, LooksForTheFastestFallOnThisSideOfTheMinimum) {
  // The steepest descent of all comes after a hump behind the minimum.
  const RateTest test = test_of([](double x) {
    return x < -5 ? 1.0 : x < -3.5 ? 1 - 0.3 * (x + 5) : x < -2.5 ? 1.05 : 0.8;
  });
  const RateSuggestion suggestion = suggestion_of(test);
  EXPECT_LE(suggestion.steepest, suggestion.minimum);
  EXPECT_LT(test.points[suggestion.steepest].rate, 3e-3f);
}

TEST(SuggestRate, GivesARateOfTwoDigits) {
  for (const double curvature : {11.0, 37.0, 91.0, 333.0}) {
    const double rate = double{suggestion_of(test_rates({}, Bowl(curvature))).rate};
    const double scaled = rate / std::pow(10, std::floor(std::log10(rate)) - 1);
    EXPECT_NEAR(scaled, std::round(scaled), 1e-4) << rate;
  }
}

TEST(SuggestRate, WantsAPointAndIsContentWithOne) {
  expect_error(ErrorKind::kUsage, HasSubstr("without a step"),
               [] { (void)suggestion_of(RateTest()); });
  RateTest one{.points = {{.rate = 1e-7f, .losses = {.now = 1, .at_start = 1}}}, .level = 1};
  EXPECT_FALSE(suggestion_of(one).found());
}

TEST(SuggestRate, NamesItsVerdicts) {
  std::set<std::string_view> names;
  for (const RateVerdict verdict : {RateVerdict::kFound, RateVerdict::kStillFalling,
                                    RateVerdict::kNeverFell, RateVerdict::kRoseAtOnce}) {
    names.insert(name_of(verdict));
  }
  EXPECT_EQ(names.size(), 4u);
}

}  // namespace engraft::find_rate_test
