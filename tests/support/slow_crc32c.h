#pragma once

#include <cstdint>
#include <string_view>

namespace engraft::test {

/// Bit by bit, by the polynomial 0x1EDC6F41 in reversed order.
inline std::uint32_t slow_crc32c(std::string_view text) {
  std::uint32_t state = 0xffffffff;
  for (const char c : text) {
    state ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) state = state & 1 ? state >> 1 ^ 0x82f63b78 : state >> 1;
  }
  return ~state;
}

}  // namespace engraft::test
