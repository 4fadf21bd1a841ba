#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "engraft/base/error.h"
#include "engraft/image/decode.h"
#include "engraft/image/encode.h"
#include "expect_error.h"
#include "pictures.h"

namespace engraft::test::jpeg_test {

using ::testing::HasSubstr;

constexpr int kLossy = 12;  // levels that a JPEG of high quality may be off on a smooth picture

constexpr int kFirstSegmentEnd = 20;  // of the JFIF segment that libjpeg writes

TEST(Jpeg, EveryColourLayoutShowsTheSamePicture) {
  const Image picture = gradient(67, 45);
  for (const JpegSpec& spec :
       {JpegSpec{}, JpegSpec{.colours = JpegColours::kRgb},
        JpegSpec{.colours = JpegColours::kInvertedCmyk},
        JpegSpec{.colours = JpegColours::kInvertedCmyk, .adobe_marker = false},
        JpegSpec{.colours = JpegColours::kYcck}, JpegSpec{.progressive = true},
        JpegSpec{.restart_rows = 1}, JpegSpec{.colours = JpegColours::kYcck, .progressive = true},
        JpegSpec{.arithmetic = true}}) {
    EXPECT_LE(largest_difference(decode_image(write_jpeg(picture, spec)), picture), kLossy)
        << "colours " << static_cast<int>(spec.colours) << " progressive " << spec.progressive;
  }
}

TEST(Jpeg, GreyBecomesThreeEqualChannels) {
  const Image decoded = decode_image(write_jpeg(gradient(40, 30), {.colours = JpegColours::kGrey}));
  ASSERT_EQ(decoded.size(), (Size{40, 30}));
  for (std::size_t i = 0; i < decoded.pixels.size(); i += 3) {
    ASSERT_EQ(decoded.pixels[i], decoded.pixels[i + 1]);
    ASSERT_EQ(decoded.pixels[i], decoded.pixels[i + 2]);
  }
}

TEST(Jpeg, ShrinksByTheLargestPowerOfTwoThatIsStillEnough) {
  const Bytes bytes = write_jpeg(gradient(801, 603));
  const auto size_for = [&](Size enough) { return decode_image(bytes, {.enough = enough}).size(); };
  EXPECT_EQ(size_for({0, 0}), (Size{801, 603}));
  EXPECT_EQ(size_for({401, 302}), (Size{401, 302}));
  EXPECT_EQ(size_for({402, 302}), (Size{801, 603}));
  EXPECT_EQ(size_for({401, 303}), (Size{801, 603}));
  EXPECT_EQ(size_for({201, 151}), (Size{201, 151}));
  EXPECT_EQ(size_for({202, 100}), (Size{401, 302}));
  EXPECT_EQ(size_for({101, 76}), (Size{101, 76}));
  EXPECT_EQ(size_for({1, 1}), (Size{101, 76}));
  EXPECT_EQ(size_for({2000, 2000}), (Size{801, 603}));
  EXPECT_EQ(size_for({100, 0}), (Size{101, 76}));
}

TEST(Jpeg, NoSideGetsShorterThanEnough) {
  const Image source = gradient(97, 61);
  const Bytes bytes = write_jpeg(source);
  for (int enough = 1; enough <= 61; ++enough) {
    const Image decoded = decode_image(bytes, {.enough = {enough, enough}});
    EXPECT_GE(std::min(decoded.width, decoded.height), enough);
    EXPECT_LE(decoded.height, 61);
  }
}

TEST(Jpeg, TwelveMegapixelsAreNotDecodedInFullForASmallInput) {
  const Bytes bytes = write_jpeg(gradient(4000, 3000), {.quality = 50});
  EXPECT_EQ(decode_image(bytes, {.enough = {448, 448}}).size(), (Size{1000, 750}));
}

TEST(Jpeg, AShrunkenPictureShowsTheSame) {
  const Image picture = gradient(256, 160);
  for (const bool progressive : {false, true}) {
    const Bytes bytes = write_jpeg(picture, {.progressive = progressive});
    for (const int by : {2, 4, 8}) {
      const Image decoded = decode_image(bytes, {.enough = {256 / by, 160 / by}});
      EXPECT_LE(largest_difference(decoded, gradient(256 / by, 160 / by)), kLossy + by) << by;
    }
  }
}

TEST(Jpeg, EnoughCountsInUprightTerms) {
  const Bytes plain = write_jpeg(gradient(800, 400));  // stored lying; upright 400 × 800
  const Bytes turned = with_jpeg_segment(plain, 0xE1, with_exif_prefix(exif_block(6)));
  EXPECT_EQ(decode_image(turned, {.enough = {100, 200}}).size(), (Size{100, 200}));
  EXPECT_EQ(decode_image(turned, {.enough = {200, 100}}).size(), (Size{200, 400}));
  EXPECT_EQ(
      decode_image(turned, {.orientation = Orientation::kAsStored, .enough = {200, 100}}).size(),
      (Size{200, 100}));
}

TEST(Jpeg, EveryTruncationThatCostsAPixelIsAnError) {
  for (const JpegSpec& spec :
       {JpegSpec{}, JpegSpec{.progressive = true}, JpegSpec{.restart_rows = 1},
        JpegSpec{.arithmetic = true}, JpegSpec{.colours = JpegColours::kGrey}}) {
    const Bytes whole = write_jpeg(gradient(40, 40), spec);
    for (std::size_t size = 3; size + 2 < whole.size(); ++size) {
      expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(std::span(whole).first(size)); });
      if (HasFailure()) FAIL() << "cut to " << size << " of " << whole.size();
    }
  }
}

