#include <gtest/gtest.h>

#include <string>

#include "bmp_writer.h"
#include "engraft/base/rng.h"
#include "engraft/image/decode.h"
#include "engraft/image/encode.h"
#include "expect_error.h"
#include "other_formats.h"
#include "pictures.h"

namespace engraft::test::hostile_test {

struct Sample {
  const char* name;
  Bytes bytes;
};

std::vector<std::uint16_t> samples_of(const Image& image) {
  return {image.pixels.begin(), image.pixels.end()};
}

std::vector<Sample> samples() {
  const Image picture = gradient(33, 21);
  const Image lossless = noise(9, 7);
  const Bytes exif = with_exif_prefix(exif_block(6));
  PngSpec palette{.colour_type = 3, .interlaced = true};
  for (int i = 0; i < 256; ++i) {
    palette.palette.push_back({static_cast<std::uint8_t>(i), 0, 9, static_cast<std::uint8_t>(i)});
  }
  return {
      {"jpeg", with_jpeg_segment(write_jpeg(picture), 0xE1, exif)},
      {"progressive jpeg", write_jpeg(picture, {.progressive = true})},
      {"ycck jpeg", write_jpeg(picture, {.colours = JpegColours::kYcck, .restart_rows = 1})},
      {"arithmetic jpeg", write_jpeg(picture, {.arithmetic = true})},
      {"png", write_png({9, 7}, lossless.pixels, {.exif = exif_block(5)})},
      {"palette png", write_png({21, 3}, std::vector<std::uint8_t>(63, 7), palette)},
      {"webp", write_webp({9, 7}, with_alpha(lossless, 90))},
      {"lossy webp", write_lossy_webp(picture)},
      {"gif", write_gif({9, 7}, std::vector<std::uint8_t>(63, 1), {{1, 2, 3}, {4, 5, 6}},
                        {.interlaced = true, .transparent = 0, .frames = 2})},
      {"bmp", write_bmp({.width = 9, .height = 7, .data = bmp_rows_24(lossless)})},
      {"rle bmp", write_bmp({.width = 4,
                             .height = 2,
                             .bits = 8,
                             .compression = 1,
                             .palette = {{1, 1, 1}, {2, 2, 2}},
                             .data = {4, 1, 0, 0, 0, 3, 1, 0, 1, 0, 1, 1, 0, 1}})},
      {"tiff", write_tiff({9, 7}, samples_of(lossless), {.orientation = 6})},
      {"tiled tiff", write_tiff({9, 7}, samples_of(lossless),
                                {.compression = 8, .tiled = true, .big_endian = true})},
      {"heic", write_heif(gradient(64, 64), {.codec = HeifCodec::kHevc, .orientation = 6})},
      {"avif", write_heif(gradient(64, 64), {.codec = HeifCodec::kAv1})},
  };
}

/// Whatever the bytes: a picture within the limit, or one line of complaint about the input.
void expect_no_harm(std::span<const std::byte> bytes) {
  constexpr std::int64_t kLimit = 1 << 18;
  try {
    const Image image = decode_image(bytes, {.max_pixels = kLimit});
    EXPECT_GE(image.width, 1);
    EXPECT_GE(image.height, 1);
    EXPECT_LE(std::int64_t{image.width} * image.height, kLimit);
    EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.width) * image.height * 3);
  } catch (const Error& error) {
    EXPECT_TRUE(error.kind() == ErrorKind::kBadInput || error.kind() == ErrorKind::kUnsupported)
        << error.what();
    EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
  }
}

TEST(HostilePictures, WithFlippedBitsDoNoHarmAndPrintNothing) {
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  for (const Sample& sample : samples()) {
    if (sample.bytes.empty()) continue;  // no encoder on this machine
    Rng rng(20, 0, sample.bytes.size());
    for (int round = 0; round < 250; ++round) {
      Bytes broken = sample.bytes;
      const int flips = 1 + round % 4;
      for (int i = 0; i < flips; ++i) {
        const std::uint32_t at = rng.below(static_cast<std::uint32_t>(broken.size()));
        broken[at] ^= static_cast<std::byte>(1u << rng.below(8));
      }
      expect_no_harm(broken);
    }
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
}

TEST(HostilePictures, WithRandomRunsOverwrittenDoNoHarm) {
  for (const Sample& sample : samples()) {
    if (sample.bytes.empty()) continue;
    Rng rng(21, 0, sample.bytes.size());
    for (int round = 0; round < 150; ++round) {
      Bytes broken = sample.bytes;
      const std::uint32_t at = rng.below(static_cast<std::uint32_t>(broken.size()));
      const auto value = static_cast<std::byte>(round % 3 == 0 ? 0xFF : rng.below(256));
      for (std::size_t i = at; i < std::min<std::size_t>(at + 8, broken.size()); ++i) {
        broken[i] = round % 3 == 2 ? static_cast<std::byte>(rng.below(256)) : value;
      }
      expect_no_harm(broken);
    }
  }
}

TEST(HostilePictures, CutAnywherePrintNothing) {
  ::testing::internal::CaptureStderr();
  for (const Sample& sample : samples()) {
    for (std::size_t size = 0; size < sample.bytes.size(); size += 1 + sample.bytes.size() / 200) {
      expect_no_harm(std::span(sample.bytes).first(size));
    }
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(HostilePictures, OfNothingButASignatureAreErrors) {
  for (const Sample& sample : samples()) {
    if (sample.bytes.empty()) continue;
    Bytes bytes(sample.bytes.begin(), sample.bytes.begin() + 18);
    bytes.resize(4096, std::byte{0xFF});
    EXPECT_THROW((void)decode_image(bytes), Error) << sample.name;
    std::fill(bytes.begin() + 18, bytes.end(), std::byte{0});
    EXPECT_THROW((void)decode_image(bytes), Error) << sample.name;
  }
}

}  // namespace engraft::test::hostile_test
