#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engraft/base/file.h"
#include "pictures.h"

namespace engraft::test {

/// A BMP put together byte by byte, so that every odd combination can be made.
struct BmpSpec {
  std::uint32_t header_size = 40;  // 12, 40, 52, 56, 64, 108, 124
  int width = 0;
  int height = 0;  // negative: top-down
  int bits = 24;
  std::uint32_t compression = 0;
  std::vector<std::uint32_t> masks = {};  // red, green, blue, alpha
  std::vector<std::array<std::uint8_t, 3>> palette = {};
  std::vector<std::uint8_t> data = {};  // rows as stored, or run-length codes
  std::uint32_t colours_used = 0;
};

[[nodiscard]] inline Bytes write_bmp(const BmpSpec& spec) {
  Bytes info;
  append_u32_le(info, spec.header_size);
  if (spec.header_size == 12) {
    append_u16_le(info, static_cast<unsigned>(spec.width));
    append_u16_le(info, static_cast<unsigned>(spec.height));
    append_u16_le(info, 1);
    append_u16_le(info, static_cast<unsigned>(spec.bits));
  } else {
    append_u32_le(info, static_cast<std::uint32_t>(spec.width));
    append_u32_le(info, static_cast<std::uint32_t>(spec.height));
    append_u16_le(info, 1);
    append_u16_le(info, static_cast<unsigned>(spec.bits));
    append_u32_le(info, spec.compression);
    append_u32_le(info, 0);
    append_u32_le(info, 2835);
    append_u32_le(info, 2835);
    append_u32_le(info, spec.colours_used);
    append_u32_le(info, 0);
    for (const std::uint32_t mask : spec.masks) append_u32_le(info, mask);
  }
  while (info.size() < spec.header_size) append_u8(info, 0);
  for (const auto& [red, green, blue] : spec.palette) {
    append_u8(info, blue);
    append_u8(info, green);
    append_u8(info, red);
    if (spec.header_size != 12) append_u8(info, 0);
  }
  Bytes bytes;
  append(bytes, "BM");
  append_u32_le(bytes, static_cast<std::uint32_t>(14 + info.size() + spec.data.size()));
  append_u32_le(bytes, 0);
  append_u32_le(bytes, static_cast<std::uint32_t>(14 + info.size()));
  append(bytes, info);
  for (const std::uint8_t value : spec.data) append_u8(bytes, value);
  return bytes;
}

/// 24-bit rows, bottom up, padded to 4 bytes.
[[nodiscard]] inline std::vector<std::uint8_t> bmp_rows_24(const Image& image) {
  std::vector<std::uint8_t> rows;
  for (int y = image.height - 1; y >= 0; --y) {
    const std::uint8_t* p = image.row(y);
    for (int x = 0; x < image.width; ++x, p += 3) rows.insert(rows.end(), {p[2], p[1], p[0]});
    while (rows.size() % 4 != 0) rows.push_back(0xAA);
  }
  return rows;
}

}  // namespace engraft::test
