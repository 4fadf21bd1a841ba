#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace engraft {

/// CRC-32C (Castagnoli). Source: RFC 3720, section 12.1 and its examples in B.4.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes);

}  // namespace engraft