TEST(Jpeg, SaysTruncatedWhenItIs) {
  const Bytes whole = write_jpeg(gradient(64, 64));
  EXPECT_THAT(message_of([&] { (void)decode_image(std::span(whole).first(whole.size() / 2)); }),
              HasSubstr("truncated"));
}

TEST(Jpeg, AMissingEndMarkerAloneCostsNothing) {
  const Bytes whole = write_jpeg(gradient(40, 40));
  EXPECT_EQ(decode_image(std::span(whole).first(whole.size() - 2)), decode_image(whole));
}

TEST(Jpeg, StrayBytesBetweenSegmentsAreHarmless) {
  const Bytes whole = write_jpeg(gradient(40, 40));
  Bytes stray(whole.begin(), whole.begin() + kFirstSegmentEnd);
  append(stray, "stray");
  stray.insert(stray.end(), whole.begin() + kFirstSegmentEnd, whole.end());
  EXPECT_EQ(decode_image(stray), decode_image(whole));
  Bytes before_end(whole.begin(), whole.end() - 2);
  append(before_end, std::string_view("\0\0\0", 3));
  before_end.insert(before_end.end(), whole.end() - 2, whole.end());
  EXPECT_EQ(decode_image(before_end), decode_image(whole));
  Bytes after = whole;
  append(after, "and a thumbnail or two");
  EXPECT_EQ(decode_image(after), decode_image(whole));
}

TEST(Jpeg, StrayBytesDoNotHideATruncation) {
  const Bytes whole = write_jpeg(gradient(40, 40));
  Bytes stray(whole.begin(), whole.begin() + kFirstSegmentEnd);
  append(stray, "stray");
  stray.insert(stray.end(), whole.begin() + kFirstSegmentEnd, whole.end() - 20);
  expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(stray); });
}

TEST(Jpeg, TooManyPassesAreRefused) {
  // One scan of a progressive file again and again: each costs a pass over the picture.
  const Bytes whole = write_jpeg(gradient(40, 40), {.progressive = true});
  std::size_t last_scan = 0;
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    if (whole[i] == std::byte{0xFF} && whole[i + 1] == std::byte{0xDA}) last_scan = i;
  }
  Bytes many(whole.begin(), whole.end() - 2);
  for (int i = 0; i < 1000; ++i) {
    many.insert(many.end(), whole.begin() + static_cast<std::ptrdiff_t>(last_scan),
                whole.end() - 2);
  }
  append(many, "\xFF\xD9");
  expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(many); });
}

TEST(Jpeg, TwelveBitsAndLosslessAreUnsupportedNotBroken) {
  Bytes bytes = write_jpeg(gradient(16, 16));
  constexpr std::array kFrame{std::byte{0xFF}, std::byte{0xC0}};
  const auto frame = std::search(bytes.begin(), bytes.end(), kFrame.begin(), kFrame.end());
  ASSERT_NE(frame, bytes.end());
  Bytes deep = bytes, lossless = bytes;
  const auto at = frame - bytes.begin();
  deep[static_cast<std::size_t>(at) + 4] = std::byte{12};
  lossless[static_cast<std::size_t>(at) + 1] = std::byte{0xC3};
  expect_error(ErrorKind::kUnsupported, [&] { (void)decode_image(deep); });
  expect_error(ErrorKind::kUnsupported, [&] { (void)decode_image(lossless); });
}

TEST(EncodeJpeg, ComesBackCloseAndBetterWithQuality) {
  const Image picture = gradient(63, 41);
  const Image good = decode_image(encode_jpeg(picture, 95));
  EXPECT_LE(largest_difference(good, picture), kLossy);
  const Image grain = noise(64, 64);
  EXPECT_LT(mean_difference(decode_image(encode_jpeg(grain, 95)), grain),
            mean_difference(decode_image(encode_jpeg(grain, 20)), grain));
  EXPECT_LT(encode_jpeg(grain, 20).size(), encode_jpeg(grain, 95).size());
}

TEST(EncodeJpeg, RefusesWhatCannotBeWritten) {
  expect_error(ErrorKind::kUsage, [] { (void)encode_jpeg(gradient(4, 4), 0); });
  expect_error(ErrorKind::kUsage, [] { (void)encode_jpeg(gradient(4, 4), 101); });
  expect_error(ErrorKind::kUsage, [] { (void)encode_jpeg(Image(), 90); });
  expect_error(ErrorKind::kUsage, [] { (void)encode_jpeg(Image(70000, 1), 90); });
  Image wrong = gradient(4, 4);
  wrong.pixels.pop_back();
  expect_error(ErrorKind::kUsage, [&] { (void)encode_jpeg(wrong, 90); });
}

}  // namespace engraft::test::jpeg_test
