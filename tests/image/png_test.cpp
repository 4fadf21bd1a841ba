#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "engraft/image/decode.h"
#include "engraft/image/encode.h"
#include "expect_error.h"
#include "pictures.h"

namespace engraft::test::png_test {

using ::testing::HasSubstr;

std::uint8_t over_white_exactly(double colour, double alpha) {
  return static_cast<std::uint8_t>(std::floor((colour * alpha + (1 - alpha)) * 255 + 0.5));
}

/// Big-endian 16-bit samples with interesting low halves.
std::vector<std::uint8_t> deep_samples(int count) {
  std::vector<std::uint8_t> rows;
  for (int i = 0; i < count; ++i) {
    const unsigned value = static_cast<unsigned>(i * 7919 + 127) & 0xFFFF;
    rows.push_back(static_cast<std::uint8_t>(value >> 8));
    rows.push_back(static_cast<std::uint8_t>(value));
  }
  return rows;
}

double deep(const std::vector<std::uint8_t>& rows, std::size_t i) {
  return (rows[2 * i] * 256 + rows[2 * i + 1]) / 65535.0;
}

class PngOfBothKinds : public ::testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(Interlaced, PngOfBothKinds, ::testing::Bool());

TEST_P(PngOfBothKinds, TruecolourIsExact) {
  const Image picture = noise(13, 9);
  EXPECT_EQ(decode_image(write_png({13, 9}, picture.pixels, {.interlaced = GetParam()})), picture);
}

TEST_P(PngOfBothKinds, TruecolourWithAlphaIsComposedOverWhite) {
  const Image picture = noise(16, 16);
  std::vector<std::uint8_t> rgba = with_alpha(picture, 0);
  for (std::size_t i = 0; i < 256; ++i) rgba[4 * i + 3] = static_cast<std::uint8_t>(i);
  const Image decoded =
      decode_image(write_png({16, 16}, rgba, {.colour_type = 6, .interlaced = GetParam()}));
  for (std::size_t i = 0; i < 3 * 256; ++i) {
    const double alpha = static_cast<double>(i / 3) / 255.0;
    ASSERT_EQ(decoded.pixels[i], over_white_exactly(picture.pixels[i] / 255.0, alpha))
        << "alpha " << i / 3;
  }
}

TEST_P(PngOfBothKinds, GreyOfEveryDepthFillsTheRange) {
  for (const int depth : {1, 2, 4, 8}) {
    const int levels = 1 << depth;
    const int width = 32;
    std::vector<std::uint8_t> rows(static_cast<std::size_t>(width * depth / 8) * 3);
    for (int i = 0; i < width * 3; ++i) {
      const int bit = (i % width) * depth;
      const std::size_t at = static_cast<std::size_t>(i / width * (width * depth / 8) + bit / 8);
      rows[at] = static_cast<std::uint8_t>(rows[at] | (i % levels) << (8 - depth - bit % 8));
    }
    const Image decoded = decode_image(write_png(
        {width, 3}, rows, {.colour_type = 0, .bit_depth = depth, .interlaced = GetParam()}));
    for (int i = 0; i < width * 3; ++i) {
      const int expected = (i % levels) * 255 / (levels - 1);
      for (int c = 0; c < 3; ++c) {
        ASSERT_EQ(decoded.pixels[static_cast<std::size_t>(3 * i + c)], expected) << depth;
      }
    }
  }
}

TEST_P(PngOfBothKinds, GreyWithAlphaIsComposedOverWhite) {
  const std::vector<std::uint8_t> rows{0, 255, 0, 0, 100, 128, 255, 7};
  const Image decoded =
      decode_image(write_png({4, 1}, rows, {.colour_type = 4, .interlaced = GetParam()}));
  EXPECT_EQ(decoded.pixels[0], 0);
  EXPECT_EQ(decoded.pixels[3], 255);
  EXPECT_EQ(decoded.pixels[6], over_white_exactly(100 / 255.0, 128 / 255.0));
  EXPECT_EQ(decoded.pixels[9], 255);
}

TEST_P(PngOfBothKinds, SixteenBitsAreRoundedNotCut) {
  const std::vector<std::uint8_t> grey = deep_samples(48), colour = deep_samples(48 * 3);
  const Image from_grey = decode_image(
      write_png({8, 6}, grey, {.colour_type = 0, .bit_depth = 16, .interlaced = GetParam()}));
  const Image from_colour = decode_image(
      write_png({8, 6}, colour, {.colour_type = 2, .bit_depth = 16, .interlaced = GetParam()}));
  for (std::size_t i = 0; i < 48; ++i) {
    ASSERT_EQ(from_grey.pixels[3 * i], over_white_exactly(deep(grey, i), 1));
  }
  for (std::size_t i = 0; i < 48 * 3; ++i) {
    ASSERT_EQ(from_colour.pixels[i], over_white_exactly(deep(colour, i), 1));
  }
}

TEST_P(PngOfBothKinds, SixteenBitsWithAlphaAreComposedInFullDepth) {
  const std::vector<std::uint8_t> rgba = deep_samples(48 * 4), grey = deep_samples(48 * 2);
  const Image colour = decode_image(
      write_png({8, 6}, rgba, {.colour_type = 6, .bit_depth = 16, .interlaced = GetParam()}));
  const Image pale = decode_image(
      write_png({8, 6}, grey, {.colour_type = 4, .bit_depth = 16, .interlaced = GetParam()}));
  for (std::size_t i = 0; i < 48; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      ASSERT_EQ(colour.pixels[3 * i + c],
                over_white_exactly(deep(rgba, 4 * i + c), deep(rgba, 4 * i + 3)));
    }
    ASSERT_EQ(pale.pixels[3 * i], over_white_exactly(deep(grey, 2 * i), deep(grey, 2 * i + 1)));
  }
}

