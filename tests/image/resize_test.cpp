#include "engraft/image/resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "expect_error.h"
#include "pictures.h"

namespace engraft::test::resize_test {

double triangle(double x) {
  return std::abs(x) < 1 ? 1 - std::abs(x) : 0;
}

double cubic(double x) {
  x = std::abs(x);
  if (x < 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
  if (x < 2) return -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
  return 0;
}

int to_byte(double value) {
  return static_cast<int>(std::floor(std::min(std::max(value, 0.0), 255.0) + 0.5));
}

/// One direction, written as the definition: the filter, widened by the scale, over all samples.
std::vector<int> filtered(const std::vector<int>& line, int to,
                          const std::function<double(double)>& filter) {
  const double scale = static_cast<double>(line.size()) / to;
  const double wide = std::max(scale, 1.0);
  std::vector<int> out;
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    double sum = 0, weights = 0;
    for (std::size_t x = 0; x < line.size(); ++x) {
      const double w = filter((static_cast<double>(x) + 0.5 - centre) / wide);
      sum += w * line[x];
      weights += w;
    }
    out.push_back(to_byte(sum / weights));
  }
  return out;
}

Image antialiased_reference(const Image& image, Size to,
                            const std::function<double(double)>& filter) {
  Image narrow(to.width, image.height), out(to.width, to.height);
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < image.height; ++y) {
      std::vector<int> line;
      for (int x = 0; x < image.width; ++x) line.push_back(image.row(y)[3 * x + c]);
      const std::vector<int> row = filtered(line, to.width, filter);
      for (int x = 0; x < to.width; ++x) {
        narrow.row(y)[3 * x + c] = static_cast<std::uint8_t>(row[static_cast<std::size_t>(x)]);
      }
    }
    for (int x = 0; x < to.width; ++x) {
      std::vector<int> line;
      for (int y = 0; y < image.height; ++y) line.push_back(narrow.row(y)[3 * x + c]);
      const std::vector<int> column = filtered(line, to.height, filter);
      for (int y = 0; y < to.height; ++y) {
        out.row(y)[3 * x + c] = static_cast<std::uint8_t>(column[static_cast<std::size_t>(y)]);
      }
    }
  }
  return out;
}

/// Two taps each way between half-pixel centres, borders repeated.
Image bilinear_reference(const Image& image, Size to) {
  Image out(to.width, to.height);
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      const double sx =
          std::clamp((x + 0.5) * image.width / to.width - 0.5, 0.0, image.width - 1.0);
      const double sy =
          std::clamp((y + 0.5) * image.height / to.height - 0.5, 0.0, image.height - 1.0);
      const int x0 = static_cast<int>(sx), y0 = static_cast<int>(sy);
      const int x1 = std::min(x0 + 1, image.width - 1), y1 = std::min(y0 + 1, image.height - 1);
      const double fx = sx - x0, fy = sy - y0;
      for (int c = 0; c < 3; ++c) {
        const double value =
            (1 - fy) * ((1 - fx) * image.row(y0)[3 * x0 + c] + fx * image.row(y0)[3 * x1 + c]) +
            fy * ((1 - fx) * image.row(y1)[3 * x0 + c] + fx * image.row(y1)[3 * x1 + c]);
        out.row(y)[3 * x + c] = static_cast<std::uint8_t>(to_byte(value));
      }
    }
  }
  return out;
}

Image nearest_reference(const Image& image, Size to) {
  Image out(to.width, to.height);
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      const int sx = (2 * x + 1) * image.width / (2 * to.width);
      const int sy = (2 * y + 1) * image.height / (2 * to.height);
      std::copy_n(image.row(sy) + 3 * sx, 3, out.row(y) + 3 * x);
    }
  }
  return out;
}

const std::vector<std::pair<Size, Size>> kSizes{
    {{50, 37}, {22, 22}}, {{22, 22}, {50, 37}}, {{37, 50}, {37, 11}}, {{50, 37}, {13, 37}},
    {{1, 1}, {7, 5}},     {{7, 5}, {1, 1}},     {{1, 40}, {9, 9}},    {{40, 1}, {9, 9}},
    {{3, 2}, {2, 3}},     {{64, 64}, {32, 32}}, {{33, 33}, {32, 32}}, {{16, 16}, {17, 17}},
    {{100, 9}, {5, 90}},  {{5, 5}, {224, 3}}};

TEST(Resize, AntialiasedBilinearIsWithinOneLevelOfTheDefinition) {
  for (const auto& [from, to] : kSizes) {
    const Image image = noise(from.width, from.height);
    const Image out = resize(image, to, Interpolation::kBilinearAntialiased);
    const Image reference = antialiased_reference(image, to, triangle);
    EXPECT_LE(largest_difference(out, reference), 1) << from.width << "→" << to.width;
    EXPECT_LE(mean_difference(out, reference), 0.02) << from.width << "→" << to.width;
  }
}

TEST(Resize, BicubicIsWithinOneLevelOfTheDefinition) {
  for (const auto& [from, to] : kSizes) {
    const Image image = noise(from.width, from.height);
    const Image out = resize(image, to, Interpolation::kBicubic);
    const Image reference = antialiased_reference(image, to, cubic);
    EXPECT_LE(largest_difference(out, reference), 1) << from.width << "→" << to.width;
    EXPECT_LE(mean_difference(out, reference), 0.02) << from.width << "→" << to.width;
  }
}

TEST(Resize, PlainBilinearIsWithinOneLevelOfTheDefinition) {
  for (const auto& [from, to] : kSizes) {
    const Image image = noise(from.width, from.height);
    const Image out = resize(image, to, Interpolation::kBilinear);
    EXPECT_LE(largest_difference(out, bilinear_reference(image, to)), 1);
    EXPECT_LE(mean_difference(out, bilinear_reference(image, to)), 0.02);
  }
}

