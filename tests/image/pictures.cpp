#include "pictures.h"

#include <cmath>
#include <cstdlib>

#include "engraft/base/rng.h"

namespace engraft::test {

Image gradient(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      std::uint8_t* p = image.row(y) + 3 * x;
      p[0] = static_cast<std::uint8_t>(20 + 200 * x / width);
      p[1] = static_cast<std::uint8_t>(230 - 190 * y / height);
      p[2] = static_cast<std::uint8_t>(60 + 60 * x / width + 90 * y / height);
    }
  }
  return image;
}

Image noise(int width, int height, std::uint64_t seed) {
  Image image(width, height);
  Rng rng(seed);
  for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

int largest_difference(const Image& a, const Image& b) {
  if (a.size() != b.size()) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  }
  return largest;
}

double mean_difference(const Image& a, const Image& b) {
  if (a.size() != b.size()) return 256;
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / static_cast<double>(a.pixels.size());
}

Image as_stored(const Image& upright, int orientation) {
  const int w = upright.width, h = upright.height;
  const bool swapped = orientation >= 5;
  Image stored = swapped ? Image(h, w) : Image(w, h);
  for (int y = 0; y < stored.height; ++y) {
    for (int x = 0; x < stored.width; ++x) {
      // The words of the standard: which sides of the upright picture stored row 0 and column 0
      // are.
      int ux = 0, uy = 0;
      switch (orientation) {
        case 1:
          ux = x, uy = y;
          break;  // row 0 top, column 0 left
        case 2:
          ux = w - 1 - x, uy = y;
          break;  // top, right
        case 3:
          ux = w - 1 - x, uy = h - 1 - y;
          break;  // bottom, right
        case 4:
          ux = x, uy = h - 1 - y;
          break;  // bottom, left
        case 5:
          ux = y, uy = x;
          break;  // left, top
        case 6:
          ux = w - 1 - y, uy = x;
          break;  // right, top
        case 7:
          ux = w - 1 - y, uy = h - 1 - x;
          break;  // right, bottom
        case 8:
          ux = y, uy = h - 1 - x;
          break;  // left, bottom
        default:
          std::abort();
      }
      std::copy_n(upright.row(uy) + 3 * ux, 3, stored.row(y) + 3 * x);
    }
  }
  return stored;
}

void append(Bytes& bytes, std::string_view text) {
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
}
void append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}
void append_u8(Bytes& bytes, unsigned value) {
  bytes.push_back(static_cast<std::byte>(value & 255));
}
void append_u16_le(Bytes& bytes, unsigned value) {
  append_u8(bytes, value);
  append_u8(bytes, value >> 8);
}
void append_u32_le(Bytes& bytes, std::uint32_t value) {
  append_u16_le(bytes, value & 0xFFFF);
  append_u16_le(bytes, value >> 16);
}
void append_u32_be(Bytes& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) append_u8(bytes, value >> shift);
}

Bytes exif_block(int orientation, ByteOrder order) {
  const bool little = order == ByteOrder::kLittleEndian;
  Bytes bytes;
  const auto u16 = [&](unsigned value) {
    append_u8(bytes, little ? value : value >> 8);
    append_u8(bytes, little ? value >> 8 : value);
  };
  const auto u32 = [&](std::uint32_t value) {
    little ? append_u32_le(bytes, value) : append_u32_be(bytes, value);
  };
  append(bytes, little ? "II" : "MM");
  u16(42);
  u32(8);       // the first directory
  u16(1);       // its entries
  u16(0x0112);  // orientation
  u16(3);       // SHORT
  u32(1);
  u16(static_cast<unsigned>(orientation));
  u16(0);
  u32(0);  // no further directory
  return bytes;
}

std::vector<std::uint8_t> with_alpha(const Image& image, std::uint8_t alpha) {
  std::vector<std::uint8_t> rgba;
  rgba.reserve(image.pixels.size() / 3 * 4);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    rgba.insert(rgba.end(), {image.pixels[i], image.pixels[i + 1], image.pixels[i + 2], alpha});
  }
  return rgba;
}

}  // namespace engraft::test
