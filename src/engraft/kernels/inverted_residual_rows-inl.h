// Rows of an inverted residual's expanded values at one panel of channels, for
// inverted_residual.cpp and its backward pass. Included once for each instruction set
// (hwy/foreach_target.h).
#if defined(ENGRAFT_KERNELS_INVERTED_RESIDUAL_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAFT_KERNELS_INVERTED_RESIDUAL_ROWS_INL_H_
#undef ENGRAFT_KERNELS_INVERTED_RESIDUAL_ROWS_INL_H_
#else
#define ENGRAFT_KERNELS_INVERTED_RESIDUAL_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "engraft/kernels/inverted_residual.h"
#include "engraft/kernels/matmul-inl.h"
#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

/// Pixels of zeros before and behind a row: what a 3×3 window reaches outside of it.
constexpr int kMargin = 2;
constexpr int kTaps = 9;

/// A row of e at one panel: to[p,·] = act(bias + Σ_u,k x[u][p·step + k]·w[u,k,·]), kKernel rows of
/// x with `depth` neighbouring values each.
template <int kVectors, int kKernel>
struct ExpandRow {
  const float* x[kKernel];
  std::int64_t depth, step;
  const float* w;
  const float* bias;
  Clamp clamp;
  float* to;

  template <int kPixels>
  HWY_INLINE void run(std::int64_t first) const {
    Tile<kPixels, kVectors> sum;
    for (int v = 0; v < kVectors; ++v) {
      const Vector value = load(bias + v * kLanes);
      for (int p = 0; p < kPixels; ++p) sum[p][v] = value;
    }
    for (int u = 0; u < kKernel; ++u) {
      add_products<kPixels, kVectors>(depth, x[u] + first * step, step,
                                      w + u * depth * (kVectors * kLanes), sum);
    }
    float* place = to + first * (kVectors * kLanes);
    for (int p = 0; p < kPixels; ++p) {
      for (int v = 0; v < kVectors; ++v) {
        store(clamp(sum[p][v]), place + (p * kVectors + v) * kLanes);
      }
    }
  }
};

/// kOut neighbours of a row of d at one vector of channels. rows: of e, where the first window
/// begins.
template <int kVectors, int kStride, int kOut>
HWY_INLINE void depthwise_pixels(const float* const (&rows)[3], const Vector (&w)[kTaps],
                                 Vector bias, const Clamp& clamp, float* to) {
  constexpr int kStep = kVectors * kLanes;
  Vector sum[kOut];
  for (int j = 0; j < kOut; ++j) sum[j] = bias;
  for (int u = 0; u < 3; ++u) {
    for (int q = 0; q < (kOut - 1) * kStride + 3; ++q) {
      const Vector e = load(rows[u] + q * kStep);
      for (int v = 0; v < 3; ++v) {
        if (q < v || (q - v) % kStride != 0 || (q - v) / kStride >= kOut) continue;
        const int j = (q - v) / kStride;
        sum[j] = hn::MulAdd(e, w[u * 3 + v], sum[j]);
      }
    }
  }
  for (int j = 0; j < kOut; ++j) store(clamp(sum[j]), to + j * kStep);
}

/// A row of d at one panel. taps: [9, panel]; rows: of e, at the first window's first column.
template <int kVectors, int kStride>
HWY_NOINLINE void depthwise_row(const float* const (&rows)[3], const float* taps, const float* bias,
                                Gate activation, int width, float* to) {
  constexpr int kStep = kVectors * kLanes;
  constexpr int kOut = 4;
  const Clamp clamp(activation);
  for (int v = 0; v < kVectors; ++v) {
    Vector w[kTaps];
    for (int t = 0; t < kTaps; ++t) w[t] = load(taps + t * kStep + v * kLanes);
    const Vector b = load(bias + v * kLanes);
    const float* at[3] = {rows[0] + v * kLanes, rows[1] + v * kLanes, rows[2] + v * kLanes};
    float* place = to + v * kLanes;
    int j = 0;
    for (; j + kOut <= width; j += kOut, place += kOut * kStep) {
      depthwise_pixels<kVectors, kStride, kOut>(at, w, b, clamp, place);
      for (const float*& row : at) row += kOut * kStride * kStep;
    }
    for (; j < width; ++j, place += kStep) {
      depthwise_pixels<kVectors, kStride, 1>(at, w, b, clamp, place);
      for (const float*& row : at) row += kStride * kStep;
    }
  }
}

