#include "engraft/image/mix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "expect_error.h"
#include "pictures.h"
#include "support/random_values.h"

namespace engraft::test::mix_test {

constexpr Size kSize{.width = 24, .height = 16};
constexpr std::size_t kValues = 3 * 24 * 16;

std::vector<Mix> draws(const Augmentation& augmentation, Size size = {224, 224},
                       std::uint64_t count = 20000) {
  std::vector<Mix> all;
  for (std::uint64_t item = 0; item < count; ++item) {
    Rng rng(11, 5, item);
    all.push_back(draw_mix(augmentation, size, rng));
  }
  return all;
}

TEST(DrawMix, IsNothingWhereBothAreOff) {
  for (const Mix& mix : draws({}, kSize, 100)) {
    EXPECT_EQ(mix.kind, Mix::Kind::kNone);
    EXPECT_EQ(mix.share, 1);
  }
}

TEST(DrawMix, SharesHaveTheBetaDistributionsMoments) {
  for (const float alpha : {0.05f, 0.2f, 0.5f, 1.0f, 2.0f, 8.0f, 100.0f}) {
    double sum = 0, squares = 0, fourth = 0;
    const std::vector<Mix> all = draws({.mixup = alpha});
    for (const Mix& mix : all) {
      ASSERT_GE(mix.share, 0);
      ASSERT_LE(mix.share, 1);
      EXPECT_EQ(mix.kind, Mix::Kind::kMixup);
      const double from_middle = static_cast<double>(mix.share) - 0.5;
      sum += from_middle;
      squares += from_middle * from_middle;
      fourth += std::pow(from_middle, 4);
    }
    const double n = static_cast<double>(all.size());
    const double a = static_cast<double>(alpha);
    const double variance = 1 / (4 * (2 * a + 1));
    EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n)) << alpha;
    EXPECT_NEAR(squares / n, variance, 0.04 * variance) << alpha;
    // Kurtosis 3 - 6 / (2α + 3): tells the Beta from others of the same variance.
    const double kurtosis = 3 - 6 / (2 * a + 3);
    EXPECT_NEAR(fourth / n / (variance * variance), kurtosis, 0.1 * kurtosis) << alpha;
  }
}

TEST(DrawMix, OfAlphaOneIsUniform) {
  std::vector<int> tenths(10);
  for (const Mix& mix : draws({.mixup = 1})) {
    ++tenths[std::min<std::size_t>(static_cast<std::size_t>(mix.share * 10), 9)];
  }
  for (const int count : tenths) EXPECT_NEAR(count, 2000, 5 * 42.5);
}

TEST(DrawMix, OfATinyAlphaIsAllOrNothingAndNeverNan) {
  int first = 0;
  for (const Mix& mix : draws({.mixup = std::numeric_limits<float>::denorm_min()})) {
    ASSERT_TRUE(mix.share == 0 || mix.share == 1) << mix.share;
    first += mix.share == 1;
  }
  EXPECT_NEAR(first, 10000, 5 * 71);
}

TEST(DrawMix, WithBothOnEachComesHalfOfTheTime) {
  int mixup = 0;
  const std::vector<Mix> all = draws({.mixup = 0.2f, .cutmix = 1});
  for (const Mix& mix : all) {
    EXPECT_NE(mix.kind, Mix::Kind::kNone);
    mixup += mix.kind == Mix::Kind::kMixup;
  }
  EXPECT_NEAR(mixup, 10000, 5 * 71);
}

TEST(DrawMix, ThePartnerIsTheSameWhicheverIsOn) {
  std::set<std::uint64_t> partners;
  for (std::uint64_t item = 0; item < 100; ++item) {
    Rng a(1, 2, item), b(1, 2, item), c(1, 2, item);
    const Mix off = draw_mix({}, kSize, a);
    EXPECT_EQ(draw_mix({.mixup = 1}, kSize, b).partner, off.partner);
    EXPECT_EQ(draw_mix({.mixup = 0.2f, .cutmix = 1}, kSize, c).partner, off.partner);
    partners.insert(off.partner);
  }
  EXPECT_EQ(partners.size(), 100u);
}

TEST(DrawMix, TheBoxIsInsideAndTheShareIsItsAreas) {
  for (const Size size : {Size{224, 224}, Size{1, 1}, Size{1, 100}, Size{7, 3}}) {
    for (const Mix& mix : draws({.cutmix = 1}, size, 2000)) {
      ASSERT_EQ(mix.kind, Mix::Kind::kCutmix);
      const Box& box = mix.box;
      ASSERT_GE(box.left, 0);
      ASSERT_GE(box.top, 0);
      ASSERT_GE(box.width, 0);
      ASSERT_GE(box.height, 0);
      ASSERT_LE(box.left + box.width, size.width);
      ASSERT_LE(box.top + box.height, size.height);
      const double area = static_cast<double>(box.width) * box.height;
      ASSERT_FLOAT_EQ(mix.share, static_cast<float>(
                                     1 - area / (static_cast<double>(size.width) * size.height)));
    }
  }
}

