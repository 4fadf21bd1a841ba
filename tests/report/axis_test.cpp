#include "engraft/report/axis.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace engraft::axis_test {

using testing::DoubleEq;
using testing::ElementsAre;

TEST(Axis, TicksAreRound) {
  EXPECT_THAT(
      round_ticks({.low = 0, .high = 1}, 5).values,
      ElementsAre(0, DoubleEq(0.2), DoubleEq(0.4), DoubleEq(0.6000000000000001), DoubleEq(0.8), 1));
  EXPECT_THAT(round_ticks({.low = 60, .high = 100}, 5).values, ElementsAre(60, 70, 80, 90, 100));
  EXPECT_THAT(round_ticks({.low = 1, .high = 50, .smallest_step = 1}, 6).values,
              ElementsAre(10, 20, 30, 40, 50));
}

TEST(Axis, TicksLieInTheRangeAndAreAboutAsManyAsWanted) {
  for (const double high : {1e-6, 0.013, 0.7, 1.0, 3.3, 19.0, 1234.5, 3e38}) {
    const Ticks ticks = round_ticks({.low = 0, .high = high}, 5);
    EXPECT_GE(ticks.values.size(), 2u) << high;
    EXPECT_LE(ticks.values.size(), 7u) << high;
    EXPECT_GE(ticks.values.front(), 0);
    EXPECT_LE(ticks.values.back(), high * (1 + 1e-9));
  }
}

TEST(Axis, EpochTicksAreWholeNumbers) {
  for (int last = 2; last < 600; last += 7) {
    for (const double tick :
         round_ticks({.low = 1, .high = double(last), .smallest_step = 1}, 6).values) {
      EXPECT_EQ(tick, std::floor(tick));
    }
  }
}

TEST(Axis, LabelsHaveTheDigitsOfTheStep) {
  const Ticks fine = round_ticks({.low = 0, .high = 0.1}, 5);
  EXPECT_EQ(tick_label(fine, 0.02), "0.02");
  EXPECT_EQ(tick_label(round_ticks({.low = 0, .high = 100}, 5), 20), "20");
}

std::vector<double> values_of(const std::vector<LogTick>& ticks) {
  std::vector<double> values;
  for (const LogTick& tick : ticks) values.push_back(tick.value);
  return values;
}

std::vector<int> labelled_powers(const std::vector<LogTick>& ticks) {
  std::vector<int> powers;
  for (const LogTick& tick : ticks) {
    if (tick.labelled) powers.push_back(tick.power);
  }
  return powers;
}

TEST(Axis, LogTicksAreTheDigitsOfEachPower) {
  EXPECT_THAT(values_of(log_ticks({.low = 8, .high = 40}, 5)),
              ElementsAre(DoubleEq(8), DoubleEq(9), DoubleEq(10), DoubleEq(20), DoubleEq(30),
                          DoubleEq(40)));
}

TEST(Axis, LogTicksIncludeTheEndsOfTheRange) {
  for (int low = -12; low < 12; ++low) {
    for (int high = low + 1; high < low + 9; ++high) {
      const auto ticks =
          log_ticks({.low = std::pow(10.0, low), .high = std::pow(10.0, high)}, high - low + 1);
      EXPECT_EQ(ticks.size(), static_cast<std::size_t>(9 * (high - low) + 1)) << low << ' ' << high;
      EXPECT_EQ(ticks.front().power, low);
      EXPECT_EQ(ticks.back().power, high);
      EXPECT_EQ(ticks.back().digit, 1);
      EXPECT_EQ(labelled_powers(ticks).size(), static_cast<std::size_t>(high - low + 1));
    }
  }
}

TEST(Axis, LogTicksRiseAndLieInTheRange) {
  for (const LogRange range :
       {LogRange{.low = 3.3e-7, .high = 0.21}, LogRange{.low = 1, .high = 2},
        LogRange{.low = 0.99, .high = 1.01}, LogRange{.low = 4.2e-30, .high = 7e29}}) {
    double before = 0;
    for (const LogTick& tick : log_ticks(range, 6)) {
      EXPECT_GT(tick.value, before);
      EXPECT_GE(tick.value, range.low * 0.999);
      EXPECT_LE(tick.value, range.high * 1.001);
      EXPECT_NEAR(tick.value, tick.digit * std::pow(10.0, tick.power), tick.value * 1e-12);
      before = tick.value;
    }
  }
}

TEST(Axis, OnlyPowersOfTenAreLabelledAndNoMoreThanMayBe) {
  for (int decades = 1; decades <= 40; ++decades) {
    for (int most = 1; most <= 12; ++most) {
      const auto ticks = log_ticks({.low = 0.5, .high = 0.5 * std::pow(10.0, decades)}, most);
      const auto powers = labelled_powers(ticks);
      EXPECT_GE(powers.size(), 1u);
      EXPECT_LE(powers.size(), static_cast<std::size_t>(most)) << decades;
      for (const LogTick& tick : ticks) EXPECT_TRUE(!tick.labelled || tick.digit == 1);
    }
  }
}

TEST(Axis, WhereNotEveryPowerIsLabelledTheHighestIs) {
  EXPECT_THAT(labelled_powers(log_ticks({.low = 1, .high = 1e6}, 4)), ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(labelled_powers(log_ticks({.low = 1, .high = 1e5}, 3)), ElementsAre(1, 3, 5));
}

TEST(Axis, ALogAxisWithinADecadeMayHaveNoLabel) {
  const auto ticks = log_ticks({.low = 2, .high = 5}, 4);
  EXPECT_THAT(values_of(ticks), ElementsAre(DoubleEq(2), DoubleEq(3), DoubleEq(4), DoubleEq(5)));
  EXPECT_THAT(labelled_powers(ticks), testing::IsEmpty());
}

TEST(Axis, TopLeavesOutWhatIsNotFinite) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_NEAR(axis_top({1, NAN, 2, inf}), 2, 0.2);
  EXPECT_GT(axis_top({}), 0);
  EXPECT_GT(axis_top({NAN, inf}), 0);
  EXPECT_GT(axis_top({0, 0}), 0);
}

TEST(Axis, ASpikeDoesNotFlattenTheRest) {
  std::vector<double> losses(50, 0.5);
  losses[20] = 900;
  EXPECT_LT(axis_top(losses), 1);
}

TEST(Axis, AnOrdinaryFallFromAHighStartIsShownWhole) {
  std::vector<double> losses;
  for (int i = 0; i < 50; ++i) losses.push_back(2.3 * std::exp(-i / 10.0) + 0.1);
  EXPECT_GE(axis_top(losses), 2.4);
}

}  // namespace engraft::axis_test