TEST(Resize, NearestPicksTheSampleUnderEachCentre) {
  for (const auto& [from, to] : kSizes) {
    const Image image = noise(from.width, from.height);
    EXPECT_EQ(resize(image, to, Interpolation::kNearest), nearest_reference(image, to))
        << from.width << "×" << from.height << "→" << to.width << "×" << to.height;
  }
}

TEST(Resize, HalvingIsTheMeanOfFourForPlainBilinear) {
  Image image(2, 2);
  image.pixels = {0, 10, 20, 100, 10, 20, 50, 10, 20, 50, 10, 21};
  const Image out = resize(image, {1, 1}, Interpolation::kBilinear);
  EXPECT_EQ(out.pixels, (std::vector<std::uint8_t>{50, 10, 20}));
}

TEST(Resize, AntialiasedHalvingTakesAnEighthFromTheNeighbours) {
  Image image(8, 1);
  for (int x = 0; x < 8; ++x) {
    image.row(0)[3 * x] = static_cast<std::uint8_t>(x == 3 ? 240 : 0);
  }
  const Image out = resize(image, {4, 1}, Interpolation::kBilinearAntialiased);
  EXPECT_EQ(out.row(0)[3], 90);  // 240 · 3/8
  EXPECT_EQ(out.row(0)[6], 30);  // 240 · 1/8
  EXPECT_EQ(out.row(0)[9], 0);
}

class EveryInterpolation : public ::testing::TestWithParam<Interpolation> {};

INSTANTIATE_TEST_SUITE_P(All, EveryInterpolation,
                         ::testing::Values(Interpolation::kNearest, Interpolation::kBilinear,
                                           Interpolation::kBilinearAntialiased,
                                           Interpolation::kBicubic),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

TEST_P(EveryInterpolation, KeepsAFlatPictureFlat) {
  Image flat(31, 17);
  for (std::size_t i = 0; i < flat.pixels.size(); ++i) {
    flat.pixels[i] = static_cast<std::uint8_t>(std::array{3, 128, 255}[i % 3]);
  }
  for (const Size to : {Size{224, 224}, Size{7, 5}, Size{31, 9}, Size{1, 1}}) {
    const Image out = resize(flat, to, GetParam());
    for (std::size_t i = 0; i < out.pixels.size(); ++i) {
      ASSERT_EQ(out.pixels[i], (std::array{3, 128, 255}[i % 3]));
    }
  }
}

TEST_P(EveryInterpolation, ToTheSameSizeChangesNothing) {
  const Image image = noise(23, 19);
  EXPECT_EQ(resize(image, {23, 19}, GetParam()), image);
}

TEST_P(EveryInterpolation, CommutesWithAMirror) {
  const Image image = noise(40, 30);
  const Image a = flip_horizontal(resize(image, {16, 16}, GetParam()));
  const Image b = resize(flip_horizontal(image), {16, 16}, GetParam());
  if (GetParam() == Interpolation::kNearest) return;  // ties fall to the right in both
  EXPECT_LE(largest_difference(a, b), 1);
}

TEST_P(EveryInterpolation, KeepsChannelsApart) {
  Image image = noise(30, 30);
  const Image before = resize(image, {11, 13}, GetParam());
  for (std::size_t i = 1; i < image.pixels.size(); i += 3) image.pixels[i] = 0;
  const Image after = resize(image, {11, 13}, GetParam());
  for (std::size_t i = 0; i < after.pixels.size(); i += 3) {
    ASSERT_EQ(after.pixels[i], before.pixels[i]);
    ASSERT_EQ(after.pixels[i + 1], 0);
    ASSERT_EQ(after.pixels[i + 2], before.pixels[i + 2]);
  }
}

TEST_P(EveryInterpolation, RefusesEmptySizes) {
  expect_error(ErrorKind::kUsage, [] { (void)resize(Image(), {3, 3}, GetParam()); });
  expect_error(ErrorKind::kUsage, [] { (void)resize(noise(3, 3), {0, 3}, GetParam()); });
  expect_error(ErrorKind::kUsage, [] { (void)resize(noise(3, 3), {3, -1}, GetParam()); });
}

TEST(Crop, TakesExactlyTheBox) {
  const Image image = noise(9, 7);
  const Image out = crop(image, {.left = 2, .top = 3, .width = 5, .height = 4});
  ASSERT_EQ(out.size(), (Size{5, 4}));
  for (int y = 0; y < 4; ++y) {
    for (int i = 0; i < 15; ++i) ASSERT_EQ(out.row(y)[i], image.row(y + 3)[6 + i]);
  }
}

TEST(Crop, RefusesABoxThatLeavesThePicture) {
  const Image image = noise(9, 7);
  for (const Box& box : {Box{-1, 0, 3, 3}, Box{0, -1, 3, 3}, Box{7, 0, 3, 3}, Box{0, 5, 3, 3},
                         Box{0, 0, 10, 3}, Box{0, 0, 3, 8}, Box{0, 0, 0, 3}, Box{0, 0, 3, -2},
                         Box{INT32_MAX, 0, 3, 3}, Box{0, 0, INT32_MAX, 3}}) {
    expect_error(ErrorKind::kUsage, [&] { (void)crop(image, box); });
  }
}

TEST(FlipHorizontal, TwiceIsNothing) {
  const Image image = noise(9, 7);
  EXPECT_EQ(flip_horizontal(flip_horizontal(image)), image);
  EXPECT_EQ(flip_horizontal(image), as_stored(image, 2));
}

}  // namespace engraft::test::resize_test