TEST_P(PngOfBothKinds, PalettesOfEveryDepthAndTheirAlphas) {
  for (const int depth : {1, 2, 4, 8}) {
    PngSpec spec{.colour_type = 3, .bit_depth = depth, .interlaced = GetParam()};
    for (int i = 0; i < 1 << depth; ++i) {
      spec.palette.push_back({static_cast<std::uint8_t>(255 - i), static_cast<std::uint8_t>(i * 3),
                              static_cast<std::uint8_t>(i),
                              i == 1 ? std::uint8_t{0} : std::uint8_t{255}});
    }
    // One row: the bits 0 1 0 1 … as single-bit indices, or bytes that spell index 1 then 0.
    const std::vector<std::uint8_t> rows =
        depth == 8   ? std::vector<std::uint8_t>{1, 0, 1, 0, 1, 0, 1, 0}
        : depth == 4 ? std::vector<std::uint8_t>{0x10, 0x10, 0x10, 0x10}
        : depth == 2 ? std::vector<std::uint8_t>{0x44, 0x44}
                     : std::vector<std::uint8_t>{0xAA};
    const Image decoded = decode_image(write_png({8, 1}, rows, spec));
    for (std::size_t x = 0; x < 8; ++x) {
      const std::array<int, 3> expected =
          x % 2 == 0 ? std::array{255, 255, 255} : std::array{255, 0, 0};
      for (std::size_t c = 0; c < 3; ++c) {
        ASSERT_EQ(decoded.pixels[3 * x + c], expected[c]) << "depth " << depth << " x " << x;
      }
    }
  }
}

TEST_P(PngOfBothKinds, AColourKeyIsSeeThrough) {
  const std::vector<std::uint8_t> rows{10, 20, 30, 10, 20, 31};
  const Image colour = decode_image(
      write_png({2, 1}, rows, {.interlaced = GetParam(), .transparent = {10, 20, 30}}));
  EXPECT_THAT(colour.pixels, ::testing::ElementsAre(255, 255, 255, 10, 20, 31));
  const Image grey = decode_image(write_png(
      {3, 1}, {5, 6, 7}, {.colour_type = 0, .interlaced = GetParam(), .transparent = {6}}));
  EXPECT_THAT(grey.pixels, ::testing::ElementsAre(5, 5, 5, 255, 255, 255, 7, 7, 7));
}

TEST(Png, AnExifChunkAfterThePictureCounts) {
  const Image upright = noise(5, 3);
  const Image stored = as_stored(upright, 6);
  Bytes bytes = write_png(stored.size(), stored.pixels, {});
  const Bytes chunk = png_chunk("eXIf", exif_block(6));
  bytes.insert(bytes.end() - 12, chunk.begin(), chunk.end());  // before IEND
  EXPECT_EQ(decode_image(bytes), upright);
}

TEST(Png, EveryTruncationUpToTheEndMarkersChecksumIsAnError) {
  for (const bool interlaced : {false, true}) {
    const Bytes whole = write_png({12, 12}, noise(12, 12).pixels, {.interlaced = interlaced});
    for (std::size_t size = 0; size + 4 < whole.size(); ++size) {
      expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(std::span(whole).first(size)); });
      if (HasFailure()) FAIL() << "cut to " << size << " of " << whole.size();
    }
  }
}

TEST(Png, AFlippedBitOfPictureDataIsCaughtByItsChecksum) {
  const Bytes whole = write_png({12, 12}, noise(12, 12).pixels, {});
  for (std::size_t at = 41; at + 16 < whole.size(); at += 5) {  // inside IDAT
    Bytes broken = whole;
    broken[at] ^= std::byte{4};
    expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(broken); });
  }
}

TEST(Png, AHugePromiseIsRefusedByItsHeader) {
  Bytes header;
  append_u32_be(header, 65500);
  append_u32_be(header, 65500);
  append(header, std::string_view("\x08\x02\0\0\0", 5));
  Bytes bytes;
  append(bytes, "\x89PNG\r\n\x1A\n");
  append(bytes, png_chunk("IHDR", header));
  append(bytes, png_chunk("IDAT", Bytes(20)));
  EXPECT_THAT(message_of([&] { (void)decode_image(bytes); }), HasSubstr("65500 × 65500"));
}

TEST(Png, ABrokenNoteDoesNotSpoilThePicture) {
  const Bytes whole = write_png({4, 4}, noise(4, 4).pixels, {});
  Bytes bytes(whole.begin(), whole.begin() + 33);  // signature and header
  Bytes note = png_chunk("tEXt", Bytes(20, std::byte{'x'}));
  note.back() ^= std::byte{1};  // its checksum
  append(bytes, note);
  bytes.insert(bytes.end(), whole.begin() + 33, whole.end());
  EXPECT_EQ(decode_image(bytes), decode_image(whole));
}

TEST(EncodePng, ComesBackExactly) {
  for (const Size size : {Size{1, 1}, Size{7, 5}, Size{64, 3}, Size{1, 200}}) {
    const Image picture = noise(size.width, size.height);
    EXPECT_EQ(decode_image(encode_png(picture)), picture);
  }
}

TEST(EncodePng, RefusesAnEmptyPicture) {
  expect_error(ErrorKind::kUsage, [] { (void)encode_png(Image()); });
}

}  // namespace engraft::test::png_test
