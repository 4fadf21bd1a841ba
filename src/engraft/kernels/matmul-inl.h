// Products of rows of pixels with packed weights, in tiles that stay in registers. Included once
// for each instruction set (hwy/foreach_target.h).
#if defined(ENGRAFT_KERNELS_MATMUL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAFT_KERNELS_MATMUL_INL_H_
#undef ENGRAFT_KERNELS_MATMUL_INL_H_
#else
#define ENGRAFT_KERNELS_MATMUL_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "engraft/kernels/panels-inl.h"
#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

/// Sums for kPixels pixels by kVectors vectors of channels.
template <int kPixels, int kVectors>
using Tile = Vector[kPixels][kVectors];

/// sum[p,·] += Σ_k x[p,k]·w[k,·], k ascending. A pixel of x stands `step` floats behind the one
/// before, a row of w kVectors vectors.
template <int kPixels, int kVectors>
HWY_INLINE void add_products(std::int64_t depth, const float* HWY_RESTRICT x, std::int64_t step,
                             const float* HWY_RESTRICT w, Tile<kPixels, kVectors>& sum) {
  for (std::int64_t k = 0; k < depth; ++k, w += kVectors * kLanes) {
    Vector row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = load(w + v * kLanes);
    for (int p = 0; p < kPixels; ++p) {
      const Vector factor = set(x[p * step + k]);
      for (int v = 0; v < kVectors; ++v) sum[p][v] = hn::MulAdd(factor, row[v], sum[p][v]);
    }
  }
}

/// The number of pixels of a tile to take after one of kPixels is too big. A rest of up to eight is
/// one tile: cut in two, neither has sums enough to keep the multipliers busy. Few sizes above
/// that, as each is code of its own.
constexpr int fewer_pixels(int pixels) {
  return pixels > 8 ? 8 : pixels - 1;
}

/// Tiles of kPixels from `first` on as long as they fit, then smaller ones.
template <int kPixels, typename Body>
HWY_INLINE void run_tiles_of(std::int64_t first, std::int64_t pixels, const Body& body) {
  for (; first + kPixels <= pixels; first += kPixels) body.template run<kPixels>(first);
  if constexpr (kPixels > 1) run_tiles_of<fewer_pixels(kPixels)>(first, pixels, body);
}

/// Cuts a row of pixels into tiles: body.template run<kPixels>(first) for each.
template <int kVectors, typename Body>
HWY_INLINE void for_each_tile(std::int64_t pixels, const Body& body) {
  constexpr int kMost = std::min(12, tile_rows(kVectors));
  if constexpr (kMost > 7) {
    // Full tiles of seven beat bigger ones with a sliver at the end; all sides of a 224 × 224
    // picture's values divide by it.
    if (pixels % kMost != 0 && pixels % 7 == 0) return run_tiles_of<7>(0, pixels, body);
  }
  if constexpr (kMost > 4) {
    if (pixels == kMost + 1) return run_tiles_of<kMost / 2 + 1>(0, pixels, body);  // 3 × 3: 5 + 4
  }
  run_tiles_of<kMost>(0, pixels, body);
}

/// to[p,·] += Σ_k x[p,k]·w[k,·] for one panel of `to`'s channels, x being a panel itself.
template <int kVectors, Fill kFill>
struct AddToRow {
  std::int64_t depth;
  const float* x;           ///< [pixels, depth]
  const float* w;           ///< [depth, panel]
  const float* begin_with;  ///< in place of to's values: [panel], the same for every pixel; or null
  const float* and_add;     ///< beside that: as `to` is laid out; or null
  float* to;                ///< [pixels, channels] at the panel's first channel
  std::int64_t channels;
  std::int64_t n;  ///< channels in the last vector

  /// Begins so many pixels further on.
  HWY_INLINE void skip(std::int64_t pixels) {
    x += pixels * depth;
    to += pixels * channels;
    if (and_add != nullptr) and_add += pixels * channels;
  }

  template <int kPixels>
  HWY_INLINE void run(std::int64_t first) const {
    Tile<kPixels, kVectors> sum;
    float* place = to + first * channels;
    begin<kPixels>(first, place, sum);
    add_products<kPixels, kVectors>(depth, x + first * depth, depth, w, sum);
    for (int p = 0; p < kPixels; ++p) {
      for (int v = 0; v < kVectors; ++v) {
        float* at = place + p * channels + v * kLanes;
        v + 1 < kVectors ? store(sum[p][v], at) : store<kFill>(sum[p][v], at, n);
      }
    }
  }

