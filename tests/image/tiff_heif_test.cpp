#include <gtest/gtest.h>

#include "engraft/image/decode.h"
#include "expect_error.h"
#include "other_formats.h"
#include "pictures.h"

namespace engraft::test::tiff_heif_test {

constexpr int kMinIsBlack = 1, kMinIsWhite = 0, kRgb = 2, kPalette = 3, kSeparated = 5;

std::vector<std::uint16_t> samples_of(const Image& image) {
  return {image.pixels.begin(), image.pixels.end()};
}

TEST(Tiff, CompressionsTilesPlanesAndByteOrders) {
  const Image picture = noise(21, 18);
  for (const int compression : {1 /* none */, 5 /* LZW */, 8 /* deflate */, 32773 /* PackBits */}) {
    for (const TiffSpec& layout : {TiffSpec{}, TiffSpec{.tiled = true}, TiffSpec{.planar = true},
                                   TiffSpec{.big_endian = true}}) {
      TiffSpec spec = layout;
      spec.compression = compression;
      EXPECT_EQ(decode_image(write_tiff({21, 18}, samples_of(picture), spec)), picture)
          << compression;
    }
  }
}

TEST(Tiff, GreyPaletteAndInk) {
  const std::vector<std::uint16_t> levels{0, 100, 255};
  const auto red_of = [&](int photometric) {
    const Image image =
        decode_image(write_tiff({3, 1}, levels, {.samples = 1, .photometric = photometric}));
    return std::array<int, 3>{image.pixels[0], image.pixels[3], image.pixels[6]};
  };
  EXPECT_EQ(red_of(kMinIsBlack), (std::array{0, 100, 255}));
  EXPECT_EQ(red_of(kMinIsWhite), (std::array{255, 155, 0}));
  EXPECT_EQ(red_of(kPalette), (std::array{0, 100, 255}));
  const Image ink = decode_image(write_tiff({2, 1}, {0, 255, 255, 0, 0, 0, 0, 255},
                                            {.samples = 4, .photometric = kSeparated}));
  EXPECT_EQ(ink.pixels, (std::vector<std::uint8_t>{255, 0, 0, 0, 0, 0}));
}

TEST(Tiff, SixteenBitsBecomeEight) {
  std::vector<std::uint16_t> deep;
  for (int i = 0; i < 30; ++i) deep.push_back(static_cast<std::uint16_t>(i * 2000));
  for (const bool big_endian : {false, true}) {
    const Image image =
        decode_image(write_tiff({5, 2}, deep, {.bits = 16, .big_endian = big_endian}));
    for (std::size_t i = 0; i < deep.size(); ++i) {
      ASSERT_NEAR(image.pixels[i], deep[i] / 257.0, 0.51);
    }
  }
}

TEST(Tiff, AlphaOfBothKindsIsComposedOverWhite) {
  const Image straight =
      decode_image(write_tiff({1, 1}, {200, 100, 0, 51}, {.samples = 4, .extra_sample = 2}));
  EXPECT_NEAR(straight.pixels[0], 244, 1);
  EXPECT_NEAR(straight.pixels[2], 204, 1);
  const Image premultiplied =
      decode_image(write_tiff({1, 1}, {40, 20, 0, 51}, {.samples = 4, .extra_sample = 1}));
  EXPECT_EQ(premultiplied.pixels, (std::vector<std::uint8_t>{244, 224, 204}));
}

TEST(Tiff, AllEightOrientations) {
  const Image upright = noise(9, 6);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image stored = as_stored(upright, orientation);
    for (const bool tiled : {false, true}) {
      const Bytes bytes = write_tiff(stored.size(), samples_of(stored),
                                     {.orientation = orientation, .tiled = tiled});
      EXPECT_EQ(decode_image(bytes), upright) << orientation;
      EXPECT_EQ(decode_image(bytes, {.orientation = Orientation::kAsStored}), stored);
    }
  }
}

