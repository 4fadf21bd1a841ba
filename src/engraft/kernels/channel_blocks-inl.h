// Walks over an array [pixels, channels]. Included once for each instruction set
// (hwy/foreach_target.h).
#if defined(ENGRAFT_KERNELS_CHANNEL_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAFT_KERNELS_CHANNEL_BLOCKS_INL_H_
#undef ENGRAFT_KERNELS_CHANNEL_BLOCKS_INL_H_
#else
#define ENGRAFT_KERNELS_CHANNEL_BLOCKS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "engraft/kernels/channels.h"
#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

/// Some neighbouring channels of some pixels.
struct ChannelBlock {
  std::int64_t begin, end;     ///< offset of the first pixel's first channel; end is no more walked
  std::int64_t step;           ///< from one pixel to the next
  std::int64_t first_channel;  ///< at the block's begin
  std::int64_t n;              ///< channels from there on, for loads of Fill::kPart
};

/// Calls body.add<Fill, vectors>(block) for blocks that cover the array: at most 128 pixels, and so
/// few that a block's lines are still in the cache when the block beside it needs them.
template <typename Body>
void for_each_block(const ChannelShape& shape, const Body& body) {
  constexpr int kVectors = kRegisters == 32 ? 4 : 2;
  const auto [pixels, channels] = shape;
  if (channels == 0) return;
  const std::int64_t most = std::clamp<std::int64_t>(16 * 1024 / channels, 16, 128);
  for (std::int64_t p = 0; p < pixels; p += most) {
    const std::int64_t begin = p * channels, end = std::min(p + most, pixels) * channels;
    std::int64_t c = 0;
    for (; c + kVectors * kLanes <= channels; c += kVectors * kLanes) {
      body.template add<Fill::kWhole, kVectors>({begin + c, end + c, channels, c, channels - c});
    }
    for (; c + kLanes <= channels; c += kLanes) {
      body.template add<Fill::kWhole, 1>({begin + c, end + c, channels, c, channels - c});
    }
    if (c < channels) {
      body.template add<Fill::kPart, 1>({begin + c, end + c, channels, c, channels - c});
    }
  }
}

/// Vectors side by side, one for each of a block.
template <int kVectors>
using VectorRow = Vector[kVectors];

template <Fill kFill, int kVectors>
HWY_INLINE void load_row(const float* from, std::int64_t n, VectorRow<kVectors>& row) {
  for (int v = 0; v < kVectors; ++v) row[v] = load<kFill>(from + v * kLanes, n);
}

template <int kVectors>
HWY_INLINE void clear_row(VectorRow<kVectors>& row) {
  for (int v = 0; v < kVectors; ++v) row[v] = zero();
}

/// to[c] += row[c]
template <Fill kFill, int kVectors>
HWY_INLINE void add_row_to(const VectorRow<kVectors>& row, std::int64_t n, float* to) {
  for (int v = 0; v < kVectors; ++v) {
    float* place = to + v * kLanes;
    store<kFill>(hn::Add(load<kFill>(place, n), row[v]), place, n);
  }
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
