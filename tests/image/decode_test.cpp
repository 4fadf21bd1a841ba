#include "engraft/image/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bmp_writer.h"
#include "engraft/image/encode.h"
#include "engraft/image/orientation.h"
#include "expect_error.h"
#include "pictures.h"
#include "support/test_data.h"

namespace engraft::test::decode_test {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Bytes bytes_of(std::string_view text) {
  Bytes bytes;
  append(bytes, text);
  return bytes;
}

ImageFormat format_of(std::string_view text) {
  return image_format(bytes_of(text));
}

TEST(ImageFormat, IsRecognisedByContent) {
  using namespace std::string_view_literals;
  EXPECT_EQ(format_of("\xFF\xD8\xFF\xE0"sv), ImageFormat::kJpeg);
  EXPECT_EQ(format_of("\x89PNG\r\n\x1A\n...."sv), ImageFormat::kPng);
  EXPECT_EQ(format_of("RIFF\0\0\0\0WEBPVP8 "sv), ImageFormat::kWebp);
  EXPECT_EQ(format_of("RIFF\0\0\0\0WAVEfmt "sv), ImageFormat::kUnknown);
  EXPECT_EQ(format_of("GIF87a"sv), ImageFormat::kGif);
  EXPECT_EQ(format_of("II*\0"sv), ImageFormat::kTiff);
  EXPECT_EQ(format_of("MM\0*"sv), ImageFormat::kTiff);
  EXPECT_EQ(format_of("II+\0"sv), ImageFormat::kTiff);
  EXPECT_EQ(format_of("\0\0\0\x18"
                      "ftypheic\0\0\0\0mif1heic"sv),
            ImageFormat::kHeif);
  EXPECT_EQ(format_of("\0\0\0\x18"
                      "ftypxxxx\0\0\0\0zzzzavif"sv),
            ImageFormat::kHeif);
  EXPECT_EQ(format_of("\0\0\0\x18"
                      "ftypmp42\0\0\0\0isommp42"sv),
            ImageFormat::kUnknown);
  EXPECT_EQ(format_of("BM is how this sentence begins"sv), ImageFormat::kUnknown);
  EXPECT_EQ(format_of(""sv), ImageFormat::kUnknown);
  EXPECT_EQ(image_format(write_bmp({.width = 1, .height = 1, .data = {0, 0, 0, 0}})),
            ImageFormat::kBmp);
}

TEST(ImageFormat, EveryFormatHasItsOwnName) {
  std::set<std::string_view> names;
  for (int f = 0; f <= static_cast<int>(ImageFormat::kHeif); ++f) {
    names.insert(name_of(static_cast<ImageFormat>(f)));
  }
  EXPECT_EQ(names.size(), 8u);
}

std::string complaint(std::string_view content) {
  return message_of([&] { (void)decode_image(bytes_of(content)); });
}

TEST(Decode, SaysWhatAFileIsInstead) {
  using namespace std::string_view_literals;
  EXPECT_THAT(complaint(""), HasSubstr("empty (0 bytes)"));
  EXPECT_THAT(complaint("filename,label\na.jpg,0\n"), HasSubstr("text"));
  EXPECT_THAT(complaint("<!DOCTYPE html><html>404"), HasSubstr("web page"));
  EXPECT_THAT(complaint("%PDF-1.7\n"), HasSubstr("PDF"));
  EXPECT_THAT(complaint("\0\0\0\x18"
                        "ftypmp42\0\0\0\0isommp42"sv),
              HasSubstr("video"));
  EXPECT_THAT(complaint("\1\2\3\4"sv), HasSubstr("not a picture"));
  EXPECT_THAT(complaint(std::string(100, '\0')), HasSubstr("not a picture"));
}

TEST(Decode, KindsOfErrorTellBrokenFromForeign) {
  expect_error(ErrorKind::kBadInput, [] { (void)decode_image({}); });
  expect_error(ErrorKind::kBadInput, [] { (void)decode_image(bytes_of("hello")); });
  expect_error(ErrorKind::kUnsupported, [] { (void)decode_image(bytes_of("8BPS....")); });
}

TEST(Decode, AJpegHeaderOfFourThousandMegapixelsIsRefusedBeforeMemoryIsTaken) {
  Bytes bytes = write_jpeg(gradient(16, 16));
  for (std::size_t i = 0; i + 8 < bytes.size(); ++i) {
    if (bytes[i] != std::byte{0xFF} || bytes[i + 1] != std::byte{0xC0}) continue;
    bytes[i + 5] = bytes[i + 7] = std::byte{0xFF};
    bytes[i + 6] = bytes[i + 8] = std::byte{0xDC};
    break;
  }
  for (const Size enough : {Size{0, 0}, Size{448, 448}}) {
    EXPECT_THAT(message_of([&] { (void)decode_image(bytes, {.enough = enough}); }),
                AllOf(HasSubstr("65500 × 65500"), HasSubstr("limit")));
  }
}

TEST(Decode, TheLimitOfPixelsIsTheCallers) {
  const Bytes png = encode_png(noise(10, 10));
  EXPECT_NO_THROW((void)decode_image(png, {.max_pixels = 100}));
  expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(png, {.max_pixels = 99}); });
}

