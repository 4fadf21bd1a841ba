#include "engraft/image/preprocessing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "engraft/image/encode.h"
#include "expect_error.h"
#include "pictures.h"

namespace engraft::test::preprocessing_test {

using ::testing::HasSubstr;

Preprocessing torchvision() {
  return {.mode = ResizeMode::kCrop,
          .crop_fraction = 0.875f,
          .scale = {0.0171f, 0.0175f, 0.0174f},
          .offset = {-2.1f, -2.0f, -1.8f}};
}

TEST(PreprocessingJson, ComesBackEqual) {
  for (const ResizeMode mode : {ResizeMode::kSquash, ResizeMode::kCrop, ResizeMode::kPad}) {
    for (const Interpolation interpolation :
         {Interpolation::kNearest, Interpolation::kBilinear, Interpolation::kBilinearAntialiased,
          Interpolation::kBicubic}) {
      for (const ChannelOrder channels : {ChannelOrder::kRgb, ChannelOrder::kBgr}) {
        const Preprocessing p{.width = 96,
                              .height = 128,
                              .mode = mode,
                              .interpolation = interpolation,
                              .crop_fraction = 0.875f,
                              .channels = channels,
                              .scale = {1 / 127.5f, 0.1f, 1e-7f},
                              .offset = {-1, 0.333333f, 17}};
        EXPECT_EQ(preprocessing_from_json(to_json(p)), p);
      }
    }
  }
}

TEST(PreprocessingJson, IsOneStableLine) {
  EXPECT_EQ(to_json(Preprocessing{.scale = {1, 1, 0.5f}, .offset = {0, -1, 0}}),
            R"({"width":224,"height":224,"mode":"squash","interpolation":"bilinear_antialiased",)"
            R"("crop_fraction":1.0,"channels":"rgb","scale":[1.0,1.0,0.5],)"
            R"("offset":[0.0,-1.0,0.0]})");
}

TEST(PreprocessingJson, RefusesWhatItDoesNotUnderstand) {
  const std::string good = to_json(Preprocessing{});
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& bad : {std::string(),
                                 std::string("{"),
                                 std::string("[]"),
                                 std::string("7"),
                                 std::string("{}"),
                                 with("224", "0"),
                                 with("224", "-1"),
                                 with("224", "1e9"),
                                 with("224", "224.5"),
                                 with("224", "\"224\""),
                                 with("224", "99999999999999999999"),
                                 with("squash", "twist"),
                                 with("bilinear_antialiased", "lanczos"),
                                 with("\"rgb\"", "\"rbg\""),
                                 with("\"rgb\"", "3"),
                                 with("\"crop_fraction\":1.0", "\"crop_fraction\":0"),
                                 with("\"crop_fraction\":1.0", "\"crop_fraction\":1.5"),
                                 with("\"crop_fraction\":1.0", "\"crop_fraction\":1e99"),
                                 with("[-1.0,-1.0,-1.0]", "[-1.0,-1.0]"),
                                 with("[-1.0,-1.0,-1.0]", "[null,-1.0,-1.0]"),
                                 with("[-1.0,-1.0,-1.0]", "-1"),
                                 with("\"mode\"", "\"node\""),
                                 with("{\"width\"", "{\"gamma\":2.2,\"width\"")}) {
    expect_error(ErrorKind::kBadInput, [&] { (void)preprocessing_from_json(bad); });
    if (HasFailure()) FAIL() << bad;
  }
}

TEST(DecodeOptionsFor, AskForTwiceTheSizeBeforeTheCut) {
  EXPECT_EQ(decode_options({}).enough, (Size{448, 448}));
  EXPECT_EQ(decode_options({.width = 96, .height = 128}).enough, (Size{192, 256}));
  EXPECT_EQ(decode_options(torchvision()).enough, (Size{512, 512}));
}

TEST(Fit, SquashIsAPlainResize) {
  const Image image = noise(60, 40);
  for (const Interpolation interpolation : {Interpolation::kNearest, Interpolation::kBicubic}) {
    const Preprocessing p{.width = 24, .height = 32, .interpolation = interpolation};
    EXPECT_EQ(fit(image, p), resize(image, {24, 32}, interpolation));
  }
}