/// The last rows of a tall array of rows of pixels, kMargin zeros on both sides of each; rows
/// outside the array are zeros, too.
class RowRing {
 public:
  /// slots: rows that exist at a time. channels: of a pixel.
  struct Extent {
    int slots;
    std::int64_t width, channels;

    [[nodiscard]] HWY_INLINE std::int64_t row() const { return (width + 2 * kMargin) * channels; }
    [[nodiscard]] HWY_INLINE std::int64_t floats() const {
      return (slots + 1) * (row() + kLanes - 1) / kLanes * kLanes;
    }
  };

  RowRing() = default;
  HWY_INLINE RowRing(float* memory, int height, const Extent& extent)
      : memory_(memory),
        height_(height),
        slots_(extent.slots),
        margin_(kMargin * extent.channels),
        step_(extent.row()) {
    std::fill(memory, memory + extent.floats(), 0.0F);
  }
  /// Pixel 0 of a row.
  [[nodiscard]] HWY_INLINE float* row(int r) const {
    const int place = r < 0 || r >= height_ ? slots_ : r % slots_;
    return memory_ + place * step_ + margin_;
  }

 private:
  float* memory_ = nullptr;
  int height_ = 0, slots_ = 1;
  std::int64_t margin_ = 0, step_ = 0;
};

/// Values of x that a value of e is made of.
HWY_INLINE std::int64_t expand_depth(const InvertedResidual& block) {
  return std::int64_t{block.expand.kernel} * block.expand.kernel * block.in;
}

/// One panel of a block's packed weights, in the order in which they stand.
struct PanelWeights {
  const float* expand_bias;     ///< [panel]
  const float* expand;          ///< [kernel, kernel, in, panel]
  const float* depthwise_bias;  ///< [panel]
  const float* depthwise;       ///< [9, panel]
  const float* project;         ///< [panel, out], by pack_rows()

  HWY_INLINE PanelWeights(const InvertedResidual& block, const float* packed, std::int64_t panel)
      : expand_bias(packed),
        expand(expand_bias + panel),
        depthwise_bias(expand + expand_depth(block) * panel),
        depthwise(depthwise_bias + panel),
        project(depthwise + kTaps * panel) {}

  [[nodiscard]] static HWY_INLINE std::int64_t size(const InvertedResidual& block,
                                                    std::int64_t panel) {
    return panel * (1 + expand_depth(block) + 1 + kTaps + padded(block.out));
  }
};

/// Rows of d that are computed together: at small pictures several, so that weights that came to
/// the nearest cache serve more than a few pixels. Seven rows of 14 halve a picture.
HWY_INLINE int rows_together(const InvertedResidual& block) {
  constexpr int kPixels = 98;
  return std::clamp(kPixels / block.out_width, 1, block.out_height);
}

/// Rows of x where a 3×3 window finds zeros around them; of a 1×1 window x itself.
template <int kKernel>
class SourceRows {
 public:
  [[nodiscard]] static HWY_INLINE std::int64_t scratch(const InvertedResidual& block) {
    return kKernel == 1 ? 0 : extent(block).floats();
  }
  HWY_INLINE SourceRows(const InvertedResidual& block, float* memory) : block_(block) {
    if constexpr (kKernel > 1) ring_ = RowRing(memory, block.in_height, extent(block));
  }
  /// Another picture; the first row asked for reads from row r of e on.
  HWY_INLINE void start(const float* x, int r) {
    x_ = x;
    next_ = std::max(0, r * block_.expand.stride - block_.expand.pad_top);
  }
  /// Where the windows of row r of e begin, tap row u. Rows are asked for in turn; of those before
  /// the last one asked for, some are still there.
  HWY_INLINE const float* row(int r, int u) {
    const std::int64_t size = std::int64_t{block_.in_width} * block_.in;
    if constexpr (kKernel == 1) return x_ + r * size;
    const int wanted = r * block_.expand.stride - block_.expand.pad_top + u;
    for (; next_ <= std::min(wanted, block_.in_height - 1); ++next_) {
      std::copy(x_ + next_ * size, x_ + (next_ + 1) * size, ring_.row(next_));
    }
    return ring_.row(wanted) - std::int64_t{block_.expand.pad_left} * block_.in;
  }

 private:
  [[nodiscard]] static HWY_INLINE RowRing::Extent extent(const InvertedResidual& block) {
    const int rows = rows_together(block) + 2;  // of e, that may be asked for again
    return {rows * block.expand.stride + 3, block.in_width, block.in};
  }

