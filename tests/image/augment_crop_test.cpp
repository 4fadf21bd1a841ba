#include "engraft/image/augment_crop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "engraft/image/augment.h"
#include "expect_error.h"
#include "pictures.h"
#include "small_pictures.h"

namespace engraft::test::augment_crop_test {

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

TEST(Crops, ShowTheShareAndProportionsAskedFor) {
  const Image image = map_of(256, 256);
  const Augmentation a{.crop_min_area = 0.35f, .crop_max_stretch = 4.0f / 3.0f};
  double least = 1, most = 0, narrowest = 1, widest = 1;
  std::set<int> lefts;
  for (std::uint64_t item = 0; item < 500; ++item) {
    const Image out = augmented(image, a, item, 64);
    const double across = (out.row(32)[3 * 63] - out.row(32)[0]) / 255.0 * 64 / 63;
    const double down = (out.row(63)[1] - out.row(0)[1]) / 255.0 * 64 / 63;
    const double area = across * down, proportion = across / down;
    EXPECT_GE(area, 0.35 * 3 / 4 - 0.03);
    EXPECT_LE(area, 1.04);
    least = std::min(least, area);
    most = std::max(most, area);
    narrowest = std::min(narrowest, proportion);
    widest = std::max(widest, proportion);
    lefts.insert(out.row(32)[0]);
  }
  EXPECT_LT(least, 0.35);
  EXPECT_GT(most, 0.88);
  EXPECT_NEAR(narrowest, 0.75, 0.05);
  EXPECT_NEAR(widest, 1.333, 0.08);
  EXPECT_GT(lefts.size(), 60u);
}

TEST(Crops, KeepTheProportionsThatFitKeeps) {
  EXPECT_EQ(crop_size({400, 100}, {.width = 50, .height = 50}, {}), (Size{400, 100}));
  EXPECT_EQ(crop_size({400, 100}, {.width = 50, .height = 50}, {.area = 0.25}), (Size{200, 50}));
  EXPECT_EQ(crop_size({400, 100}, {.width = 50, .height = 50, .mode = ResizeMode::kCrop}, {}),
            (Size{100, 100}));
  EXPECT_EQ(crop_size({400, 100}, {.width = 50, .height = 50}, {.stretch = 2}), (Size{400, 50}));
  EXPECT_EQ(crop_size({1, 1}, {}, {.area = 0.01, .stretch = 4}), (Size{1, 1}));
}

TEST(Crops, StretchIsAlikeBothWays) {
  EXPECT_EQ(stretch_factor(0.5, 2), 1);
  EXPECT_EQ(stretch_factor(0, 2), 0.5);
  EXPECT_EQ(stretch_factor(0.75, 2), 1.5);
  EXPECT_DOUBLE_EQ(stretch_factor(0.25, 2) * stretch_factor(0.75, 2), 1);
}

TEST(Crops, APartIsFittedWithBarsOnlyForPad) {
  const Image image = noise(60, 60);
  const Box part{.left = 5, .top = 6, .width = 40, .height = 20};
  const Preprocessing squash{.width = 20, .height = 20};
  EXPECT_EQ(fit_part(image, part, squash),
            resize(crop(image, part), {20, 20}, squash.interpolation));
  Preprocessing pad = squash;
  pad.mode = ResizeMode::kPad;
  EXPECT_EQ(fit_part(image, part, pad), fit(crop(image, part), pad));
  for (const Box& bad : {Box{.width = 61, .height = 1}, Box{.left = 60, .width = 1, .height = 1},
                         Box{.left = -1, .width = 2, .height = 2}, Box{}}) {
    expect_error(ErrorKind::kUsage, [&] { (void)fit_part(image, bad, squash); });
  }
}

TEST(Rotation, HasNoBlackCorners) {
  const Image bright = grey(40, 40, 200);
  for (std::uint64_t item = 0; item < 20; ++item) {
    EXPECT_EQ(augmented(bright, {.rotation = 180}, item), grey(32, 32, 200));
  }
}

TEST(Rotation, GoesBothWaysUpToTheLimit) {
  // The picture says by itself how far it was turned: the direction of its red slope.
  const Image image = map_of(256, 256);
  double least = 0, most = 0;
  for (std::uint64_t item = 0; item < 300; ++item) {
    const Image out = augmented(image, {.rotation = 20}, item, 64);
    const double right = out.row(32)[3 * 44] - out.row(32)[3 * 20];
    const double down = out.row(44)[3 * 32] - out.row(20)[3 * 32];
    const double degrees = std::atan2(down, right) * 180 / std::numbers::pi;
    least = std::min(least, degrees);
    most = std::max(most, degrees);
  }
  EXPECT_NEAR(least, -20, 1.5);
  EXPECT_NEAR(most, 20, 1.5);
}

/// FNV-1a over many views. Features in people's caches were computed from such pixels.
TEST(FitView, KeepsItsBitsForGood) {
  std::uint64_t hash = 1469598103934665603u;
  for (const ResizeMode mode : kModes) {
    for (const Size size : {Size{50, 70}, Size{1, 90}, Size{301, 200}}) {
      for (int k = 0; k < 20; ++k) {
        const Image out =
            fit_view(noise(size.width, size.height), {.width = 40, .height = 33, .mode = mode},
                     {.index = k, .seed = 3, .key = 77});
        for (const std::uint8_t value : out.pixels) hash = (hash ^ value) * 1099511628211u;
      }
    }
  }
  EXPECT_EQ(hash, 17329348838823795493u);
}

}  // namespace engraft::test::augment_crop_test
