#include "engraft/train/schedule.h"

#include <gtest/gtest.h>

namespace engraft {
namespace {

TEST(Schedule, RisesInALineToThePeakAndFallsAsACosine) {
  const Schedule schedule{.peak = 0.8f, .warmup = 0.2f, .total = 20};
  EXPECT_FLOAT_EQ(schedule.rate(0), 0.2f);
  EXPECT_FLOAT_EQ(schedule.rate(1), 0.4f);
  EXPECT_FLOAT_EQ(schedule.rate(3), 0.8f);
  EXPECT_FLOAT_EQ(schedule.rate(4), 0.8f);
  EXPECT_FLOAT_EQ(schedule.rate(12), 0.4f);
  EXPECT_NEAR(schedule.rate(19), 0.8f * 0.5f * (1 - 0.98078528), 1e-6);
}

TEST(Schedule, WithoutWarmUpBeginsAtThePeak) {
  const Schedule schedule{.peak = 0.01f, .warmup = 0, .total = 100};
  EXPECT_FLOAT_EQ(schedule.rate(0), 0.01f);
}

TEST(Schedule, StaysAboveZeroAndAtMostAtThePeakForAnyLength) {
  for (const std::int64_t total : {1, 2, 3, 7, 1000}) {
    for (const float warmup : {0.0f, 0.05f, 0.5f, 0.99f}) {
      const Schedule schedule{.peak = 2, .warmup = warmup, .total = total};
      for (std::int64_t step = 0; step < total; ++step) {
        EXPECT_GT(schedule.rate(step), 0) << step << " of " << total << ", warm-up " << warmup;
        EXPECT_LE(schedule.rate(step), 2);
      }
    }
  }
}

}  // namespace
}  // namespace engraft
