#include "engraft/image/augment_colour.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "engraft/image/augment_tones.h"
#include "engraft/image/resize.h"
#include "pictures.h"
#include "small_pictures.h"

namespace engraft::test::augment_colour_test {

using ::testing::ElementsAre;

Image of_colour(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  Image image(1, 1);
  image.pixels = {red, green, blue};
  return image;
}

double luma_of(const Image& pixel) {
  return 0.299 * pixel.pixels[0] + 0.587 * pixel.pixels[1] + 0.114 * pixel.pixels[2];
}

TEST(Colours, FactorsOfOneChangeNothing) {
  const Image image = noise(31, 17);
  EXPECT_EQ(adjusted(image, {}), image);
  // A whole turn of the hue goes through the arithmetic and comes back.
  EXPECT_EQ(adjusted(image, {.hue = 1}), image);
}

TEST(Colours, BrightnessIsAFactorRoundedAndClamped) {
  EXPECT_THAT(adjusted(of_colour(10, 101, 200), {.brightness = 1.5}).pixels,
              ElementsAre(15, 152, 255));
  EXPECT_THAT(adjusted(of_colour(10, 101, 200), {.brightness = 0}).pixels, ElementsAre(0, 0, 0));
}

TEST(Colours, ContrastIsTheDistanceFromTheMeanLuma) {
  // Mean 100.
  EXPECT_EQ(grey_of(adjusted(grey_row({40, 100, 160}), {.contrast = 1.5})), (Values{10, 100, 190}));
  EXPECT_EQ(grey_of(adjusted(grey_row({40, 100, 160}), {.contrast = 0})), (Values{100, 100, 100}));
  EXPECT_EQ(grey_of(adjusted(grey_row({0, 100, 200}), {.contrast = 2})), (Values{0, 100, 255}));
  // Luma of red, green and blue alike: (76.245 + 149.685 + 29.07) / 3 = 85.
  Image primaries(3, 1);
  primaries.pixels = {255, 0, 0, 0, 255, 0, 0, 0, 255};
  EXPECT_EQ(grey_of(adjusted(primaries, {.contrast = 0})), (Values{85, 85, 85}));
}

TEST(Colours, BrightnessMovesTheMeanThatContrastIsTakenFrom) {
  EXPECT_EQ(grey_of(adjusted(grey_row({40, 100, 160}), {.brightness = 0.5, .contrast = 0})),
            (Values{50, 50, 50}));
}

TEST(Colours, SaturationIsTheDistanceFromThePixelsLuma) {
  // Luma of (200, 100, 50): 124.2.
  EXPECT_THAT(adjusted(of_colour(200, 100, 50), {.saturation = 0}).pixels,
              ElementsAre(124, 124, 124));
  EXPECT_THAT(adjusted(of_colour(200, 100, 50), {.saturation = 0.5}).pixels,
              ElementsAre(162, 112, 87));
  EXPECT_THAT(adjusted(of_colour(200, 100, 50), {.saturation = 1.5}).pixels,
              ElementsAre(238, 88, 13));
}

TEST(Colours, AQuarterTurnOfTheHueSwapsTheChromaAxes) {
  // By hand: Y = 104.9, U = 0.492 · (90 - Y) = -7.331, V = 0.877 · (130 - Y) = 22.013; a quarter
  // turn makes U' = -V, V' = U: R = Y + U / 0.877 = 96.54, B = Y - V / 0.492 = 60.16.
  EXPECT_THAT(adjusted(of_colour(130, 95, 90), {.hue = 0.25}).pixels, ElementsAre(97, 118, 60));
}

TEST(Colours, HueKeepsLumaAndTurnsBack) {
  const Image image = adjusted(noise(20, 20), {.saturation = 0.25});  // far from being clamped
  for (const double hue : {0.1, 0.25, 0.5, -0.4}) {
    const Image turned = adjusted(image, {.hue = hue});
    EXPECT_GT(largest_difference(turned, image), 10);
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        const Box pixel{.left = x, .top = y, .width = 1, .height = 1};
        const Image before = crop(image, pixel), after = crop(turned, pixel);
        const bool clamped =
            std::ranges::any_of(after.pixels, [](std::uint8_t v) { return v == 0 || v == 255; });
        if (!clamped) {
          ASSERT_NEAR(luma_of(before), luma_of(after), 0.51);
        }
      }
    }
  }
  const Image dull = adjusted(noise(20, 20), {.contrast = 0.2});
  EXPECT_LE(largest_difference(adjusted(adjusted(dull, {.hue = 0.2}), {.hue = -0.2}), dull), 2);
}

