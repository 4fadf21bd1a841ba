#include "engraft/train/clip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support/errors.h"
#include "support/random_values.h"

namespace engraft::clip_test {

using test::expect_error;
using test::random_values;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

double plain_norm(const std::vector<float>& g) {
  long double sum = 0;
  for (const float value : g) sum += static_cast<long double>(value) * value;
  return static_cast<double>(std::sqrt(sum));
}

double norm_of(std::span<const float> g, int threads = 1) {
  ThreadPool pool(threads);
  return global_norm(g, pool);
}

/// As a step does it. Returns the norm before.
double clip(std::span<float> g, float most) {
  const double norm = norm_of(g);
  scale(g, clip_factor(norm, most));
  return norm;
}

TEST(GlobalNorm, IsTheRootOfTheSumOfSquares) {
  EXPECT_EQ(norm_of(std::vector<float>{3, 4}), 5);
  EXPECT_EQ(norm_of(std::vector<float>(16, -2)), 8);
  EXPECT_EQ(norm_of({}), 0);
  for (std::size_t size = 1; size <= 70; ++size) {
    const std::vector<float> g = random_values(size, size);
    EXPECT_NEAR(norm_of(g), plain_norm(g), 1e-13 * plain_norm(g)) << size;
  }
}

TEST(GlobalNorm, HasTheSameBitsForAnyNumberOfThreads) {
  for (const std::size_t size : {0ul, 1ul, 65535ul, 65536ul, 65537ul, 131072ul, 300001ul}) {
    const std::vector<float> g = random_values(size, 7);
    for (const int threads : {2, 3, 4}) EXPECT_EQ(norm_of(g, threads), norm_of(g)) << size;
    EXPECT_NEAR(norm_of(g), plain_norm(g), 1e-12 * plain_norm(g));
  }
}

TEST(GlobalNorm, NeitherOverflowsNorLosesSmallGradients) {
  EXPECT_DOUBLE_EQ(norm_of(std::vector<float>(4, 3e38f)), 2 * static_cast<double>(3e38f));
  EXPECT_DOUBLE_EQ(norm_of(std::vector<float>(4, 1e-40f)), 2 * static_cast<double>(1e-40f));
}

TEST(GlobalNorm, IsNotANumberWhereAGradientIsNot) {
  for (const std::size_t place : {0ul, 15ul, 16ul, 70000ul, 99999ul}) {
    std::vector<float> g = random_values(100000, 1);
    g[place] = kNan;
    EXPECT_TRUE(std::isnan(norm_of(g))) << place;
    g[place] = -kInfinity;
    EXPECT_EQ(norm_of(g), kInfinity) << place;
  }
}

TEST(Clip, ScalesALongGradientToTheLargestNorm) {
  std::vector<float> g{30, 40};
  EXPECT_EQ(clip(g, 5), 50);
  EXPECT_THAT(g, ElementsAre(testing::FloatEq(3), testing::FloatEq(4)));

  std::vector<float> many = random_values(200001, 3);
  const std::vector<float> before = many;
  const double norm = clip(many, 1.5f);
  EXPECT_EQ(norm, norm_of(before));
  EXPECT_NEAR(norm_of(many), 1.5, 1e-6);
  for (std::size_t i = 0; i < many.size(); i += 997) {
    EXPECT_NEAR(many[i], before[i] * 1.5 / norm, 1e-6 * std::abs(before[i])) << i;
  }
}

TEST(Clip, LeavesAShortGradientBitByBit) {
  const std::vector<float> before = random_values(1000, 4);
  std::vector<float> g = before;
  EXPECT_EQ(clip(g, 1e6f), norm_of(before));
  EXPECT_EQ(g, before);
  std::vector<float> at_the_limit{3, 4};
  EXPECT_EQ(clip(at_the_limit, 5), 5);
  EXPECT_THAT(at_the_limit, ElementsAre(3, 4));
  std::vector<float> nothing(5, 0);
  EXPECT_EQ(clip(nothing, 1), 0);
  EXPECT_THAT(nothing, testing::Each(0.0f));
}

TEST(Clip, ReportsAGradientThatNoFactorMendsAndLeavesIt) {
  std::vector<float> g{100, kNan, 3};
  EXPECT_TRUE(std::isnan(clip(g, 1)));
  EXPECT_EQ(g[0], 100);
  EXPECT_EQ(g[2], 3);
  std::vector<float> h{100, kInfinity};
  EXPECT_EQ(clip(h, 1), kInfinity);
  EXPECT_THAT(h, ElementsAre(100, kInfinity));
}

TEST(Clip, InPiecesGivesTheSameBits) {
  std::vector<float> whole = random_values(150000, 5), pieces = whole;
  (void)clip(whole, 2);
  const float factor = clip_factor(norm_of(pieces), 2);
  scale(std::span(pieces).first(77), factor);
  scale(std::span(pieces).subspan(77), factor);
  EXPECT_EQ(whole, pieces);
}

TEST(Clip, RefusesALargestNormOutOfRange) {
  for (const float most : {0.0f, -1.0f, kNan, kInfinity}) {
    std::vector<float> g{3, 4};
    expect_error(ErrorKind::kUsage, HasSubstr("1 is a usual one"), [&] { (void)clip(g, most); });
    expect_error(ErrorKind::kUsage, HasSubstr("must be above 0"),
                 [&] { (void)clip_factor(1, most); });
    EXPECT_THAT(g, ElementsAre(3, 4));
  }
}

}  // namespace engraft::clip_test