 private:
  template <int kPixels>
  HWY_INLINE void begin(std::int64_t first, const float* place,
                        Tile<kPixels, kVectors>& sum) const {
    if (begin_with == nullptr) {
      read<kPixels>(place, sum);
    } else {
      for (int v = 0; v < kVectors; ++v) {
        const Vector value = load(begin_with + v * kLanes);
        for (int p = 0; p < kPixels; ++p) sum[p][v] = value;
      }
    }
    if (and_add == nullptr) return;
    Tile<kPixels, kVectors> addend;
    read<kPixels>(and_add + first * channels, addend);
    for (int p = 0; p < kPixels; ++p) {
      for (int v = 0; v < kVectors; ++v) sum[p][v] = hn::Add(sum[p][v], addend[p][v]);
    }
  }
  template <int kPixels>
  HWY_INLINE void read(const float* from, Tile<kPixels, kVectors>& into) const {
    for (int p = 0; p < kPixels; ++p) {
      for (int v = 0; v < kVectors; ++v) {
        const float* at = from + p * channels + v * kLanes;
        into[p][v] = v + 1 < kVectors ? load(at) : load<kFill>(at, n);
      }
    }
  }
};

/// A row that panels are added to.
struct RowSums {
  float* to;                ///< [pixels, channels]
  const float* begin_with;  ///< [channels, padded], or null: `to` holds sums already
  const float* and_add;     ///< [pixels, channels], or null
  std::int64_t pixels, channels;
};

template <int kVectors, Fill kFill>
HWY_NOINLINE void add_panel_to_row(std::int64_t pixels, const AddToRow<kVectors, kFill>& panel) {
  for_each_tile<kVectors>(pixels, panel);
}

#if HWY_TARGET != HWY_SCALAR
/// The sums of kPixels pixels, each `channels` floats behind the one before, at a panel that fills
/// its last vector half: two pixels share that one.
template <int kPixels, int kVectors>
class PairedTile {
 public:
  HWY_INLINE void fill(const float* values) {
    const Vector last = load(values + kWhole * kLanes);
    for (Vector& value : shared_) value = hn::ConcatLowerLower(kFloats, last, last);
    for (int v = 0; v < kWhole; ++v) {
      const Vector value = load(values + v * kLanes);
      for (int p = 0; p < kPixels; ++p) whole_[p][v] = value;
    }
  }
  HWY_INLINE void read(const float* from, std::int64_t channels) {
    for (int p = 0; p < kPixels; ++p, from += channels) {
      for (int v = 0; v < kWhole; ++v) whole_[p][v] = load(from + v * kLanes);
      if (p % 2 == 0) {
        const float* const last = from + kWhole * kLanes;
        shared_[p / 2] =
            hn::Combine(kFloats, hn::LoadU(kHalf, last + channels), hn::LoadU(kHalf, last));
      }
    }
  }
  HWY_INLINE void add(const float* from, std::int64_t channels) {
    PairedTile other;
    other.read(from, channels);
    for (int p = 0; p < kPixels; ++p) {
      for (int v = 0; v < kWhole; ++v) whole_[p][v] = hn::Add(whole_[p][v], other.whole_[p][v]);
    }
    for (int j = 0; j < kPairs; ++j) shared_[j] = hn::Add(shared_[j], other.shared_[j]);
  }
  /// A pixel's sums += Σ_k x[p,k]·w[k,·], k ascending. A pixel of x stands `depth` floats behind
  /// the one before.
  HWY_INLINE void add_products(std::int64_t depth, const float* HWY_RESTRICT x,
                               const float* HWY_RESTRICT w) {
    for (std::int64_t k = 0; k < depth; ++k, w += kVectors * kLanes) {
      Vector row[kWhole];
      for (int v = 0; v < kWhole; ++v) row[v] = load(w + v * kLanes);
      Vector last = load(w + kWhole * kLanes);
      last = hn::ConcatLowerLower(kFloats, last, last);
      for (int j = 0; j < kPairs; ++j) {
        const Vector even = set(x[2 * j * depth + k]), odd = set(x[(2 * j + 1) * depth + k]);
        for (int v = 0; v < kWhole; ++v) {
          whole_[2 * j][v] = hn::MulAdd(even, row[v], whole_[2 * j][v]);
          whole_[2 * j + 1][v] = hn::MulAdd(odd, row[v], whole_[2 * j + 1][v]);
        }
        shared_[j] = hn::MulAdd(hn::ConcatUpperLower(kFloats, odd, even), last, shared_[j]);
      }
    }
  }
  HWY_INLINE void write(float* to, std::int64_t channels) const {
    for (int p = 0; p < kPixels; ++p, to += channels) {
      for (int v = 0; v < kWhole; ++v) store(whole_[p][v], to + v * kLanes);
      const Vector last = shared_[p / 2];
      hn::StoreU(p % 2 == 0 ? hn::LowerHalf(kHalf, last) : hn::UpperHalf(kHalf, last), kHalf,
                 to + kWhole * kLanes);
    }
  }

 private:
  static constexpr int kWhole = kVectors - 1, kPairs = kPixels / 2;
  static constexpr hn::Half<Floats> kHalf{};
  static_assert(kWhole > 0 && kPixels % 2 == 0);

  Tile<kPixels, kWhole> whole_;
  Vector shared_[kPairs];
};