TEST(Colours, GreyStaysGreyToTheLastBit) {
  Values all;
  for (int v = 0; v < 256; ++v) all.push_back(static_cast<std::uint8_t>(v));
  const Image ramp = grey_row(all);
  for (const double saturation : {0.0, 0.3, 1.7, 2.0}) {
    for (const double hue : {0.0, 0.123, -0.5}) {
      EXPECT_EQ(grey_of(adjusted(ramp, {.saturation = saturation, .hue = hue})), all);
      (void)grey_of(adjusted(
          ramp, {.brightness = 1.1, .contrast = 0.77, .saturation = saturation, .hue = hue}));
    }
  }
}

TEST(Colours, TheStrongestFactorsStayInRange) {
  // Against the formula in floating point; an overflow of the integers would be far off.
  const Image image = noise(16, 16);
  const Image out = adjusted(image, {.brightness = 2, .contrast = 2, .saturation = 2});
  double mean = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    mean +=
        (0.299 * image.pixels[i] + 0.587 * image.pixels[i + 1] + 0.114 * image.pixels[i + 2]) / 256;
  }
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const std::size_t p = i - i % 3;
    const double y =
        0.299 * image.pixels[p] + 0.587 * image.pixels[p + 1] + 0.114 * image.pixels[p + 2];
    const double want = 4 * (y + 2 * (image.pixels[i] - y)) - 2 * mean;
    ASSERT_NEAR(out.pixels[i], std::clamp(want, 0.0, 255.0), 0.51);
  }
}

TEST(Autocontrast, SpreadsEachChannelOverTheWholeRange) {
  Image image(3, 1);
  image.pixels = {50, 0, 7, 100, 255, 7, 150, 128, 7};
  autocontrast(image);
  EXPECT_THAT(image.pixels, ElementsAre(0, 0, 7, 128, 255, 7, 255, 128, 7));
}

TEST(Equalize, LevelsTheHistogram) {
  // 1024 pixels, half of them 10, the others 20 and 30: s = (1024 - 256) / 255 = 3, and
  // (1 + pixels below) / 3 is 0, 171 and, clamped, 255.
  Values values(1024);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i < 512 ? 10 : i < 768 ? 20 : 30;
  Image image = grey_row(values);
  equalize(image);
  const Values out = grey_of(image);
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[512], 171);
  EXPECT_EQ(out[768], 255);
}

TEST(Equalize, LeavesAFlatHistogramAndAFlatPicture) {
  Values all;
  for (int i = 0; i < 256 * 255; ++i) all.push_back(static_cast<std::uint8_t>(i % 256));
  Image ramp = grey_row(all);
  equalize(ramp);
  EXPECT_EQ(grey_of(ramp), all);
  Image flat = grey_row(Values(999, 77));
  equalize(flat);
  EXPECT_EQ(grey_of(flat), Values(999, 77));
  Image few = grey_row({3, 200, 90});  // too few pixels to level
  equalize(few);
  EXPECT_EQ(grey_of(few), (Values{3, 200, 90}));
}

TEST(Solarize, InvertsFromTheThresholdOn) {
  Image image = grey_row({0, 99, 100, 255});
  solarize(image, 100);
  EXPECT_EQ(grey_of(image), (Values{0, 99, 155, 0}));
  image = grey_row({0, 99, 100, 255});
  solarize(image, 256);
  EXPECT_EQ(grey_of(image), (Values{0, 99, 100, 255}));
  solarize(image, 0);
  EXPECT_EQ(grey_of(image), (Values{255, 156, 155, 0}));
}

TEST(Posterize, KeepsTheUpperBits) {
  const Values values{0, 15, 16, 127, 200, 255};
  for (const auto& [bits, want] : {std::pair{8, values},
                                   {4, Values{0, 0, 16, 112, 192, 240}},
                                   {1, Values{0, 0, 0, 0, 128, 128}},
                                   {0, Values(6, 0)}}) {
    Image image = grey_row(values);
    posterize(image, bits);
    EXPECT_EQ(grey_of(image), want) << bits;
  }
}

TEST(Sharpen, BlendsWithTheSmoothedPicture) {
  Image dot(3, 3);
  for (int c = 0; c < 3; ++c) dot.row(1)[3 + c] = 130;
  Image image = dot;
  sharpen(image, 0);
  EXPECT_EQ(image.row(1)[3], 50);  // 130 · 5 / 13
  EXPECT_EQ(image.row(0)[0], 0);   // the border stays
  image = dot;
  sharpen(image, 0.5f);
  EXPECT_EQ(image.row(1)[3], 90);
  image = dot;
  sharpen(image, 1.5f);
  EXPECT_EQ(image.row(1)[3], 170);
  const Image any = noise(40, 30);
  image = any;
  sharpen(image, 1);
  EXPECT_EQ(image, any);
  Image thin = noise(2, 50);
  sharpen(thin, 0);
  EXPECT_EQ(thin, noise(2, 50));
}

}  // namespace engraft::test::augment_colour_test