TEST(Fit, CropIsTheShorterSideResizedThenTheCentre) {
  for (const Size size : {Size{500, 375}, Size{375, 500}, Size{256, 256}, Size{300, 299},
                          Size{40, 1000}, Size{50, 40}}) {
    const Image image = noise(size.width, size.height);
    for (const Interpolation interpolation :
         {Interpolation::kNearest, Interpolation::kBilinear, Interpolation::kBilinearAntialiased,
          Interpolation::kBicubic}) {
      Preprocessing p = torchvision();
      p.interpolation = interpolation;
      const int shorter = std::min(size.width, size.height);
      const Size whole{256 * size.width / shorter, 256 * size.height / shorter};
      // Python's round(), as in torchvision: halves to even.
      const Box centre{.left = static_cast<int>(std::nearbyint((whole.width - 224) / 2.0)),
                       .top = static_cast<int>(std::nearbyint((whole.height - 224) / 2.0)),
                       .width = 224,
                       .height = 224};
      EXPECT_EQ(fit(image, p), crop(resize(image, whole, interpolation), centre))
          << size.width << "×" << size.height << " " << name_of(interpolation);
    }
  }
}

TEST(Fit, CropOfAnOblongTarget) {
  const Preprocessing p{.width = 20, .height = 40, .mode = ResizeMode::kCrop};
  const Image image = noise(100, 50);
  EXPECT_EQ(fit(image, p), crop(resize(image, {80, 40}, p.interpolation),
                                {.left = 30, .top = 0, .width = 20, .height = 40}));
}

TEST(Fit, AThreadOfAPictureIsCroppedWithoutBlowingUpMemory) {
  // Resized whole, the longer side would be 256 · 2,000,000.
  for (const Size size : {Size{1, 2'000'000}, Size{2'000'000, 1}}) {
    const Image out = fit(Image(size.width, size.height), torchvision());
    EXPECT_EQ(out.size(), (Size{224, 224}));
  }
}

TEST(Fit, PadKeepsTheWholePictureBetweenGreyBars) {
  const Image image = noise(60, 30);
  const Preprocessing p{.width = 20, .height = 20, .mode = ResizeMode::kPad};
  const Image out = fit(image, p);
  EXPECT_EQ(crop(out, {.left = 0, .top = 5, .width = 20, .height = 10}),
            resize(image, {20, 10}, p.interpolation));
  for (const int y : {0, 4, 15, 19}) {
    for (int i = 0; i < 60; ++i) ASSERT_EQ(out.row(y)[i], 128);
  }
}

TEST(Fit, PadOfATallPictureAndOfAMatchingOne) {
  const Preprocessing p{.width = 20, .height = 20, .mode = ResizeMode::kPad};
  const Image tall = fit(noise(1, 1000), p);
  EXPECT_EQ(tall.size(), (Size{20, 20}));
  EXPECT_EQ(tall.row(10)[0], 128);
  const Image square = noise(33, 33);
  EXPECT_EQ(fit(square, p), resize(square, {20, 20}, p.interpolation));
}

TEST(Fit, RefusesAnEmptyPicture) {
  expect_error(ErrorKind::kUsage, [] { (void)fit(Image(), {}); });
  expect_error(ErrorKind::kUsage, [] { (void)fit(noise(2, 2), {.width = 0}); });
}

TEST(Normalise, IsTheFormulaInTheNetworksChannelOrder) {
  Image image(2, 1);
  image.pixels = {0, 127, 255, 10, 20, 30};
  Preprocessing p{.width = 2, .height = 1, .scale = {2, 3, 4}, .offset = {-1, 0.5f, 7}};
  std::vector<float> out(6, std::numeric_limits<float>::quiet_NaN());
  normalise(image, p, out);
  EXPECT_EQ(out, (std::vector<float>{-1, 381.5f, 1027, 19, 60.5f, 127}));
  p.channels = ChannelOrder::kBgr;
  normalise(image, p, out);
  EXPECT_EQ(out, (std::vector<float>{509, 381.5f, 7, 59, 60.5f, 47}));
}

