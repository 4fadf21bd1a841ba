#include "engraft/train/ema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/errors.h"
#include "support/random_values.h"

namespace engraft::ema_test {

using test::expect_error;
using test::random_values;
using testing::ElementsAreArray;
using testing::HasSubstr;

std::vector<float> values_of(const Ema& ema) {
  return {ema.average().begin(), ema.average().end()};
}

TEST(Ema, FollowsItsRecurrenceThroughTheWarmUpOfTheDecay) {
  Ema ema(std::vector<float>{2}, 0.75f);
  double expected = 2;
  for (int t = 0; t < 60; ++t) {
    const float w = static_cast<float>(t % 7) - 3;
    // (1+t)/(10+t) passes 0.75 at t = 26.
    const double d = t < 26 ? (1.0 + t) / (10 + t) : 0.75;
    expected = d * expected + (1 - d) * w;
    ema.step(std::vector<float>{w});
    ASSERT_NEAR(ema.average()[0], expected, 1e-6) << t;
  }
  EXPECT_EQ(ema.steps(), 60);
}

TEST(Ema, ItsDecayRisesFromATenth) {
  const Ema ema(std::vector<float>{}, 0.99f);
  EXPECT_DOUBLE_EQ(ema.decay_at(0), 0.1);
  EXPECT_DOUBLE_EQ(ema.decay_at(8), 0.5);
  EXPECT_DOUBLE_EQ(ema.decay_at(889), 890.0 / 899);
  EXPECT_DOUBLE_EQ(ema.decay_at(900), static_cast<double>(0.99f));
  EXPECT_DOUBLE_EQ(ema.decay_at(1'000'000'000'000), static_cast<double>(0.99f));
}

TEST(Ema, StartsAsTheWeightsAndStaysThereWhileTheyStay) {
  const std::vector<float> w = random_values(40, 1);
  Ema ema(w, 0.999f);
  EXPECT_EQ(values_of(ema), w);
  for (int t = 0; t < 50; ++t) ema.step(w);
  EXPECT_EQ(values_of(ema), w);
}

TEST(Ema, WithoutDecayIsTheLastWeights) {
  Ema ema(random_values(20, 1), 0);
  const std::vector<float> last = random_values(20, 3);
  ema.step(random_values(20, 2));
  ema.step(last);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_NEAR(ema.average()[i], last[i], 1e-6);
}

TEST(Ema, StaysBetweenTheWeightsItHasSeen) {
  Ema ema(std::vector<float>{0}, 0.9f);
  for (int t = 0; t < 100; ++t) {
    ema.step(std::vector<float>{t % 2 == 0 ? 1.0f : -1.0f});
    EXPECT_LE(std::abs(ema.average()[0]), 1);
  }
  EXPECT_LT(std::abs(ema.average()[0]), 0.1);
}

TEST(Ema, GivesTheSameBitsInPiecesOfAnySizeAndOrder) {
  constexpr std::size_t kSize = 1003;
  const std::vector<float> start = random_values(kSize, 1);
  Ema whole(start, 0.9f), pieces(start, 0.9f);
  for (std::uint64_t t = 0; t < 10; ++t) {
    const std::vector<float> w = random_values(kSize, 10 + t);
    whole.step(w);
    pieces.begin_step();
    pieces.update({.begin = 500, .end = kSize}, w);
    pieces.update({.begin = 0, .end = 3}, w);
    pieces.update({.begin = 3, .end = 3}, w);
    pieces.update({.begin = 3, .end = 500}, w);
  }
  EXPECT_EQ(values_of(whole), values_of(pieces));
}

TEST(Ema, GoesOnFromARestoredStateWithTheSameBits) {
  const std::vector<float> start = random_values(50, 1);
  Ema undisturbed(start, 0.8f), first(start, 0.8f);
  for (std::uint64_t t = 0; t < 12; ++t) undisturbed.step(random_values(50, 10 + t));
  for (std::uint64_t t = 0; t < 5; ++t) first.step(random_values(50, 10 + t));
  Ema second(std::vector<float>(50, std::numeric_limits<float>::quiet_NaN()), 0.8f);
  std::ranges::copy(first.average(), second.average().begin());
  second.set_steps(first.steps());
  for (std::uint64_t t = 5; t < 12; ++t) second.step(random_values(50, 10 + t));
  EXPECT_THAT(values_of(second), ElementsAreArray(undisturbed.average()));
}

TEST(Ema, RefusesWhatMakesNoSense) {
  for (const float decay : {-0.1f, 1.0f, std::numeric_limits<float>::quiet_NaN()}) {
    expect_error(ErrorKind::kUsage, HasSubstr("0.999 is a usual one"),
                 [&] { Ema(std::vector<float>{1}, decay); });
  }
  Ema ema(std::vector<float>(4), 0.9f);
  const std::vector<float> w(4), shorter(3);
  const auto refused = [&](const std::string& part, const auto& action) {
    expect_error(ErrorKind::kInternal, HasSubstr(part), action);
  };
  refused("before its first step", [&] { ema.update({.begin = 0, .end = 4}, w); });
  ema.begin_step();
  refused("[0, 5)", [&] { ema.update({.begin = 0, .end = 5}, w); });
  refused("[2, 1)", [&] { ema.update({.begin = 2, .end = 1}, w); });
  refused("3 weights", [&] { ema.update({.begin = 0, .end = 3}, shorter); });
  expect_error(ErrorKind::kUsage, HasSubstr("must not be negative"), [&] { ema.set_steps(-1); });
}

}  // namespace engraft::ema_test