TEST(Decode, EightOrientationsOfAJpeg) {
  const Image upright = gradient(48, 32);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image stored = as_stored(upright, orientation);
    for (const ByteOrder order : {ByteOrder::kLittleEndian, ByteOrder::kBigEndian}) {
      const Bytes bytes = with_jpeg_segment(write_jpeg(stored), 0xE1,
                                            with_exif_prefix(exif_block(orientation, order)));
      EXPECT_LE(largest_difference(decode_image(bytes), upright), 12) << orientation;
      EXPECT_LE(
          largest_difference(decode_image(bytes, {.orientation = Orientation::kAsStored}), stored),
          12);
    }
  }
}

TEST(Decode, EightOrientationsOfAPng) {
  const Image upright = noise(7, 4);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image stored = as_stored(upright, orientation);
    const Bytes bytes = write_png(stored.size(), stored.pixels, {.exif = exif_block(orientation)});
    EXPECT_EQ(decode_image(bytes), upright) << orientation;
    EXPECT_EQ(decode_image(bytes, {.orientation = Orientation::kAsStored}), stored);
  }
}

TEST(Decode, OtherSegmentsBeforeTheExifOneDoNotHideIt) {
  const Image upright = gradient(48, 32);
  Bytes bytes =
      with_jpeg_segment(write_jpeg(as_stored(upright, 8)), 0xE1, with_exif_prefix(exif_block(8)));
  bytes = with_jpeg_segment(bytes, 0xE1, bytes_of("http://ns.adobe.com/xap/1.0/ <x/>"));
  EXPECT_LE(largest_difference(decode_image(bytes), upright), 12);
}

TEST(ExifOrientation, NonsenseCountsAsUpright) {
  EXPECT_EQ(exif_orientation({}), ExifOrientation::kUpright);
  EXPECT_EQ(exif_orientation(bytes_of("nothing of the kind at all")), ExifOrientation::kUpright);
  for (const int number : {0, 9, 77, 65535}) {
    EXPECT_EQ(exif_orientation(exif_block(number)), ExifOrientation::kUpright) << number;
  }
  EXPECT_EQ(orientation_from_number(-1), ExifOrientation::kUpright);
}

TEST(ExifOrientation, ReadsWithAndWithoutThePrefix) {
  EXPECT_EQ(exif_orientation(exif_block(6)), ExifOrientation::kNeedsClockwise);
  EXPECT_EQ(exif_orientation(with_exif_prefix(exif_block(6))), ExifOrientation::kNeedsClockwise);
}

TEST(ExifOrientation, SurvivesEveryTruncationAndFlip) {
  const Bytes whole = with_exif_prefix(exif_block(6));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    (void)exif_orientation(std::span(whole).first(size));
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes broken = whole;
    broken[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    (void)exif_orientation(broken);
  }
}

TEST(TurnUpright, UndoesEveryOrientationOnEveryShape) {
  for (const Size size : {Size{1, 1}, Size{1, 5}, Size{5, 1}, Size{4, 3}}) {
    const Image upright = noise(size.width, size.height);
    for (int orientation = 1; orientation <= 8; ++orientation) {
      EXPECT_EQ(turn_upright(as_stored(upright, orientation), orientation_from_number(orientation)),
                upright);
    }
  }
}

TEST(ReadImage, NamesTheFileInEveryError) {
  const TemporaryFolder folder;
  const auto path = folder / "broken.jpg";
  write_file_atomic(path, std::string_view("not a picture"));
  EXPECT_THAT(message_of([&] { (void)read_image(path); }),
              AllOf(StartsWith(path.string()), HasSubstr("text")));
  expect_error(ErrorKind::kNotFound, [&] { (void)read_image(folder / "missing.jpg"); });
  EXPECT_THAT(message_of([&] { (void)read_image(folder / "missing.jpg"); }),
              StartsWith((folder / "missing.jpg").string()));
}

TEST(ReadImage, DoesNotAskTheName) {
  const TemporaryFolder folder;
  const Image picture = noise(6, 6);
  write_file_atomic(folder / "actually_png.jpg", encode_png(picture));
  EXPECT_EQ(read_image(folder / "actually_png.jpg"), picture);
}

}  // namespace engraft::test::decode_test
