#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engraft/image/decoders.h"

/// BMP is read here rather than by a library: what Debian has (libnsbmp) widens 5- and 6-bit
/// colours by shifting, so that white comes out grey.
/// Source: Microsoft, BITMAPFILEHEADER, BITMAPCOREHEADER, BITMAPINFOHEADER, BITMAPV4HEADER and
/// BITMAPV5HEADER.
namespace engraft::decoders::bmp_file {

enum class Compression { kNone, kRle8, kRle4, kMasks };

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
};

/// The bits of one channel in a 16- or 32-bit pixel.
struct Channel {
  std::uint32_t mask = 0;
  int shift = 0;
  std::uint32_t top = 0;  ///< mask >> shift

  /// 0 … 255, rounded; 0 without a mask.
  [[nodiscard]] std::uint8_t of(std::uint32_t pixel) const {
    if (mask == 0) return 0;
    const std::uint64_t value = (pixel & mask) >> shift;
    return static_cast<std::uint8_t>((value * 255 + top / 2) / top);
  }
};

struct Header {
  int width = 0;
  int height = 0;
  enum class Rows { kBottomUp, kTopDown } rows = Rows::kBottomUp;
  int bits = 0;  ///< per pixel: 1, 4, 8, 16, 24 or 32
  Compression compression = Compression::kNone;
  std::array<Channel, 3> channels{};  ///< red, green, blue of 16 and 32 bits
  Channel alpha{};
  std::vector<Colour> palette;  ///< of 1, 4 and 8 bits, as long as they can count
  std::size_t pixels_at = 0;    ///< where the rows begin, inside the file

  /// Bytes from one uncompressed row to the next.
  [[nodiscard]] std::size_t stride() const {
    return (static_cast<std::size_t>(width) * static_cast<std::size_t>(bits) + 31) / 32 * 4;
  }
};

/// Errors: kBadInput for anything that contradicts itself or the file's length, kUnsupported for
/// compressions that only printers know.
[[nodiscard]] Header parse(Input bytes, const DecodeOptions& options);

}  // namespace engraft::decoders::bmp_file
