#include "engraft/train/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "support/errors.h"

namespace engraft::schedule_test {

using test::expect_error;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Schedule, RisesInALineToThePeakAndFallsAsACosine) {
  const Schedule schedule{.peak = 0.8f, .warmup = 0.2f, .total = 20};
  EXPECT_FLOAT_EQ(schedule.rate(0), 0.2f);
  EXPECT_FLOAT_EQ(schedule.rate(1), 0.4f);
  EXPECT_FLOAT_EQ(schedule.rate(3), 0.8f);
  EXPECT_FLOAT_EQ(schedule.rate(4), 0.8f);
  EXPECT_FLOAT_EQ(schedule.rate(12), 0.4f);
  EXPECT_NEAR(schedule.rate(19), 0.8f * 0.5f * (1 - 0.98078528), 1e-6);
}

TEST(Schedule, CosineIsTheDefault) {
  const Schedule plain{.peak = 0.3f, .warmup = 0.1f, .total = 50};
  Schedule named = plain;
  named.kind = ScheduleKind::kCosine;
  for (std::int64_t step = 0; step < 50; ++step) EXPECT_EQ(plain.rate(step), named.rate(step));
}

TEST(Schedule, ConstantStaysAtThePeakAfterItsWarmUp) {
  const Schedule schedule{
      .kind = ScheduleKind::kConstant, .peak = 0.8f, .warmup = 0.25f, .total = 16};
  EXPECT_FLOAT_EQ(schedule.rate(0), 0.2f);
  EXPECT_FLOAT_EQ(schedule.rate(2), 0.6f);
  for (std::int64_t step = 3; step < 16; ++step) EXPECT_EQ(schedule.rate(step), 0.8f);
}

TEST(Schedule, StepFallsToATenthAfterEachThird) {
  const Schedule schedule{.kind = ScheduleKind::kStep, .peak = 2, .total = 30};
  for (std::int64_t step = 0; step < 30; ++step) {
    EXPECT_FLOAT_EQ(schedule.rate(step), step < 10 ? 2.0f : step < 20 ? 0.2f : 0.02f) << step;
  }
}

TEST(Schedule, StepTakesOtherPiecesAndFactors) {
  const Schedule schedule{
      .kind = ScheduleKind::kStep, .peak = 1, .total = 10, .pieces = 4, .factor = 0.5f};
  std::vector<float> rates;
  for (std::int64_t step = 0; step < 10; ++step) rates.push_back(schedule.rate(step));
  EXPECT_THAT(rates, ElementsAre(1, 1, 1, 0.5f, 0.5f, 0.25f, 0.25f, 0.25f, 0.125f, 0.125f));
  Schedule one = schedule;
  one.pieces = 1;
  EXPECT_EQ(one.rate(9), 1);
  Schedule level = schedule;
  level.factor = 1;
  EXPECT_EQ(level.rate(9), 1);
}

TEST(Schedule, StepDropsAtSharesOfTheWholeRunWhateverTheWarmUp) {
  const Schedule schedule{.kind = ScheduleKind::kStep, .peak = 1, .warmup = 0.2f, .total = 30};
  EXPECT_FLOAT_EQ(schedule.rate(2), 0.5f);
  EXPECT_FLOAT_EQ(schedule.rate(5), 1);
  EXPECT_FLOAT_EQ(schedule.rate(9), 1);
  EXPECT_FLOAT_EQ(schedule.rate(10), 0.1f);
}

TEST(Schedule, OneCycleGoesUpInALineAndDownFarBelowItsStart) {
  const Schedule schedule{.kind = ScheduleKind::kOneCycle, .peak = 0.5f, .total = 101};
  EXPECT_FLOAT_EQ(schedule.rate(0), 0.02f);
  EXPECT_FLOAT_EQ(schedule.rate(15), 0.26f);  // half-way from 0.02 to 0.5
  EXPECT_FLOAT_EQ(schedule.rate(30), 0.5f);
  EXPECT_FLOAT_EQ(schedule.rate(65), 0.250025f);  // half-way from 0.5 to 5e-5
  EXPECT_FLOAT_EQ(schedule.rate(100), 5e-5f);
}

TEST(Schedule, OneCycleBringsItsOwnWarmUp) {
  const Schedule plain{.kind = ScheduleKind::kOneCycle, .peak = 1, .total = 40};
  Schedule warm = plain;
  warm.warmup = 0.5f;
  for (std::int64_t step = 0; step < 40; ++step) EXPECT_EQ(plain.rate(step), warm.rate(step));
}

class EverySchedule : public testing::TestWithParam<ScheduleKind> {};

