#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engraft/image/decode.h"
#include "expect_error.h"
#include "pictures.h"

namespace engraft::test::webp_test {

using ::testing::HasSubstr;

constexpr unsigned kAnimation = 2, kExif = 8, kAlpha = 16;

Bytes chunk(std::string_view name, const Bytes& payload) {
  Bytes bytes;
  append(bytes, name);
  append_u32_le(bytes, static_cast<std::uint32_t>(payload.size()));
  append(bytes, payload);
  if (payload.size() % 2 != 0) append_u8(bytes, 0);
  return bytes;
}

void append_u24(Bytes& bytes, int value) {
  append_u16_le(bytes, static_cast<unsigned>(value) & 0xFFFF);
  append_u8(bytes, static_cast<unsigned>(value) >> 16);
}

/// The chunks of a simple file, without the RIFF header.
Bytes bare(const Bytes& webp) {
  return {webp.begin() + 12, webp.end()};
}

Bytes extended(Size canvas, unsigned flags, const std::vector<Bytes>& chunks) {
  Bytes head;
  append_u32_le(head, flags);
  append_u24(head, canvas.width - 1);
  append_u24(head, canvas.height - 1);
  Bytes body;
  append(body, "WEBP");
  append(body, chunk("VP8X", head));
  for (const Bytes& more : chunks) append(body, more);
  return chunk("RIFF", body);
}

Bytes frame(int left, int top, const Image& picture, std::uint8_t alpha) {
  Bytes bytes;
  append_u24(bytes, left / 2);
  append_u24(bytes, top / 2);
  append_u24(bytes, picture.width - 1);
  append_u24(bytes, picture.height - 1);
  append_u24(bytes, 100);
  append_u8(bytes, 0);
  append(bytes, bare(write_webp(picture.size(), with_alpha(picture, alpha))));
  return chunk("ANMF", bytes);
}

Bytes animation_head() {
  Bytes bytes;
  append_u32_le(bytes, 0);  // background, which nobody draws
  append_u16_le(bytes, 0);
  return chunk("ANIM", bytes);
}

TEST(Webp, LosslessIsExact) {
  const Image picture = noise(21, 13);
  EXPECT_EQ(decode_image(write_webp({21, 13}, with_alpha(picture, 255))), picture);
}

TEST(Webp, LossyIsClose) {
  EXPECT_LE(mean_difference(decode_image(write_lossy_webp(gradient(80, 60))), gradient(80, 60)), 4);
}

TEST(Webp, AlphaIsComposedOverWhite) {
  const Image picture = gradient(10, 10);
  const Image decoded = decode_image(write_webp({10, 10}, with_alpha(picture, 51)));
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
    ASSERT_NEAR(decoded.pixels[i], picture.pixels[i] * 0.2 + 255 * 0.8, 0.5001);
  }
}

TEST(Webp, AnExifChunkTurnsItUpright) {
  const Image upright = noise(8, 5);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image stored = as_stored(upright, orientation);
    const Bytes bytes = extended(stored.size(), kExif,
                                 {bare(write_webp(stored.size(), with_alpha(stored, 255))),
                                  chunk("EXIF", exif_block(orientation, ByteOrder::kBigEndian))});
    EXPECT_EQ(decode_image(bytes), upright) << orientation;
    EXPECT_EQ(decode_image(bytes, {.orientation = Orientation::kAsStored}), stored);
  }
}

TEST(Webp, OfAnAnimationTheFirstFrameOnAWhiteCanvas) {
  const Image first = noise(6, 4, 1), second = noise(6, 4, 2);
  const Bytes bytes =
      extended({10, 8}, kAnimation | kAlpha,
               {animation_head(), frame(2, 4, first, 255), frame(0, 0, second, 255)});
  const Image decoded = decode_image(bytes);
  ASSERT_EQ(decoded.size(), (Size{10, 8}));
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 10; ++x) {
      const bool inside = x >= 2 && x < 8 && y >= 4;
      const std::uint8_t* p = decoded.row(y) + 3 * x;
      for (int c = 0; c < 3; ++c) {
        ASSERT_EQ(p[c], inside ? first.row(y - 4)[3 * (x - 2) + c] : 255) << x << ", " << y;
      }
    }
  }
}

TEST(Webp, AnAnimationOfSixteenMillionPixelsASideIsRefusedByItsHeader) {
  const Bytes bytes = extended({1 << 24, 100}, kAnimation, {animation_head()});
  expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(bytes); });
}

TEST(Webp, EveryTruncationIsAnError) {
  const Image picture = noise(10, 10);
  const Bytes simple = write_webp({10, 10}, with_alpha(picture, 255));
  const Bytes lossy = write_lossy_webp(gradient(24, 24));
  const Bytes with_notes = extended({10, 10}, kExif, {bare(simple), chunk("EXIF", exif_block(3))});
  for (const Bytes& whole : {simple, lossy, with_notes}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(std::span(whole).first(size)); });
      if (HasFailure()) FAIL() << "cut to " << size << " of " << whole.size();
    }
  }
  EXPECT_THAT(message_of([&] { (void)decode_image(std::span(lossy).first(lossy.size() - 9)); }),
              HasSubstr("truncated"));
}

}  // namespace engraft::test::webp_test