TEST(Normalise, KerasEndsAreMinusOneAndOne) {
  Image image(1, 1);
  image.pixels = {0, 255, 51};
  std::vector<float> out(3);
  normalise(image, {.width = 1, .height = 1}, out);
  EXPECT_FLOAT_EQ(out[0], -1);
  EXPECT_FLOAT_EQ(out[1], 1);
  EXPECT_NEAR(out[2], -0.6, 1e-6);
}

TEST(Normalise, RefusesAnotherSize) {
  std::vector<float> out(12);
  expect_error(ErrorKind::kUsage, [&] { normalise(noise(2, 2), {.width = 2, .height = 1}, out); });
  expect_error(ErrorKind::kUsage,
               [&] { normalise(noise(2, 2), {.width = 2, .height = 2}, std::span(out).first(9)); });
}

class Views : public ::testing::TestWithParam<ResizeMode> {
 protected:
  static Preprocessing rule() { return {.width = 32, .height = 32, .mode = GetParam()}; }
};

INSTANTIATE_TEST_SUITE_P(Modes, Views,
                         ::testing::Values(ResizeMode::kSquash, ResizeMode::kCrop,
                                           ResizeMode::kPad));

TEST_P(Views, ViewZeroIsFit) {
  const Image image = noise(50, 70);
  EXPECT_EQ(fit_view(image, rule(), {.index = 0, .seed = 9, .key = 8}), fit(image, rule()));
}

TEST_P(Views, AreAFunctionOfSeedIndexAndKey) {
  const Image image = noise(50, 70);
  const View view{.index = 3, .seed = 5, .key = 77};
  const Image first = fit_view(image, rule(), view);
  EXPECT_EQ(fit_view(image, rule(), view), first);
  EXPECT_NE(fit_view(image, rule(), {.index = 4, .seed = 5, .key = 77}), first);
  EXPECT_NE(fit_view(image, rule(), {.index = 3, .seed = 6, .key = 77}), first);
  EXPECT_NE(fit_view(image, rule(), {.index = 3, .seed = 5, .key = 78}), first);
}

/// Red grows to the right and green downwards, so corners tell which part a view shows.
Image map_of(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.row(y)[3 * x] = static_cast<std::uint8_t>(255 * x / (width - 1));
      image.row(y)[3 * x + 1] = static_cast<std::uint8_t>(255 * y / (height - 1));
    }
  }
  return image;
}

TEST(SquashedViews, ShowSixtyToAHundredPercent) {
  const Image image = map_of(256, 256);
  const Preprocessing p{.width = 64, .height = 64};
  int mirrored = 0;
  double least = 1, most = 0;
  constexpr int kViews = 400;
  for (int k = 1; k <= kViews; ++k) {
    const Image out = fit_view(image, p, {.index = k, .seed = 1, .key = 2});
    const double across = (out.row(32)[3 * 63] - out.row(32)[0]) / 255.0 * 64 / 63;
    const double down = (out.row(63)[1] - out.row(0)[1]) / 255.0 * 64 / 63;
    mirrored += across < 0;
    const double area = std::abs(across) * down, proportion = std::abs(across) / down;
    // The box fits inside the picture, so what the proportion takes away comes off the area.
    EXPECT_GE(area, 0.6 * 8 / 9 - 0.03);
    EXPECT_LE(area, 1.04);
    EXPECT_GE(proportion, 8.0 / 9 - 0.04);
    EXPECT_LE(proportion, 9.0 / 8 + 0.04);
    least = std::min(least, area);
    most = std::max(most, area);
  }
  EXPECT_NEAR(mirrored, kViews / 2, 50);  // five standard deviations
  EXPECT_LT(least, 0.62);
  EXPECT_GT(most, 0.9);
}

TEST_P(Views, WorkOnEveryShape) {
  for (const Size size : {Size{1, 1}, Size{1, 90}, Size{90, 1}, Size{2, 3}, Size{500, 3}}) {
    for (int k = 1; k < 20; ++k) {
      const Image out = fit_view(noise(size.width, size.height), rule(), {.index = k});
      EXPECT_EQ(out.size(), (Size{32, 32}));
    }
  }
}

}  // namespace engraft::test::preprocessing_test
