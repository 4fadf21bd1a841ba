#include <algorithm>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/image/bmp_header.h"
#include "engraft/image/decoders.h"

namespace engraft::decoders {
namespace {

using bmp_file::Colour;
using bmp_file::Compression;
using bmp_file::Header;

[[noreturn]] void fail_truncated() {
  throw Error(ErrorKind::kBadInput, "is a truncated BMP: the file ends before the picture does");
}

/// The row of the picture that the file's row number y is.
int upright_row(const Header& header, int y) {
  return header.rows == Header::Rows::kTopDown ? y : header.height - 1 - y;
}

void put(const Colour& colour, std::uint8_t* rgb) {
  rgb[0] = colour.red;
  rgb[1] = colour.green;
  rgb[2] = colour.blue;
}

void draw_palette_row(const Header& header, const std::uint8_t* from, std::uint8_t* rgb) {
  const int per_byte = 8 / header.bits;
  const int mask = (1 << header.bits) - 1;
  for (int x = 0; x < header.width; ++x, rgb += 3) {
    const int shift = 8 - header.bits * (x % per_byte + 1);
    put(header.palette[static_cast<std::size_t>(from[x / per_byte] >> shift & mask)], rgb);
  }
}

void draw_24_bit_row(const Header& header, const std::uint8_t* from, std::uint8_t* rgb) {
  for (int x = 0; x < header.width; ++x, from += 3, rgb += 3) {
    rgb[0] = from[2];
    rgb[1] = from[1];
    rgb[2] = from[0];
  }
}

std::uint32_t pixel_at(const std::uint8_t* from, int bytes) {
  std::uint32_t pixel = 0;
  for (int i = bytes - 1; i >= 0; --i) pixel = pixel << 8 | from[i];
  return pixel;
}

void draw_masked_row(const Header& header, const std::uint8_t* from, std::uint8_t* rgb) {
  const int bytes = header.bits / 8;
  for (int x = 0; x < header.width; ++x, from += bytes, rgb += 3) {
    const std::uint32_t pixel = pixel_at(from, bytes);
    const std::uint32_t alpha = header.alpha.mask == 0 ? 255 : header.alpha.of(pixel);
    for (std::size_t c = 0; c < 3; ++c) {
      rgb[c] = over_white(header.channels[c].of(pixel), alpha);
    }
  }
}

/// Some programs declare an alpha channel and leave it zero; nobody means an invisible picture.
bool alpha_is_used(const Header& header, const std::uint8_t* rows) {
  const int bytes = header.bits / 8;
  for (int y = 0; y < header.height; ++y) {
    const std::uint8_t* from = rows + header.stride() * static_cast<std::size_t>(y);
    for (int x = 0; x < header.width; ++x, from += bytes) {
      if ((pixel_at(from, bytes) & header.alpha.mask) != 0) return true;
    }
  }
  return false;
}

Image read_rows(Header header, Input pixels) {
  const std::size_t row_bytes =
      (static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.bits) + 7) / 8;
  const std::size_t rows = static_cast<std::size_t>(header.height);
  // The last row's padding is often left out.
  if (header.stride() * (rows - 1) + row_bytes > pixels.size()) fail_truncated();
  const std::uint8_t* first = data_of(pixels);
  if (header.alpha.mask != 0 && !alpha_is_used(header, first)) header.alpha = {};

  Image image(header.width, header.height);
  for (int y = 0; y < header.height; ++y) {
    const std::uint8_t* from = first + header.stride() * static_cast<std::size_t>(y);
    std::uint8_t* to = image.row(upright_row(header, y));
    if (header.bits <= 8) {
      draw_palette_row(header, from, to);
    } else if (header.bits == 24) {
      draw_24_bit_row(header, from, to);
    } else {
      draw_masked_row(header, from, to);
    }
  }
  return image;
}

/// Run-length codes: pairs of (count, value), and after a 0 an escape: 0 end of row, 1 end of
/// picture, 2 skip right and up, n ≥ 3 that many plain values, padded to 16 bits. Pixels that are
/// skipped keep colour 0; runs past a row's end are cut there.
class RunLengthReader {
 public:
  RunLengthReader(const Header& header, Input codes)
      : header_(header), codes_(codes), image_(header.width, header.height) {
    for (std::size_t i = 0; i < image_.pixels.size(); i += 3) {
      put(header.palette[0], image_.pixels.data() + i);
    }
  }

  Image read() {
    while (y_ < header_.height) {
      if (at_ == codes_.size() && y_ == header_.height - 1 && x_ >= header_.width) break;
      const int count = next();
      const int value = next();
      if (count > 0) {
        draw_run(count, value);
      } else if (value == 0) {
        x_ = 0;
        ++y_;
      } else if (value == 1) {
        break;
      } else if (value == 2) {
        x_ = std::min(x_ + next(), header_.width);
        y_ += next();
      } else {
        draw_plain(value);
      }
    }
    return std::move(image_);
  }

 private:
  int next() {
    if (at_ >= codes_.size()) fail_truncated();
    return std::to_integer<int>(codes_[at_++]);
  }

  void draw(int index) {
    if (x_ >= header_.width) return;
    put(header_.palette[static_cast<std::size_t>(index)],
        image_.row(upright_row(header_, y_)) + 3 * x_);
    ++x_;
  }

  /// A 4-bit code holds two colours, high half first.
  [[nodiscard]] int index_in(int value, int i) const {
    if (header_.compression == Compression::kRle8) return value;
    return i % 2 == 0 ? value >> 4 : value & 15;
  }

  void draw_run(int count, int value) {
    for (int i = 0; i < count; ++i) draw(index_in(value, i));
  }

  void draw_plain(int count) {
    const int per_byte = header_.compression == Compression::kRle8 ? 1 : 2;
    const int bytes = (count + per_byte - 1) / per_byte;
    int value = 0;
    for (int i = 0; i < count; ++i) {
      if (i % per_byte == 0) value = next();
      draw(index_in(value, i));
    }
    if (bytes % 2 != 0) next();
  }

  const Header& header_;
  Input codes_;
  Image image_;
  std::size_t at_ = 0;
  int x_ = 0;
  int y_ = 0;
};

}  // namespace

Stored bmp(Input bytes, const DecodeOptions& options) {
  Header header = bmp_file::parse(bytes, options);
  const Input pixels = bytes.subspan(header.pixels_at);
  const bool runs =
      header.compression == Compression::kRle8 || header.compression == Compression::kRle4;
  Stored stored;
  stored.image =
      runs ? RunLengthReader(header, pixels).read() : read_rows(std::move(header), pixels);
  return stored;
}

}  // namespace engraft::decoders
