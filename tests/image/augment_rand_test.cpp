#include "engraft/image/augment_rand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engraft/image/augment_warp.h"
#include "pictures.h"
#include "small_pictures.h"

namespace engraft::test::augment_rand_test {

using ::testing::ElementsAre;

TEST(Warp, TheIdentityChangesNoBit) {
  for (const Size size : {Size{1, 1}, Size{1, 40}, Size{33, 2}, Size{64, 48}, Size{63, 47}}) {
    const Image image = noise(size.width, size.height);
    EXPECT_EQ(warp(image, {}), image);
    EXPECT_EQ(warp(image, rotation_by(0)), image);
  }
}

TEST(Warp, RightAnglesMoveWholePixels) {
  const Image image = noise(24, 24);
  const Image turned = warp(image, rotation_by(90));
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 24; ++x) {
      // Counter-clockwise: the right column becomes the upper row.
      ASSERT_EQ(turned.row(y)[3 * x], image.row(x)[3 * (23 - y)]);
    }
  }
  EXPECT_EQ(warp(warp(image, rotation_by(180)), rotation_by(180)), image);
  EXPECT_EQ(warp(turned, rotation_by(-90)), image);
}

TEST(Warp, ShiftsUncoverTheReflectedPicture) {
  const Image image = grey_row({10, 20, 30, 40});
  EXPECT_EQ(grey_of(warp(image, {.dx = 1})), (Values{20, 30, 40, 40}));
  EXPECT_EQ(grey_of(warp(image, {.dx = -2})), (Values{20, 10, 10, 20}));
  EXPECT_EQ(grey_of(warp(image, {.dx = 0.5})), (Values{15, 25, 35, 40}));
  EXPECT_EQ(grey_of(warp(image, {.dx = 4})), (Values{40, 30, 20, 10}));
  EXPECT_EQ(grey_of(warp(image, {.dx = -4})), (Values{40, 30, 20, 10}));
}

/// The same by the book: floating point, every tap reflected.
Image warp_by_the_book(const Image& image, const Affine& from) {
  const auto reflect = [](int i, int n) {
    while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
    return i;
  };
  Image out(image.width, image.height);
  const double cx = (image.width - 1) / 2.0, cy = (image.height - 1) / 2.0;
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const double u = cx + from.xx * (x - cx) + from.xy * (y - cy) + from.dx;
      const double v = cy + from.yx * (x - cx) + from.yy * (y - cy) + from.dy;
      const int left = static_cast<int>(std::floor(u)), top = static_cast<int>(std::floor(v));
      for (int c = 0; c < 3; ++c) {
        double sum = 0;
        for (const int j : {0, 1}) {
          for (const int i : {0, 1}) {
            const double weight =
                (i == 1 ? u - left : 1 - (u - left)) * (j == 1 ? v - top : 1 - (v - top));
            sum += weight *
                   image.row(reflect(top + j, out.height))[3 * reflect(left + i, out.width) + c];
          }
        }
        out.row(y)[3 * x + c] = static_cast<std::uint8_t>(sum + 0.5);
      }
    }
  }
  return out;
}

TEST(Warp, IsBilinearWithReflectionAtEveryEdge) {
  const Affine shear{.xy = 0.3, .dx = 3.3, .yx = -0.2, .dy = -40.7};
  for (const Size size : {Size{50, 40}, Size{1, 30}, Size{30, 1}, Size{2, 3}}) {
    const Image image = noise(size.width, size.height);
    for (const Affine& map : {rotation_by(17), rotation_by(-133), shear}) {
      // 1/128 of a pixel between neighbours up to 255 apart, in each direction.
      EXPECT_LE(largest_difference(warp(image, map), warp_by_the_book(image, map)), 5);
      EXPECT_LT(mean_difference(warp(image, map), warp_by_the_book(image, map)), 1);
    }
  }
}

