#include <gtest/gtest.h>

#include "bmp_writer.h"
#include "engraft/image/decode.h"
#include "expect_error.h"
#include "pictures.h"

namespace engraft::test::bmp_test {

/// pixels as rgb triples, read from the decoded picture row by row.
std::vector<int> values(const Image& image) {
  return {image.pixels.begin(), image.pixels.end()};
}

TEST(Bmp, TwentyFourBitsWithEveryHeader) {
  const Image picture = noise(5, 4);
  for (const std::uint32_t header : {12u, 40u, 52u, 56u, 64u, 108u, 124u}) {
    const BmpSpec spec{
        .header_size = header, .width = 5, .height = 4, .data = bmp_rows_24(picture)};
    EXPECT_EQ(decode_image(write_bmp(spec)), picture) << header;
  }
}

TEST(Bmp, TopDownRows) {
  const Image picture = noise(4, 3);  // rows of 12 bytes: no padding
  std::vector<std::uint8_t> rows;
  for (std::size_t i = 0; i < picture.pixels.size(); i += 3) {
    rows.insert(rows.end(), {picture.pixels[i + 2], picture.pixels[i + 1], picture.pixels[i]});
  }
  EXPECT_EQ(decode_image(write_bmp({.width = 4, .height = -3, .data = rows})), picture);
}

TEST(Bmp, PalettesOfOneFourAndEightBits) {
  const std::vector<std::array<std::uint8_t, 3>> palette{{1, 2, 3}, {250, 150, 50}};
  const std::vector<int> expected{1, 2, 3, 250, 150, 50, 250, 150, 50};
  for (const std::uint32_t header : {12u, 40u, 108u}) {
    BmpSpec spec{.header_size = header, .width = 3, .height = 1, .palette = palette};
    spec.palette.resize(header == 12 ? 2 : 2);
    spec.bits = 1;
    spec.data = {0x60, 0, 0, 0};
    EXPECT_EQ(values(decode_image(write_bmp(spec))), expected) << header;
    spec.bits = 4;
    spec.colours_used = 2;
    spec.data = {0x01, 0x10, 0, 0};
    EXPECT_EQ(values(decode_image(write_bmp(spec))), expected) << header;
    spec.bits = 8;
    spec.data = {0, 1, 1, 0};
    EXPECT_EQ(values(decode_image(write_bmp(spec))), expected) << header;
  }
}

TEST(Bmp, AColourThatTheTableLacksIsBlack) {
  const BmpSpec spec{.width = 2,
                     .height = 1,
                     .bits = 8,
                     .palette = {{9, 9, 9}},
                     .data = {0, 200, 0, 0},
                     .colours_used = 1};
  EXPECT_EQ(values(decode_image(write_bmp(spec))), (std::vector<int>{9, 9, 9, 0, 0, 0}));
}

TEST(Bmp, SixteenBitsFillTheWholeRange) {
  // 5-5-5 by default: white, pure green, 16 of 31 in red.
  const BmpSpec plain{
      .width = 3, .height = 1, .bits = 16, .data = {0xFF, 0x7F, 0xE0, 0x03, 0x00, 0x40, 0, 0}};
  EXPECT_EQ(values(decode_image(write_bmp(plain))),
            (std::vector<int>{255, 255, 255, 0, 255, 0, 132, 0, 0}));
  BmpSpec wide = plain;  // 5-6-5
  wide.compression = 3;
  wide.masks = {0xF800, 0x07E0, 0x001F};
  wide.data = {0xFF, 0xFF, 0xE0, 0x07, 0x00, 0x04, 0, 0};
  EXPECT_EQ(values(decode_image(write_bmp(wide))),
            (std::vector<int>{255, 255, 255, 0, 255, 0, 0, 130, 0}));
}

TEST(Bmp, ThirtyTwoBitsIgnoreTheSpareByte) {
  const BmpSpec spec{.width = 1, .height = 1, .bits = 32, .data = {30, 20, 10, 0}};
  EXPECT_EQ(values(decode_image(write_bmp(spec))), (std::vector<int>{10, 20, 30}));
}

TEST(Bmp, MasksOfAnyOrderAndWidth) {
  const BmpSpec spec{.width = 1,
                     .height = 1,
                     .bits = 32,
                     .compression = 3,
                     .masks = {0x000000FF, 0x0003FF00, 0x3FFC0000},
                     .data = {0x80, 0xFF, 0x03, 0x20}};  // red 128, green 1023, blue 0x800 of 0xFFF
  EXPECT_EQ(values(decode_image(write_bmp(spec))), (std::vector<int>{128, 255, 128}));
}

TEST(Bmp, DeclaredAlphaIsComposedOverWhite) {
  for (const std::uint32_t header : {56u, 108u, 124u}) {
    const BmpSpec spec{.header_size = header,
                       .width = 2,
                       .height = 1,
                       .bits = 32,
                       .compression = 3,
                       .masks = {0xFF0000, 0xFF00, 0xFF, 0xFF000000},
                       .data = {0, 0, 200, 51, 1, 2, 3, 255}};
    EXPECT_EQ(values(decode_image(write_bmp(spec))), (std::vector<int>{244, 204, 204, 3, 2, 1}));
  }
}

TEST(Bmp, AlphaThatIsZeroEverywhereWasNotMeant) {
  const BmpSpec spec{.header_size = 124,
                     .width = 2,
                     .height = 1,
                     .bits = 32,
                     .compression = 3,
                     .masks = {0xFF0000, 0xFF00, 0xFF, 0xFF000000},
                     .data = {0, 0, 200, 0, 1, 2, 3, 0}};
  EXPECT_EQ(values(decode_image(write_bmp(spec))), (std::vector<int>{200, 0, 0, 3, 2, 1}));
}

const std::vector<std::array<std::uint8_t, 3>> kFour{{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {3, 3, 3}};

std::vector<int> grey_levels(const Image& image) {
  std::vector<int> levels;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) levels.push_back(image.pixels[i]);
  return levels;
}

TEST(Bmp, RunLengthsOfEightBits) {
  const BmpSpec spec{.width = 4,
                     .height = 3,
                     .bits = 8,
                     .compression = 1,
                     .palette = kFour,
                     .data = {4, 1, 0, 0,              // bottom row: 1 1 1 1, end of row
                              0, 3, 2, 3, 2, 0, 1, 1,  // plain 2 3 2 and padding, one 1
                              0, 2, 0, 1,              // move up a row from the end: x stays 4
                              0, 1},
                     .colours_used = 4};
  EXPECT_EQ(grey_levels(decode_image(write_bmp(spec))),
            (std::vector<int>{0, 0, 0, 0, 2, 3, 2, 1, 1, 1, 1, 1}));
}

TEST(Bmp, RunLengthsOfFourBits) {
  const BmpSpec spec{.width = 5,
                     .height = 2,
                     .bits = 4,
                     .compression = 2,
                     .palette = kFour,
                     .data = {5, 0x12, 0, 0,                     // 1 2 1 2 1
                              0, 5, 0x12, 0x32, 0x10, 0, 0, 1},  // 1 2 3 2 1, padded
                     .colours_used = 4};
  EXPECT_EQ(grey_levels(decode_image(write_bmp(spec))),
            (std::vector<int>{1, 2, 3, 2, 1, 1, 2, 1, 2, 1}));
}

TEST(Bmp, SkippedPixelsKeepTheFirstColour) {
  const BmpSpec spec{.width = 4,
                     .height = 2,
                     .bits = 8,
                     .compression = 1,
                     .palette = kFour,
                     .data = {0, 2, 2, 1, 1, 3, 0, 1},  // right 2, up 1, one 3, end
                     .colours_used = 4};
  EXPECT_EQ(grey_levels(decode_image(write_bmp(spec))), (std::vector<int>{0, 0, 3, 0, 0, 0, 0, 0}));
}

TEST(Bmp, RunsPastTheEdgesStayInside) {
  const BmpSpec spec{.width = 3,
                     .height = 2,
                     .bits = 8,
                     .compression = 1,
                     .palette = kFour,
                     .data = {255, 1, 0, 2, 255, 0, 255, 2, 0, 0, 255, 3, 0, 2, 0, 255, 0, 1},
                     .colours_used = 4};
  EXPECT_EQ(grey_levels(decode_image(write_bmp(spec))), (std::vector<int>{3, 3, 3, 1, 1, 1}));
}

TEST(Bmp, EveryTruncationIsAnErrorOrCostsNothing) {
  const Image picture = noise(5, 4);
  const Bytes rows = write_bmp({.width = 5, .height = 4, .data = bmp_rows_24(picture)});
  const Bytes runs = write_bmp({.width = 4,
                                .height = 2,
                                .bits = 8,
                                .compression = 1,
                                .palette = kFour,
                                .data = {4, 1, 0, 0, 0, 3, 2, 3, 2, 0, 1, 1, 0, 1},
                                .colours_used = 4});
  for (const Bytes& whole : {rows, runs}) {
    const Image expected = decode_image(whole);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      try {
        EXPECT_EQ(decode_image(std::span(whole).first(size)), expected) << size;
        EXPECT_GE(size + 4, whole.size());
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kBadInput) << error.what();
      }
    }
  }
}