  const InvertedResidual& block_;
  const float* x_ = nullptr;
  RowRing ring_{};
  int next_ = 0;
};

/// Rows of e and d of one picture after the other at one panel, computed on demand.
template <int kVectors, int kStride, int kKernel>
class ExpandedRows {
 public:
  static constexpr std::int64_t kPanel = kVectors * kLanes;

  HWY_INLINE ExpandedRows(const InvertedResidual& block, const PanelWeights& weights, float* memory)
      : block_(block),
        weights_(weights),
        source_(block, memory),
        ring_(memory + SourceRows<kKernel>::scratch(block), block.height, extent(block)) {}

  /// Another picture, from row first_row of d on. The zeros around its rows are there already.
  HWY_INLINE void start(const float* x, int first_row) {
    next_ = std::max(0, first_row * kStride - block_.depthwise.pad_top);
    source_.start(x, next_);
  }

  [[nodiscard]] static HWY_INLINE std::int64_t scratch(const InvertedResidual& block) {
    return SourceRows<kKernel>::scratch(block) + extent(block).floats();
  }

  /// Rows [begin, end) of d, at most rows_together(); `to`: [end − begin, out_width, panel]. Rows
  /// of e are there up to the last that they read.
  HWY_INLINE void depthwise(int begin, int end, float* to) {
    const int top = begin * kStride - block_.depthwise.pad_top;
    expand_up_to(std::min(block_.height, top + (end - begin - 1) * kStride + 3));
    const std::int64_t left = block_.depthwise.pad_left * kPanel;
    for (int i = begin; i < end; ++i, to += block_.out_width * kPanel) {
      const int first = i * kStride - block_.depthwise.pad_top;
      const float* const rows[3] = {ring_.row(first) - left, ring_.row(first + 1) - left,
                                    ring_.row(first + 2) - left};
      depthwise_row<kVectors, kStride>(rows, weights_.depthwise, weights_.depthwise_bias,
                                       block_.depthwise_activation, block_.out_width, to);
    }
  }
  /// A row of e that is still there, and the row of x that its tap row u begins with.
  [[nodiscard]] HWY_INLINE const float* row(int r) const { return ring_.row(r); }
  [[nodiscard]] HWY_INLINE const float* source(int r, int u) { return source_.row(r, u); }

 private:
  /// Rows of e that rows_together() rows of d read: with more, a wide picture's rows would
  /// leave the nearest cache before they are read again.
  [[nodiscard]] static HWY_INLINE RowRing::Extent extent(const InvertedResidual& block) {
    return {(rows_together(block) - 1) * kStride + 3, block.width, kPanel};
  }

  HWY_NOINLINE void expand_up_to(int end) {
    const std::int64_t depth = std::int64_t{kKernel} * block_.in;
    for (; next_ < end; ++next_) {
      ExpandRow<kVectors, kKernel> row{{},
                                       depth,
                                       std::int64_t{block_.expand.stride} * block_.in,
                                       weights_.expand,
                                       weights_.expand_bias,
                                       Clamp(block_.expand_activation),
                                       ring_.row(next_)};
      for (int u = 0; u < kKernel; ++u) row.x[u] = source_.row(next_, u);
      for_each_tile<kVectors>(block_.width, row);
    }
  }

  const InvertedResidual& block_;
  PanelWeights weights_;
  SourceRows<kKernel> source_;
  RowRing ring_;
  int next_ = 0;  ///< row of e
};

/// The widest panel, in vectors. Of a wide picture the rows that a window needs do not fit into the
/// nearest cache otherwise.
HWY_INLINE std::int64_t panel_vectors(const InvertedResidual& block) {
  return std::min(block.height, block.width) > kNarrowSide ? kMostVectors - 1 : kMostVectors;
}

/// body.template operator()<kVectors, kStride, kKernel>(panel) for every panel of a block, with the
/// stride of its depthwise convolution and the kernel of its expansion.
template <typename Body>
HWY_INLINE void for_each_block_panel(const InvertedResidual& block, const Body& body) {
  for_each_panel(block.expanded, panel_vectors(block), [&](const Panel& panel) HWY_ATTR {
    with_vectors(panel.vectors, [&]<int kVectors>() HWY_ATTR {
      if (block.expand.kernel == 3) return body.template operator()<kVectors, 1, 3>(panel);
      if (block.depthwise.stride == 1) return body.template operator()<kVectors, 1, 1>(panel);
      body.template operator()<kVectors, 2, 1>(panel);
    });
  });
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
