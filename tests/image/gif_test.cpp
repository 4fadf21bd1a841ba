#include <gtest/gtest.h>

#include "engraft/image/decode.h"
#include "expect_error.h"
#include "other_formats.h"
#include "pictures.h"

namespace engraft::test::gif_test {

const std::vector<std::array<std::uint8_t, 3>> kPalette{
    {10, 20, 30}, {200, 0, 0}, {0, 200, 0}, {0, 0, 200}};

std::vector<std::uint8_t> indices_for(Size size) {
  std::vector<std::uint8_t> indices;
  for (int i = 0; i < size.width * size.height; ++i) {
    indices.push_back(static_cast<std::uint8_t>((i * 7 + i / size.width) % 4));
  }
  return indices;
}

Image painted(Size size, const std::vector<std::uint8_t>& indices) {
  Image image(size.width, size.height);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    std::copy_n(kPalette[indices[i]].begin(), 3, image.pixels.begin() + 3 * static_cast<int>(i));
  }
  return image;
}

TEST(Gif, ColoursAreExactInterlacedOrNot) {
  const Size size{13, 17};
  const auto indices = indices_for(size);
  for (const bool interlaced : {false, true}) {
    EXPECT_EQ(decode_image(write_gif(size, indices, kPalette, {.interlaced = interlaced})),
              painted(size, indices));
  }
}

TEST(Gif, TheTransparentColourIsWhite) {
  const Size size{4, 1};
  const Image decoded = decode_image(write_gif(size, {0, 1, 2, 3}, kPalette, {.transparent = 2}));
  Image expected = painted(size, {0, 1, 2, 3});
  std::fill_n(expected.pixels.begin() + 6, 3, std::uint8_t{255});
  EXPECT_EQ(decoded, expected);
}

TEST(Gif, OfAnAnimationTheFirstFrame) {
  const Size size{6, 5};
  const auto indices = indices_for(size);
  EXPECT_EQ(decode_image(write_gif(size, indices, kPalette, {.frames = 3})),
            painted(size, indices));
}

TEST(Gif, ASmallFrameLiesOnAWhiteCanvas) {
  const Image decoded = decode_image(
      write_gif({2, 2}, {1, 1, 1, 1}, kPalette, {.canvas = {5, 4}, .left = 3, .top = 1}));
  ASSERT_EQ(decoded.size(), (Size{5, 4}));
  EXPECT_EQ(decoded.row(0)[0], 255);
  EXPECT_EQ(decoded.row(1)[3 * 3], 200);
  EXPECT_EQ(decoded.row(1)[3 * 3 + 1], 0);
  EXPECT_EQ(decoded.row(3)[3 * 4 + 1], 255);
}

TEST(Gif, AFrameThatSticksOutWidensTheCanvas) {
  const Image decoded = decode_image(
      write_gif({4, 4}, std::vector<std::uint8_t>(16, 2), kPalette, {.canvas = {2, 2}, .left = 1}));
  EXPECT_EQ(decoded.size(), (Size{5, 4}));
}

TEST(Gif, ATruncationIsAnErrorOrLeavesTheFirstFrameWhole) {
  const Size size{9, 9};
  const Bytes whole = write_gif(size, indices_for(size), kPalette, {.transparent = 1});
  const Image expected = decode_image(whole);
  for (std::size_t cut = 0; cut + 2 < whole.size(); ++cut) {
    expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(std::span(whole).first(cut)); });
    if (HasFailure()) FAIL() << "cut to " << cut << " of " << whole.size();
  }
  EXPECT_EQ(decode_image(std::span(whole).first(whole.size() - 1)), expected);
}

TEST(Gif, WithoutAPictureItIsAnError) {
  Bytes bytes;
  append(bytes, std::string_view("GIF89a\1\0\1\0\0\0\0;", 14));
  expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(bytes); });
}

TEST(Gif, AHugePromiseIsRefusedByItsHeader) {
  Bytes bytes;
  append(bytes, std::string_view("GIF89a\1\0\1\0\0\0\0,\0\0\0\0\xDC\xFF\xDC\xFF\0\2", 24));
  const std::string message = message_of([&] { (void)decode_image(bytes); });
  EXPECT_NE(message.find("65500 × 65500"), message.npos) << message;
}

}  // namespace engraft::test::gif_test
