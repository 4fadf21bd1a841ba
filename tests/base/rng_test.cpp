#include "engraft/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <vector>

namespace engraft::rng_test {

using Block = std::array<std::uint32_t, 4>;

// The known answers of the Random123 library for philox4x32 with 10 rounds.
TEST(Philox, AgreesWithThePublishedVectors) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

std::vector<std::uint32_t> draw(Rng rng, int count) {
  std::vector<std::uint32_t> values;
  for (int i = 0; i < count; ++i) values.push_back(rng.next_u32());
  return values;
}

// Splits, augmentation and initial weights of earlier runs depend on these.
TEST(Rng, GivesTheSameNumbersForEver) {
  EXPECT_EQ(draw(Rng(0), 6), (std::vector<std::uint32_t>{0x4732fbec, 0x972f281a, 0x589ed020,
                                                         0x7258ecf2, 0x05ba5836, 0x1d257e9c}));
  EXPECT_EQ(draw(Rng(42, 7, 1'000'000'007), 6),
            (std::vector<std::uint32_t>{0x82e49d3e, 0x99b7cf2b, 0x66926cd7, 0xef22aa74, 0x19d66316,
                                        0x710d66b2}));
}

TEST(Rng, SeedStreamAndItemEachChangeEverything) {
  std::set<std::vector<std::uint32_t>> seen;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (std::uint64_t stream = 0; stream < 10; ++stream) {
      for (std::uint64_t item = 0; item < 10; ++item) seen.insert(draw(Rng(seed, stream, item), 4));
    }
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(Rng, NeighbouringStreamsAreNotCorrelated) {
  constexpr int kCount = 20'000;
  for (const auto& [a, b] :
       {std::pair(Rng(1, 0, 0), Rng(1, 0, 1)), std::pair(Rng(1, 0, 0), Rng(1, 1, 0)),
        std::pair(Rng(1, 0, 0), Rng(2, 0, 0))}) {
    Rng x = a, y = b;
    double sum = 0;
    for (int i = 0; i < kCount; ++i) {
      sum += (static_cast<double>(x.uniform()) - 0.5) * (static_cast<double>(y.uniform()) - 0.5);
    }
    // The mean of products of independent uniforms has a standard deviation of 1/12/sqrt(n).
    EXPECT_LT(std::abs(sum / kCount), 5.0 / 12 / std::sqrt(kCount));
  }
}

TEST(Rng, UniformIsUniform) {
  constexpr int kBins = 64, kCount = 64'000;
  std::vector<int> bins(kBins);
  Rng rng(3);
  for (int i = 0; i < kCount; ++i) {
    const float value = rng.uniform();
    ASSERT_GE(value, 0.0f);
    ASSERT_LT(value, 1.0f);
    ++bins[static_cast<std::size_t>(value * kBins)];
  }
  double chi2 = 0;
  for (const int n : bins) chi2 += std::pow(n - kCount / kBins, 2) / (kCount / kBins);
  EXPECT_LT(chi2, 63 + 6 * std::sqrt(2 * 63)) << "chi-squared, 63 degrees of freedom, 6 sigma";
  EXPECT_GT(chi2, 63 - 6 * std::sqrt(2 * 63)) << "too even to be random";
}

TEST(Rng, UniformNeverReachesItsUpperBound) {
  // With two values between the bounds, rounding would give the upper one half of the time.
  const float low = 1.0f, high = std::nextafter(std::nextafter(low, 2.0f), 2.0f);
  Rng rng(4);
  for (int i = 0; i < 1000; ++i) {
    const float value = rng.uniform(low, high);
    ASSERT_GE(value, low);
    ASSERT_LT(value, high);
  }
  for (int i = 0; i < 1000; ++i) {
    const float value = rng.uniform(-3.0f, 5.0f);
    ASSERT_GE(value, -3.0f);
    ASSERT_LT(value, 5.0f);
  }
}

TEST(Rng, BelowIsUniformAndInRange) {
  Rng rng(5);
  EXPECT_EQ(rng.below(1), 0u);
  for (const std::uint32_t bound : {2u, 3u, 10u, 0x80000001u, 0xffffffffu}) {
    for (int i = 0; i < 100; ++i) ASSERT_LT(rng.below(bound), bound);
  }
  std::vector<int> bins(3);
  for (int i = 0; i < 30'000; ++i) ++bins[rng.below(3)];
  for (const int n : bins) EXPECT_NEAR(n, 10'000, 500);
}

TEST(Rng, BelowHasNoModuloBias) {
  // With a bound of 3/4 of the range, a plain modulo would give the lower third twice as often.
  Rng rng(6);
  constexpr std::uint32_t kBound = 0xC0000000u;
  int low = 0;
  for (int i = 0; i < 30'000; ++i) low += rng.below(kBound) < kBound / 3;
  EXPECT_NEAR(low, 10'000, 500);
}

TEST(Rng, NormalHasTheMomentsOfANormal) {
  Rng rng(8);
  constexpr int kCount = 100'000;
  double sum = 0, squares = 0, cubes = 0, fourth = 0;
  for (int i = 0; i < kCount; ++i) {
    const double value = rng.normal();
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
    cubes += value * value * value;
    fourth += value * value * value * value;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(squares / kCount, 1, 0.03);
  EXPECT_NEAR(cubes / kCount, 0, 0.08);
  EXPECT_NEAR(fourth / kCount, 3, 0.2);
}

TEST(Rng, ShuffleIsAPermutation) {
  for (const std::size_t size : {0u, 1u, 2u, 100u}) {
    std::vector<int> values(size);
    std::iota(values.begin(), values.end(), 0);
    Rng(9).shuffle(std::span(values));
    std::vector<int> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(sorted[i], static_cast<int>(i));
  }
}

TEST(Rng, EveryOrderIsEquallyLikely) {
  std::map<std::vector<int>, int> counts;
  for (std::uint64_t i = 0; i < 6000; ++i) {
    std::vector<int> values{0, 1, 2};
    Rng(10, 0, i).shuffle(std::span(values));
    ++counts[values];
  }
  ASSERT_EQ(counts.size(), 6u);
  for (const auto& [order, n] : counts) EXPECT_NEAR(n, 1000, 180);
}

}  // namespace engraft::rng_test