TEST(Tiff, AnUnknownColourSpaceIsUnsupportedNotBroken) {
  expect_error(ErrorKind::kUnsupported, [] {
    Bytes bytes = write_tiff({2, 2}, std::vector<std::uint16_t>(12, 7),
                             {.photometric = kRgb, .compression = 1});
    for (std::size_t i = 0; i + 12 < bytes.size(); ++i) {
      if (bytes[i] == std::byte{0x06} && bytes[i + 1] == std::byte{0x01} &&
          bytes[i + 2] == std::byte{3}) {
        bytes[i + 8] = std::byte{77};  // an unknown photometric interpretation
      }
    }
    (void)decode_image(bytes);
  });
}

TEST(Tiff, EveryTruncationIsAnErrorOrCostsNothing) {
  const Image picture = noise(11, 9);
  const Bytes whole = write_tiff({11, 9}, samples_of(picture), {});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    try {
      EXPECT_EQ(decode_image(std::span(whole).first(size)), picture) << size;
      EXPECT_GE(size + 8, whole.size());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput) << error.what();
    }
  }
}

TEST(Tiff, AHugePromiseIsRefusedByItsHeader) {
  Bytes bytes;
  append(bytes, std::string_view("II*\0\x08\0\0\0\x02\0", 10));
  for (const unsigned tag : {256u, 257u}) {
    append_u16_le(bytes, tag);
    append_u16_le(bytes, 4);
    append_u32_le(bytes, 1);
    append_u32_le(bytes, 65500);
  }
  append_u32_le(bytes, 0);
  expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(bytes); });
}

class Heif : public ::testing::TestWithParam<HeifCodec> {
 protected:
  static Bytes write(const Image& image, HeifSpec spec = {}) {
    spec.codec = GetParam();
    return write_heif(image, spec);
  }
};

INSTANTIATE_TEST_SUITE_P(Codecs, Heif, ::testing::Values(HeifCodec::kHevc, HeifCodec::kAv1));

#define NEEDS_ENCODER(bytes) \
  if ((bytes).empty()) GTEST_SKIP() << "this machine has no encoder for the codec"

TEST_P(Heif, ComesBackClose) {
  const Image picture = gradient(70, 66);
  const Bytes bytes = write(picture);
  NEEDS_ENCODER(bytes);
  EXPECT_EQ(image_format(bytes), ImageFormat::kHeif);
  EXPECT_LE(mean_difference(decode_image(bytes), picture), 3);
}

TEST_P(Heif, IsTurnedOnceEvenWithExifBesideItsOwnRotation) {
  const Image upright = gradient(80, 64);
  for (const int orientation : {1, 3, 6, 8, 2}) {
    const Image stored = as_stored(upright, orientation);
    const Bytes bytes =
        write(stored, {.orientation = orientation, .exif = exif_block(orientation)});
    NEEDS_ENCODER(bytes);
    EXPECT_LE(mean_difference(decode_image(bytes), upright), 3) << orientation;
    EXPECT_LE(mean_difference(decode_image(bytes, {.orientation = Orientation::kAsStored}), stored),
              3)
        << orientation;
  }
}

TEST_P(Heif, AlphaIsComposedOverWhite) {
  const Image picture = gradient(64, 64);
  const Bytes bytes = write(picture, {.alpha = 51});
  NEEDS_ENCODER(bytes);
  const Image decoded = decode_image(bytes);
  Image expected = picture;
  for (std::uint8_t& v : expected.pixels) v = static_cast<std::uint8_t>(v * 0.2 + 255 * 0.8);
  EXPECT_LE(mean_difference(decoded, expected), 4);
}

TEST_P(Heif, ATruncationIsAnError) {
  const Bytes whole = write(gradient(64, 64));
  NEEDS_ENCODER(whole);
  for (std::size_t size = 0; size < whole.size(); size += size < 16 ? 1 : 7) {
    EXPECT_THROW((void)decode_image(std::span(whole).first(size)), Error) << size;
  }
}

TEST_P(Heif, TheLimitHolds) {
  const Bytes bytes = write(gradient(64, 64));
  NEEDS_ENCODER(bytes);
  expect_error(ErrorKind::kBadInput, [&] { (void)decode_image(bytes, {.max_pixels = 64 * 63}); });
}

}  // namespace engraft::test::tiff_heif_test