TEST(DrawMix, BoxesLieEverywhereAndTakeEveryShare) {
  // Every pixel is as often the second's as its mirror image; corners less often than the middle.
  std::vector<int> taken(16 * 16);
  double least = 1, most = 0;
  for (const Mix& mix : draws({.cutmix = 1}, {16, 16})) {
    for (int y = mix.box.top; y < mix.box.top + mix.box.height; ++y) {
      for (int x = mix.box.left; x < mix.box.left + mix.box.width; ++x) {
        ++taken[static_cast<std::size_t>(16 * y + x)];
      }
    }
    least = std::min(least, static_cast<double>(mix.share));
    most = std::max(most, static_cast<double>(mix.share));
  }
  EXPECT_LT(least, 0.15);
  EXPECT_EQ(most, 1);
  EXPECT_GT(taken[0], 1500);
  EXPECT_GT(taken[255], 1500);
  EXPECT_GT(taken[16 * 8 + 8], taken[0]);
}

TEST(DrawMix, RefusesWhatMakesNoSense) {
  Rng rng(1);
  expect_error(ErrorKind::kUsage, [&] { (void)draw_mix({.mixup = -1}, kSize, rng); });
  expect_error(ErrorKind::kUsage, [&] { (void)draw_mix({.mixup = 1}, {0, 5}, rng); });
}

TEST(ApplyMix, MixupIsTheWeightedMean) {
  const std::vector<float> first = random_values(kValues, 1), second = random_values(kValues, 2);
  for (const float share : {0.0f, 0.3f, 1.0f}) {
    std::vector<float> out = first;
    apply_mix({.kind = Mix::Kind::kMixup, .share = share}, out, second, kSize);
    for (std::size_t i = 0; i < kValues; ++i) {
      ASSERT_FLOAT_EQ(out[i], share * first[i] + (1 - share) * second[i]);
    }
  }
}

TEST(ApplyMix, MixupOfAPictureWithItselfChangesLittle) {
  const std::vector<float> first = random_values(kValues, 1);
  std::vector<float> out = first;
  apply_mix({.kind = Mix::Kind::kMixup, .share = 0.37f}, out, first, kSize);
  for (std::size_t i = 0; i < kValues; ++i) ASSERT_NEAR(out[i], first[i], 1e-6);
}

TEST(ApplyMix, CutmixPastesTheBoxAndTouchesNothingElse) {
  const std::vector<float> first(kValues, 1), second(kValues, 2);
  std::vector<float> out = first;
  const Box box{.left = 20, .top = 3, .width = 4, .height = 13};
  apply_mix({.kind = Mix::Kind::kCutmix, .share = 0.9f, .box = box}, out, second, kSize);
  for (int y = 0; y < kSize.height; ++y) {
    for (int x = 0; x < kSize.width; ++x) {
      const float want = x >= 20 && y >= 3 ? 2.0f : 1.0f;
      for (int c = 0; c < 3; ++c) {
        ASSERT_EQ(out[static_cast<std::size_t>(3 * (y * kSize.width + x) + c)], want);
      }
    }
  }
}

TEST(ApplyMix, AnEmptyBoxAndNoneAtAllChangeNothing) {
  const std::vector<float> first = random_values(kValues, 1), second = random_values(kValues, 2);
  std::vector<float> out = first;
  apply_mix({}, out, second, kSize);
  EXPECT_EQ(out, first);
  apply_mix({.kind = Mix::Kind::kCutmix, .box = {.left = 24, .top = 16}}, out, second, kSize);
  EXPECT_EQ(out, first);
}

TEST(ApplyMix, OnPixelsIsTheSameRounded) {
  const Image first = noise(24, 16, 1), second = noise(24, 16, 2);
  const Mix blend{.kind = Mix::Kind::kMixup, .share = 0.25f};
  const Image blended = apply_mix(blend, first, second);
  for (std::size_t i = 0; i < first.pixels.size(); ++i) {
    ASSERT_NEAR(blended.pixels[i], 0.25 * first.pixels[i] + 0.75 * second.pixels[i], 0.5001);
  }
  const Box box{.left = 1, .top = 2, .width = 3, .height = 4};
  const Image pasted = apply_mix({.kind = Mix::Kind::kCutmix, .box = box}, first, second);
  EXPECT_EQ(crop(pasted, box), crop(second, box));
  EXPECT_EQ(apply_mix({}, first, second), first);
}

TEST(ApplyMix, RefusesWhatDoesNotFit) {
  std::vector<float> first(kValues);
  const std::vector<float> second(kValues), shorter(kValues - 3);
  const Mix blend{.kind = Mix::Kind::kMixup};
  expect_error(ErrorKind::kUsage, [&] { apply_mix(blend, first, shorter, kSize); });
  expect_error(ErrorKind::kUsage, [&] { apply_mix(blend, first, second, {24, 15}); });
  expect_error(ErrorKind::kUsage, [&] { apply_mix(blend, first, second, {-24, -16}); });
  for (const Box& bad :
       {Box{.left = 21, .width = 4, .height = 1}, Box{.left = -1, .width = 4, .height = 1},
        Box{.top = 16, .width = 1, .height = 1}, Box{.width = 1, .height = 17}}) {
    expect_error(ErrorKind::kUsage, [&] {
      apply_mix({.kind = Mix::Kind::kCutmix, .box = bad}, first, second, kSize);
    });
  }
  expect_error(ErrorKind::kUsage, [&] { (void)apply_mix(blend, noise(4, 4), noise(4, 5)); });
}

}  // namespace engraft::test::mix_test
