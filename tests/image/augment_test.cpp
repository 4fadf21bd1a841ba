#include "engraft/image/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "engraft/image/augment_warp.h"
#include "expect_error.h"
#include "pictures.h"
#include "small_pictures.h"

namespace engraft::test::augment_test {

constexpr ResizeMode kModes[] = {ResizeMode::kSquash, ResizeMode::kCrop, ResizeMode::kPad};

Image augmented(const Image& image, const Augmentation& augmentation, std::uint64_t item = 0,
                int side = 32) {
  return augment(image, {.width = side, .height = side}, augmentation, Rng(1, 2, item));
}

Image grey(int width, int height, std::uint8_t value) {
  Image image(width, height);
  std::ranges::fill(image.pixels, value);
  return image;
}

TEST(Augment, WithNothingOnIsFitToTheLastBit) {
  for (const ResizeMode mode : kModes) {
    for (const Interpolation interpolation :
         {Interpolation::kNearest, Interpolation::kBilinear, Interpolation::kBilinearAntialiased,
          Interpolation::kBicubic}) {
      for (const Size size : {Size{60, 40}, Size{1, 1}, Size{33, 100}}) {
        const Preprocessing p{.width = 48,
                              .height = 32,
                              .mode = mode,
                              .interpolation = interpolation,
                              .crop_fraction = 0.875f};
        const Image image = noise(size.width, size.height);
        EXPECT_EQ(augment(image, p, {}, Rng(5)), fit(image, p));
      }
    }
  }
}

TEST(Augment, IsAFunctionOfItsArguments) {
  const Image image = noise(70, 50);
  for (const AugmentationPreset preset : kAugmentationPresets) {
    const Augmentation a = augmentation_of(preset);
    for (std::uint64_t item = 0; item < 20; ++item) {
      EXPECT_EQ(augmented(image, a, item), augmented(image, a, item));
    }
  }
}

TEST(Augment, AnotherGeneratorGivesAnotherPicture) {
  const Image image = noise(70, 50);
  for (const AugmentationPreset preset :
       {AugmentationPreset::kLight, AugmentationPreset::kStandard, AugmentationPreset::kStrong}) {
    std::set<std::string> seen;
    for (std::uint64_t item = 0; item < 50; ++item) {
      const Image out = augmented(image, augmentation_of(preset), item);
      seen.emplace(out.pixels.begin(), out.pixels.end());
    }
    EXPECT_EQ(seen.size(), 50u) << name_of(preset);
  }
}

TEST(Augment, GivesTheTargetsSizeForEveryShape) {
  Augmentation all = augmentation_of(AugmentationPreset::kStrong);
  all.upside_down = 0.5f;
  all.rotation = 180;
  all.hue = 0.5f;
  all.grayscale = 0.3f;
  all.erasing = 1;
  for (const Size size : {Size{1, 1}, Size{1, 1000}, Size{1000, 1}, Size{3000, 2}, Size{2, 3},
                          Size{500, 375}, Size{20, 20}}) {
    const Image image = noise(size.width, size.height);
    for (const ResizeMode mode : kModes) {
      for (const Size to : {Size{32, 32}, Size{1, 1}, Size{17, 64}, Size{200, 3}}) {
        for (std::uint64_t item = 0; item < 4; ++item) {
          const Preprocessing p{.width = to.width, .height = to.height, .mode = mode};
          ASSERT_EQ(augment(image, p, all, Rng(1, 2, item)).size(), to);
        }
      }
    }
  }
}

TEST(Augment, RefusesAnEmptyPictureOrTarget) {
  for (const AugmentationPreset preset : kAugmentationPresets) {
    const Augmentation a = augmentation_of(preset);
    const Preprocessing thin{.height = 0, .mode = ResizeMode::kCrop};
    expect_error(ErrorKind::kUsage, [&] { (void)augment(Image(), {}, a, Rng(1)); });
    expect_error(ErrorKind::kUsage, [&] { (void)augment(Image(3, 3), thin, a, Rng(1)); });
  }
}

TEST(Flips, HappenWithTheirProbability) {
  const Image image = gradient(32, 32);
  constexpr int kDraws = 2000;
  for (const float probability : {0.0f, 0.25f, 0.5f, 1.0f}) {
    int mirrored = 0, upside_down = 0;
    for (std::uint64_t item = 0; item < kDraws; ++item) {
      mirrored += augmented(image, {.mirror = probability}, item) != image;
      upside_down += augmented(image, {.upside_down = probability}, item) != image;
    }
    const double mean = kDraws * static_cast<double>(probability);
    const double five_deviations = 5 * std::sqrt(mean * (1 - static_cast<double>(probability)));
    EXPECT_NEAR(mirrored, mean, five_deviations);
    EXPECT_NEAR(upside_down, mean, five_deviations);
  }
}

TEST(Flips, TwiceIsThePictureItself) {
  for (const int side : {1, 2, 31, 32}) {
    const Image image = noise(side, side);
    for (const Augmentation& a : {Augmentation{.mirror = 1}, Augmentation{.upside_down = 1}}) {
      const Image once = augmented(image, a, 0, side);
      EXPECT_EQ(once == image, side == 1);
      EXPECT_EQ(augmented(once, a, 0, side), image);
    }
  }
}

TEST(Flips, TurnTheRightWay) {
  Image image(2, 2);
  image.pixels = {1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4};
  EXPECT_THAT(augmented(image, {.mirror = 1}, 0, 2).pixels,
              ::testing::ElementsAre(2, 2, 2, 1, 1, 1, 4, 4, 4, 3, 3, 3));
  EXPECT_THAT(augmented(image, {.upside_down = 1}, 0, 2).pixels,
              ::testing::ElementsAre(3, 3, 3, 4, 4, 4, 1, 1, 1, 2, 2, 2));
}

TEST(Flips, BothAreHalfATurn) {
  const Image image = noise(32, 32);
  EXPECT_EQ(augmented(image, {.mirror = 1, .upside_down = 1}), warp(image, rotation_by(180)));
}

TEST(ColourJitter, OfBrightnessCoversItsRange) {
  const Image image = grey(32, 32, 100);
  int least = 255, most = 0;
  for (std::uint64_t item = 0; item < 500; ++item) {
    const int value = augmented(image, {.brightness = 0.3f}, item).pixels[0];
    least = std::min(least, value);
    most = std::max(most, value);
  }
  EXPECT_GE(least, 70);
  EXPECT_LE(least, 71);
  EXPECT_GE(most, 129);
  EXPECT_LE(most, 130);
}

TEST(ColourJitter, OfSaturationAndHueLeavesGreyAlone) {
  Image image(32, 32);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(i / 3 * 7);
  }
  for (std::uint64_t item = 0; item < 50; ++item) {
    EXPECT_EQ(augmented(image, {.saturation = 1, .hue = 0.5f, .grayscale = 0.5f}, item), image);
  }
}

