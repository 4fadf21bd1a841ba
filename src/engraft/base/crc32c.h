#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace engraft {

/// CRC-32C (Castagnoli) of bytes; of what has the CRC `before` and then these. Source: RFC 3720,
/// section 12.1 and its examples in B.4.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);

}  // namespace engraft
