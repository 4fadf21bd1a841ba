#include "engraft/engine/memory_layout.h"

#include <algorithm>
#include <numeric>

namespace engraft {
namespace {

std::size_t round_up(std::size_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

bool live_together(const Buffer& a, const Buffer& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

}  // namespace

MemoryLayout lay_out(std::span<const Buffer> buffers) {
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return buffers[a].bytes > buffers[b].bytes;
  });

  MemoryLayout layout{.offsets = std::vector<std::size_t>(buffers.size()), .bytes = 0};
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t index : order) {
    std::size_t offset = 0;
    for (const std::size_t other : placed) {
      if (!live_together(buffers[index], buffers[other])) continue;
      if (layout.offsets[other] >= offset + buffers[index].bytes) break;
      offset = std::max(offset, layout.offsets[other] + round_up(buffers[other].bytes));
    }
    layout.offsets[index] = offset;
    layout.bytes = std::max(layout.bytes, offset + round_up(buffers[index].bytes));
    const auto before = std::upper_bound(
        placed.begin(), placed.end(), offset,
        [&](std::size_t place, std::size_t other) { return place < layout.offsets[other]; });
    placed.insert(before, index);
  }
  return layout;
}

}  // namespace engraft
