#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/base/file.h"
#include "engraft/image/image.h"

/// Pictures to test with, written by the formats' own libraries or byte by byte.
namespace engraft::test {

/// Smooth in both directions and different in every corner: survives lossy formats, and no two of
/// its eight orientations look alike.
[[nodiscard]] Image gradient(int width, int height);

/// Every value independent, from a fixed seed: for lossless paths.
[[nodiscard]] Image noise(int width, int height, std::uint64_t seed = 1);

[[nodiscard]] int largest_difference(const Image& a, const Image& b);
[[nodiscard]] double mean_difference(const Image& a, const Image& b);

/// `upright` as a camera would store it under EXIF orientation 1…8.
[[nodiscard]] Image as_stored(const Image& upright, int orientation);

enum class ByteOrder { kLittleEndian, kBigEndian };

/// A TIFF block whose only tag is the orientation, without the "Exif\0\0" in front.
[[nodiscard]] Bytes exif_block(int orientation, ByteOrder order = ByteOrder::kLittleEndian);

/// For bytes written by hand.
void append(Bytes& bytes, std::string_view text);
void append(Bytes& bytes, const Bytes& more);
void append_u8(Bytes& bytes, unsigned value);
void append_u16_le(Bytes& bytes, unsigned value);
void append_u32_le(Bytes& bytes, std::uint32_t value);
void append_u32_be(Bytes& bytes, std::uint32_t value);

enum class JpegColours { kYcc, kRgb, kGrey, kInvertedCmyk, kYcck };

struct JpegSpec {
  JpegColours colours = JpegColours::kYcc;
  bool progressive = false;
  bool arithmetic = false;
  bool adobe_marker = true;  // of CMYK
  int restart_rows = 0;
  int quality = 95;
};
/// For ink colours, pixels are stored with the black of each pixel drawn out.
[[nodiscard]] Bytes write_jpeg(const Image& image, const JpegSpec& spec = {});
/// The JPEG with a segment (APP1 and the like) after its first two bytes.
[[nodiscard]] Bytes with_jpeg_segment(const Bytes& jpeg, unsigned marker, const Bytes& payload);
[[nodiscard]] Bytes with_exif_prefix(const Bytes& block);

struct PngSpec {
  int colour_type = 2;
  int bit_depth = 8;
  bool interlaced = false;
  std::vector<std::array<std::uint8_t, 4>> palette =
      {};                                       // RGBA; alphas are written if any is not 255
  std::vector<std::uint16_t> transparent = {};  // one grey or three colours
  Bytes exif = {};
};
/// rows: the samples as PNG packs them, 16 bits big-endian.
[[nodiscard]] Bytes write_png(Size size, const std::vector<std::uint8_t>& rows,
                              const PngSpec& spec);
/// One PNG chunk with its checksum.
[[nodiscard]] Bytes png_chunk(std::string_view type, const Bytes& payload);

/// Lossless WebP of RGBA values.
[[nodiscard]] Bytes write_webp(Size size, const std::vector<std::uint8_t>& rgba);
/// Lossy WebP.
[[nodiscard]] Bytes write_lossy_webp(const Image& image);
[[nodiscard]] std::vector<std::uint8_t> with_alpha(const Image& image, std::uint8_t alpha);

}  // namespace engraft::test
