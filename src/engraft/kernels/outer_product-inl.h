// Sums of outer products, aᵀ·b, in tiles that stay in registers: how weights get their gradients.
// Included once for each instruction set (hwy/foreach_target.h).
#if defined(ENGRAFT_KERNELS_OUTER_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAFT_KERNELS_OUTER_PRODUCT_INL_H_
#undef ENGRAFT_KERNELS_OUTER_PRODUCT_INL_H_
#else
#define ENGRAFT_KERNELS_OUTER_PRODUCT_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstdint>

#include "engraft/kernels/panels-inl.h"
#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

// The product aᵀ·b is cut into tiles of dw that stay in registers while a block of pixels passes:
// rows of a tile are channels of a (each value of a is broadcast), its columns are vectors of b.

/// The first value of some columns, and the distance from one row to the next.
struct Matrix {
  const float* data;
  std::int64_t stride;
};
struct Sum {
  float* data;
  std::int64_t stride;
};

/// c[r,·] += Σ_p a[p,r]·b[p,·] for kRows rows and kVectors vectors.
template <int kRows, int kVectors>
HWY_NOINLINE void add_tile(std::int64_t pixels, Matrix a, Matrix b, Sum c) {
  Vector sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = zero();
      hwy::Prefetch(c.data + r * c.stride + v * kLanes);  // read when the pixels are through
    }
  }
  const float* HWY_RESTRICT row_a = a.data;
  const float* HWY_RESTRICT row_b = b.data;
  for (std::int64_t p = 0; p < pixels; ++p, row_a += a.stride, row_b += b.stride) {
    Vector values[kVectors];
    for (int v = 0; v < kVectors; ++v) values[v] = load(row_b + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const Vector factor = set(row_a[r]);
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(factor, values[v], sum[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      float* place = c.data + r * c.stride + v * kLanes;
      store(hn::Add(load(place), sum[r][v]), place);
    }
  }
}

/// The size of tile to take after one of kRows is too big.
constexpr int fewer_rows(int rows) {
  int fewer = 1;
  while (fewer * 2 < rows) fewer *= 2;
  return fewer;
}

/// As many tiles of kRows as fit into the rows, then smaller ones; `wanted` says where to begin.
template <int kRows, int kVectors>
void add_rows(std::int64_t rows, int wanted, std::int64_t pixels, Matrix a, Matrix b, Sum c) {
  if (wanted >= kRows) {
    for (; rows >= kRows; rows -= kRows, a.data += kRows, c.data += kRows * c.stride) {
      add_tile<kRows, kVectors>(pixels, a, b, c);
    }
  }
  if constexpr (kRows > 1) {
    if (rows > 0) add_rows<fewer_rows(kRows), kVectors>(rows, wanted, pixels, a, b, c);
  }
}

/// All rows of c by kVectors vectors.
template <int kVectors>
void add_strip(std::int64_t rows, std::int64_t pixels, Matrix a, Matrix b, Sum c) {
  constexpr int kRows = tile_rows(kVectors);
  constexpr int kWindow = 9;  // a row of 3×3 windows over red, green and blue
  if constexpr (kRows > kWindow) {
    if (rows == kWindow) return add_rows<kWindow, kVectors>(rows, kWindow, pixels, a, b, c);
  }
  // Equal tiles of a little less than the most rows beat full ones with a sliver at the end.
  const bool equal = rows % kRows != 0 && rows % fewer_rows(kRows) == 0;
  add_rows<kRows, kVectors>(rows, equal ? fewer_rows(kRows) : kRows, pixels, a, b, c);
}

/// All rows of c by so many vectors, in strips of nearly equal width.
HWY_INLINE void add_strips(std::int64_t rows, std::int64_t vectors, std::int64_t pixels, Matrix a,
                           Matrix b, Sum c) {
  for_each_panel(vectors * kLanes, [&](const Panel& panel) HWY_ATTR {
    with_vectors(panel.vectors, [&]<int kVectors>() HWY_ATTR {
      add_strip<kVectors>(rows, pixels, a, {b.data + panel.begin, b.stride},
                          {c.data + panel.begin, c.stride});
    });
  });
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
