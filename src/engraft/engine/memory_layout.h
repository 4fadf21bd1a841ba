#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace engraft {

/// Every buffer begins on a boundary of this many bytes: a cache line, an AVX-512 vector.
inline constexpr std::size_t kBufferAlignment = 64;

/// The next boundary behind so many bytes, or at them.
[[nodiscard]] constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

/// Memory that must keep its contents from one step to another, both included.
struct Buffer {
  std::size_t bytes = 0;
  int first_step = 0;
  int last_step = 0;
};

struct MemoryLayout {
  std::vector<std::size_t> offsets;  ///< of each buffer, multiples of kBufferAlignment
  std::size_t bytes = 0;
};

/// Places for buffers such that no two that live at the same time overlap; few bytes in all. The
/// largest is placed first, each at the lowest place where it fits.
[[nodiscard]] MemoryLayout lay_out(std::span<const Buffer> buffers);

}  // namespace engraft