/// The first pixels at such a panel, as many as fill whole tiles; returns how many.
template <int kVectors>
HWY_NOINLINE std::int64_t add_pixel_pairs_to_row(std::int64_t pixels,
                                                 const AddToRow<kVectors, Fill::kPart>& panel) {
  // A pair is an odd number of vectors wide. More than eight pixels are slower.
  constexpr int kPixels = std::min(8, 2 * tile_rows(2 * kVectors - 1));
  // A copy, as the compiler takes what is stored below to change the other.
  const AddToRow<kVectors, Fill::kPart> row = panel;
  std::int64_t first = 0;
  // A rest of one pixel is slow: it goes with the tile before it, 3 × 3 pixels as 5 + 4.
  for (; first + kPixels <= pixels && pixels - first != kPixels + 1; first += kPixels) {
    float* const place = row.to + first * row.channels;
    PairedTile<kPixels, kVectors> sums;
    if (row.begin_with == nullptr) {
      sums.read(place, row.channels);
    } else {
      sums.fill(row.begin_with);
    }
    if (row.and_add != nullptr) sums.add(row.and_add + first * row.channels, row.channels);
    sums.add_products(row.depth, row.x + first * row.depth, row.w);
    sums.write(place, row.channels);
  }
  return first;
}
#else
template <int kVectors>
HWY_INLINE std::int64_t add_pixel_pairs_to_row(std::int64_t /*pixels*/,
                                               const AddToRow<kVectors, Fill::kPart>& /*panel*/) {
  return 0;  // one lane has no half
}
#endif

/// row.to[p,·] += Σ_k x[p,k]·w[k,·]; x: [pixels, depth], w packed by pack_rows().
HWY_INLINE void add_to_row(const RowSums& row, std::int64_t depth, const float* x, const float* w) {
  for_each_panel(row.channels, [&](const Panel& panel) HWY_ATTR {
    const auto at = [&](auto* array) { return array == nullptr ? nullptr : array + panel.begin; };
    with_vectors(panel.vectors, [&]<int kVectors>() HWY_ATTR {
      const std::int64_t n = panel.count - (kVectors - 1) * kLanes;
      const auto add = [&]<Fill kFill>() HWY_ATTR {
        AddToRow<kVectors, kFill> left{
            depth, x, w, at(row.begin_with), at(row.and_add), at(row.to), row.channels, n};
        std::int64_t pixels = row.pixels;
        // Panels of less than a vector would gain nothing: their time is that of loading pixels.
        if constexpr (kFill == Fill::kPart && kVectors > 1) {
          if (2 * n == kLanes) {
            const std::int64_t done = add_pixel_pairs_to_row(pixels, left);
            left.skip(done);
            pixels -= done;
          }
        }
        if (pixels > 0) add_panel_to_row(pixels, left);
      };
      n == kLanes ? add.template operator()<Fill::kWhole>()
                  : add.template operator()<Fill::kPart>();
    });
    w += std::int64_t{panel.vectors} * kLanes * depth;
  });
}

/// A matrix of weights as it is stored or, transposed, as it is needed.
struct WeightMatrix {
  const float* data;
  std::int64_t row_step, column_step;

  [[nodiscard]] float at(std::int64_t row, std::int64_t column) const {
    return data[row * row_step + column * column_step];
  }
};

/// Rows [first, first + rows) at a panel's columns, one row behind the other; zeros in idle lanes.
/// Returns the end.
inline float* pack_panel(const WeightMatrix& w, std::int64_t first, std::int64_t rows,
                         const Panel& panel, float* to) {
  const std::int64_t width = panel.vectors * kLanes;
  if (w.column_step == 1) {
    for (std::int64_t r = first; r < first + rows; ++r) {
      const float* const from = w.data + r * w.row_step + panel.begin;
      to = std::fill_n(std::copy_n(from, panel.count, to), width - panel.count, 0.0F);
    }
    return to;
  }
  if (panel.count < width) std::fill(to, to + rows * width, 0.0F);
  // Column by column, as its values are neighbours.
  for (std::int64_t c = 0; c < panel.count; ++c) {
    for (std::int64_t r = 0; r < rows; ++r) to[r * width + c] = w.at(first + r, panel.begin + c);
  }
  return to + rows * width;
}

/// Rows [first, first + rows), zeros up to `depth` rows, for add_to_row(). Returns the end.
inline float* pack_rows(const WeightMatrix& w, std::int64_t first, std::int64_t rows,
                        std::int64_t depth, std::int64_t columns, float* to) {
  for_each_panel(columns, [&](const Panel& panel) {
    to = pack_panel(w, first, rows, panel, to);
    const std::int64_t idle = (depth - rows) * panel.vectors * kLanes;
    std::fill(to, to + idle, 0.0F);
    to += idle;
  });
  return to;
}

/// A vector of parameters with zeros up to `width`. Returns the end.
inline float* pack_vector(const float* from, std::int64_t count, std::int64_t width, float* to) {
  std::fill(std::copy(from, from + count, to), to + width, 0.0F);
  return to + width;
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