TEST(Bmp, ContradictionsAreRefused) {
  const auto bad = [](const BmpSpec& spec) {
    expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(write_bmp(spec)); });
  };
  bad({.width = 0, .height = 4, .data = {0, 0, 0, 0}});
  bad({.width = -3, .height = 4, .data = {0, 0, 0, 0}});
  bad({.width = 3, .height = INT32_MIN, .data = {0, 0, 0, 0}});
  bad({.width = 1, .height = 1, .bits = 7, .data = {0, 0, 0, 0}});
  bad({.width = 1, .height = 1, .bits = 0, .data = {0, 0, 0, 0}});
  bad({.width = 1, .height = 1, .bits = 24, .compression = 1, .data = {0, 0, 0, 0}});
  bad({.width = 1, .height = 1, .bits = 24, .compression = 99, .data = {0, 0, 0, 0}});
  bad({.width = 65500, .height = 65500, .data = {0, 0, 0, 0}});
  bad({.width = 1000, .height = 1000, .data = {0, 0, 0, 0}});
  bad({.width = 1,
       .height = 1,
       .bits = 32,
       .compression = 3,
       .masks = {0xFF00FF, 0xFF00, 0},
       .data = {0, 0, 0, 0}});
}

TEST(Bmp, EmbeddedJpegIsUnsupportedNotBroken) {
  expect_error(ErrorKind::kUnsupported, [] {
    (void)decode_image(
        write_bmp({.width = 1, .height = 1, .bits = 24, .compression = 4, .data = {0, 0, 0, 0}}));
  });
}

}  // namespace engraft::test::bmp_test