TEST(ColourJitter, GrayscaleHappensWithItsProbability) {
  const Image image = noise(8, 8);
  constexpr int kDraws = 1000;
  int grey_ones = 0;
  for (std::uint64_t item = 0; item < kDraws; ++item) {
    const Image out = augmented(image, {.grayscale = 0.2f}, item, 8);
    bool all = true;
    for (std::size_t i = 0; i < out.pixels.size(); i += 3) {
      all = all && out.pixels[i] == out.pixels[i + 1] && out.pixels[i] == out.pixels[i + 2];
    }
    grey_ones += all;
    EXPECT_TRUE(all || out == image);
  }
  EXPECT_NEAR(grey_ones, 200, 63);
}

TEST(Erasing, TakesTwoToThirtyThreePercent) {
  const Image image = grey(96, 64, 77);
  double least = 1, most = 0;
  for (std::uint64_t item = 0; item < 400; ++item) {
    const Image out = augment(image, {.width = 96, .height = 64}, {.erasing = 1}, Rng(8, 0, item));
    int left = 96, right = -1, top = 64, bottom = -1, changed = 0;
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 96; ++x) {
        const std::uint8_t* pixel = out.row(y) + 3 * x;
        if (pixel[0] == 77 && pixel[1] == 77 && pixel[2] == 77) continue;
        left = std::min(left, x);
        right = std::max(right, x);
        top = std::min(top, y);
        bottom = std::max(bottom, y);
        ++changed;
      }
    }
    const int box = (right - left + 1) * (bottom - top + 1);
    EXPECT_EQ(changed, box);  // one box, all of it
    least = std::min(least, box / (96.0 * 64));
    most = std::max(most, box / (96.0 * 64));
  }
  EXPECT_NEAR(least, 0.02, 0.005);
  EXPECT_NEAR(most, 0.33, 0.01);
}

TEST(Erasing, FillsWithNoiseOfAllValuesAlike) {
  const Image image = grey(200, 200, 0);
  std::vector<int> counts(256);
  int zeros = 0;
  for (std::uint64_t item = 0; item < 20; ++item) {
    for (const std::uint8_t value : augmented(image, {.erasing = 1}, item, 200).pixels) {
      value == 0 ? ++zeros : ++counts[value];
    }
  }
  const double mean = (20 * 3.0 * 200 * 200 - zeros) / 255;
  EXPECT_GT(mean, 500);
  for (std::size_t v = 1; v < 256; ++v) EXPECT_NEAR(counts[v], mean, 6 * std::sqrt(mean)) << v;
}

TEST(Erasing, HappensWithItsProbability) {
  const Image image = grey(16, 16, 9);
  int erased = 0;
  for (std::uint64_t item = 0; item < 1000; ++item) {
    erased += augmented(image, {.erasing = 0.25f}, item, 16) != image;
  }
  EXPECT_NEAR(erased, 250, 69);
}

TEST(Augment, ToSwitchAPartOnLeavesTheOthersChoices) {
  const Image image = map_of(128, 128);
  const Augmentation crops{.crop_min_area = 0.5f};
  for (std::uint64_t item = 0; item < 30; ++item) {
    const Image plain = augmented(image, crops, item);
    for (Augmentation more :
         {Augmentation{.mirror = 1}, Augmentation{.upside_down = 1}, Augmentation{.erasing = 1}}) {
      more.crop_min_area = 0.5f;
      Image out = augmented(image, more, item);
      if (more.mirror > 0 || more.upside_down > 0) {
        more.crop_min_area = 1;
        out = augmented(out, more, item);  // back again
        EXPECT_EQ(out, plain);
        continue;
      }
      std::size_t same = 0;
      for (std::size_t i = 0; i < out.pixels.size(); ++i) same += out.pixels[i] == plain.pixels[i];
      EXPECT_GE(static_cast<double>(same), 0.6 * static_cast<double>(out.pixels.size()));
    }
  }
}

}  // namespace engraft::test::augment_test
