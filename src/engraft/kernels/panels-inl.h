// How channels are cut into panels, few vectors wide, so that tiles of a product stay in registers.
// Included once for each instruction set (hwy/foreach_target.h).
#if defined(ENGRAFT_KERNELS_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAFT_KERNELS_PANELS_INL_H_
#undef ENGRAFT_KERNELS_PANELS_INL_H_
#else
#define ENGRAFT_KERNELS_PANELS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

/// The widest panel, in vectors.
constexpr int kMostVectors = 3;

/// Rows of the biggest tile so many vectors wide: it leaves registers for a row of the one factor
/// and a value of the other.
constexpr int tile_rows(int vectors) {
  return (kRegisters == 32 ? 24 : 12) / vectors;
}

HWY_INLINE std::int64_t vectors_of(std::int64_t channels) {
  return (channels + kLanes - 1) / kLanes;
}

/// `channels` with idle lanes up to a whole vector.
HWY_INLINE std::int64_t padded(std::int64_t channels) {
  return vectors_of(channels) * kLanes;
}

/// Channels [begin, begin + count) in so many vectors; count is less than they hold in the last.
struct Panel {
  std::int64_t begin;
  int vectors;
  std::int64_t count;
};

/// Calls each(panel) for panels of nearly equal width, `most` vectors at most.
template <typename Each>
HWY_INLINE void for_each_panel(std::int64_t channels, std::int64_t most, const Each& each) {
  const std::int64_t vectors = vectors_of(channels);
  const std::int64_t panels = (vectors + most - 1) / most;
  std::int64_t begin = 0;
  for (std::int64_t p = 0; p < panels; ++p) {
    const auto width = static_cast<int>(vectors / panels + (p < vectors % panels ? 1 : 0));
    each(Panel{begin, width, std::min(width * kLanes, channels - begin)});
    begin += width * kLanes;
  }
}
template <typename Each>
HWY_INLINE void for_each_panel(std::int64_t channels, const Each& each) {
  for_each_panel(channels, kMostVectors, each);
}

/// Panels as wide as they can be, the last one less, so that their begins do not depend on the
/// channels behind.
template <typename Each>
HWY_INLINE void for_each_wide_panel(std::int64_t channels, const Each& each) {
  constexpr std::int64_t kWidest = kMostVectors * kLanes;
  for (std::int64_t begin = 0; begin < channels; begin += kWidest) {
    const std::int64_t count = std::min(kWidest, channels - begin);
    each(Panel{begin, static_cast<int>(vectors_of(count)), count});
  }
}

/// body.template operator()<kVectors>() for a number of vectors known at run time.
template <typename Body>
HWY_INLINE void with_vectors(int vectors, const Body& body) {
  switch (vectors) {
    case 1:
      return body.template operator()<1>();
    case 2:
      return body.template operator()<2>();
    default:
      return body.template operator()<3>();
  }
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