std::string name_of_case(const testing::TestParamInfo<ScheduleKind>& info) {
  std::string name(name_of(info.param));
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Kinds, EverySchedule, testing::ValuesIn(kScheduleKinds), name_of_case);

TEST_P(EverySchedule, StaysAboveZeroAndAtMostAtThePeakForAnyLength) {
  for (const std::int64_t total : {1, 2, 3, 4, 7, 1000}) {
    for (const float warmup : {0.0f, 0.05f, 0.5f, 0.99f}) {
      const Schedule schedule{.kind = GetParam(), .peak = 2, .warmup = warmup, .total = total};
      schedule.check();
      for (std::int64_t step = 0; step < total; ++step) {
        EXPECT_GT(schedule.rate(step), 0) << step << " of " << total << ", warm-up " << warmup;
        EXPECT_LE(schedule.rate(step), 2);
      }
    }
  }
}

TEST_P(EverySchedule, RisesAndThenNeverAgain) {
  for (const float warmup : {0.0f, 0.1f, 0.7f}) {
    const Schedule schedule{.kind = GetParam(), .peak = 0.1f, .warmup = warmup, .total = 300};
    std::int64_t step = 1;
    while (step < 300 && schedule.rate(step) > schedule.rate(step - 1)) ++step;
    const float share = GetParam() == ScheduleKind::kOneCycle ? 0.3f : warmup;
    EXPECT_NEAR(static_cast<float>(step), std::max(1.0f, 300 * share), 1.01f);
    EXPECT_FLOAT_EQ(schedule.rate(step - 1), 0.1f);
    for (; step < 300; ++step) EXPECT_LE(schedule.rate(step), schedule.rate(step - 1)) << step;
  }
}

TEST_P(EverySchedule, OfOneStepIsThePeak) {
  EXPECT_EQ((Schedule{.kind = GetParam(), .peak = 0.01f}.rate(0)), 0.01f);
}

TEST_P(EverySchedule, ScalesWithItsPeak) {
  const Schedule one{.kind = GetParam(), .peak = 1, .warmup = 0.1f, .total = 57};
  Schedule quarter = one;
  quarter.peak = 0.25f;
  for (std::int64_t step = 0; step < 57; ++step) {
    EXPECT_EQ(quarter.rate(step), 0.25f * one.rate(step));
  }
}

TEST_P(EverySchedule, HoldsForTheLongestRun) {
  constexpr std::int64_t kLongest = 1'000'000'000'000'000;
  const Schedule schedule{.kind = GetParam(), .peak = 1, .total = kLongest, .pieces = 1000};
  schedule.check();
  EXPECT_GE(schedule.rate(kLongest - 1), 0);
  EXPECT_LE(schedule.rate(kLongest - 1), 1);
}

TEST(Schedule, WithoutWarmUpBeginsAtThePeak) {
  for (const ScheduleKind kind :
       {ScheduleKind::kConstant, ScheduleKind::kCosine, ScheduleKind::kStep}) {
    EXPECT_EQ((Schedule{.kind = kind, .peak = 0.01f, .total = 100}.rate(0)), 0.01f);
  }
}

TEST(Schedule, HasAWordForEachKind) {
  std::vector<std::string_view> names;
  for (const ScheduleKind kind : kScheduleKinds) names.push_back(name_of(kind));
  EXPECT_THAT(names, ElementsAre("constant", "cosine", "step", "one-cycle"));
}

TEST(Schedule, RefusesValuesOutOfRangeAndNamesAUsualOne) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto refused = [](const std::string& part, const auto& change) {
    Schedule schedule{.peak = 0.1f, .total = 10};
    schedule.check();
    change(schedule);
    expect_error(ErrorKind::kUsage, HasSubstr(part), [&] { schedule.check(); });
  };
  for (const float peak : {0.0f, -1.0f, nan, std::numeric_limits<float>::infinity()}) {
    refused("0.001 is a usual one", [&](Schedule& s) { s.peak = peak; });
  }
  for (const float warmup : {-0.1f, 1.0f, nan}) {
    refused("0.05 is a usual one", [&](Schedule& s) { s.warmup = warmup; });
  }
  for (const std::int64_t total : {std::int64_t{0}, std::int64_t{-5}, std::int64_t{1} << 60}) {
    refused("steps, not " + std::to_string(total), [&](Schedule& s) { s.total = total; });
  }
  for (const int pieces : {0, -1, 1001}) {
    refused("3 is a usual number", [&](Schedule& s) { s.pieces = pieces; });
  }
  for (const float factor : {0.0f, -0.5f, 1.5f, nan}) {
    refused("0.1 is a usual one", [&](Schedule& s) { s.factor = factor; });
  }
}

}  // namespace engraft::schedule_test
