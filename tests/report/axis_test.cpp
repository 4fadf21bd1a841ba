#include "engraft/report/axis.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace engraft {
namespace {

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

}  // namespace
}  // namespace engraft