TEST(RandOperations, HaveFourteenNames) {
  std::vector<std::string_view> names;
  for (const RandOperation operation : kRandOperations) names.push_back(name_of(operation));
  EXPECT_THAT(names, ElementsAre("identity", "autocontrast", "equalize", "rotate", "solarize",
                                 "colour", "posterize", "contrast", "brightness", "sharpness",
                                 "shear_x", "shear_y", "translate_x", "translate_y"));
}

bool knows_no_strength(RandOperation operation) {
  return operation == RandOperation::kAutocontrast || operation == RandOperation::kEqualize;
}

TEST(RandOperations, AtStrengthZeroNothingHappens) {
  const Image image = noise(41, 32);
  for (const RandOperation operation : kRandOperations) {
    if (knows_no_strength(operation)) continue;
    EXPECT_EQ(apply(operation, image, 0), image) << name_of(operation);
  }
}

TEST(RandOperations, AtFullStrengthAllButTheIdentityChangeThePicture) {
  const Image image = adjusted(noise(64, 64), {.contrast = 0.5});
  for (const RandOperation operation : kRandOperations) {
    for (const double strength : {-1.0, 1.0}) {
      const Image out = apply(operation, image, strength);
      EXPECT_EQ(out.size(), image.size());
      EXPECT_EQ(out == image, operation == RandOperation::kIdentity) << name_of(operation);
    }
  }
}

TEST(RandOperations, HaveTheRangesOfThePaper) {
  EXPECT_EQ(grey_of(apply(RandOperation::kBrightness, grey_row({100}), 1)), Values{190});
  EXPECT_EQ(grey_of(apply(RandOperation::kBrightness, grey_row({100}), -1)), Values{10});
  EXPECT_EQ(grey_of(apply(RandOperation::kPosterize, grey_row({255}), 1)), Values{240});
  EXPECT_EQ(grey_of(apply(RandOperation::kSolarize, grey_row({0, 127, 128}), -0.5)),
            (Values{0, 127, 127}));
  Image line(101, 1);
  line.pixels[0] = 255;
  EXPECT_EQ(apply(RandOperation::kTranslateX, line, -1).pixels[3 * 45], 255);
  const Image image = noise(40, 40);
  EXPECT_EQ(apply(RandOperation::kRotate, image, 0.5), warp(image, rotation_by(15)));
  EXPECT_EQ(apply(RandOperation::kShearX, image, 1), warp(image, {.xy = 0.3}));
  EXPECT_EQ(apply(RandOperation::kShearY, image, -1), warp(image, {.yx = -0.3}));
}

TEST(RandOperations, WorkOnEveryShape) {
  for (const Size size : {Size{1, 1}, Size{1, 1000}, Size{1000, 1}, Size{2, 2}}) {
    for (const RandOperation operation : kRandOperations) {
      for (const double strength : {-1.0, 0.3, 1.0}) {
        const Image out = apply(operation, noise(size.width, size.height), strength);
        EXPECT_EQ(out.size(), size) << name_of(operation);
      }
    }
  }
}

TEST(RandAugment, DrawsEveryOperationAlike) {
  // Each operation leaves its own result on this picture; single draws are told apart by it.
  const Image image = adjusted(noise(24, 24), {.contrast = 0.5});
  std::vector<int> counts(kRandOperations.size());
  constexpr int kDraws = 2800;
  for (std::uint64_t k = 0; k < kDraws; ++k) {
    Rng rng(1, 2, k);
    const Image out = rand_augment(image, 1, 10, rng);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (out == apply(kRandOperations[i], image, 1) ||
          out == apply(kRandOperations[i], image, -1)) {
        ++counts[i];
        break;
      }
    }
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    EXPECT_NEAR(counts[i], 200, 5 * 13.6) << name_of(kRandOperations[i]);
  }
}

TEST(RandAugment, NoOperationsLeaveThePictureAndTheGenerator) {
  Rng rng(4), other(4);
  EXPECT_EQ(rand_augment(noise(9, 9), 0, 9, rng), noise(9, 9));
  EXPECT_EQ(rng.next_u32(), other.next_u32());
}

}  // namespace engraft::test::augment_rand_test
