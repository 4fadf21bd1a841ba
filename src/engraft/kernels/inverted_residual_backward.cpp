#include "engraft/kernels/inverted_residual_backward.h"

#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/inverted_residual_backward.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cassert>

#include "engraft/kernels/channels.h"
#include "engraft/kernels/inverted_residual_rows-inl.h"
#include "engraft/kernels/outer_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

/// to[p,·] = gate(y[p,·])·Σ_k dy[p,k]·w[k,·] for one row at one panel, and sums += Σ_p to[p,·].
template <int kVectors>
struct GatedRow {
  std::int64_t depth;
  const float* dy;
  const float* w;
  const float* y;
  GateBounds gate;
  float* to;
  float* sums;

  template <int kPixels>
  HWY_INLINE void run(std::int64_t first) const {
    Tile<kPixels, kVectors> product;
    for (int p = 0; p < kPixels; ++p) {
      for (int v = 0; v < kVectors; ++v) product[p][v] = zero();
    }
    add_products<kPixels, kVectors>(depth, dy + first * depth, depth, w, product);
    // Out of the struct, which the compiler takes what is stored below to change.
    const GateBounds bounds = gate;
    const float* const from = y + first * kVectors * kLanes;
    float* const place = to + first * kVectors * kLanes;
    float* const totals = sums;
    for (int v = 0; v < kVectors; ++v) {
      Vector sum = load(totals + v * kLanes);
      for (int p = 0; p < kPixels; ++p) {
        const int at = (p * kVectors + v) * kLanes;
        const Vector passed = bounds.pass(load(from + at), product[p][v]);
        store(passed, place + at);
        sum = hn::Add(sum, passed);
      }
      store(sum, totals + v * kLanes);
    }
  }
};

template <int kVectors>
HWY_NOINLINE void gated_row(std::int64_t pixels, const GatedRow<kVectors>& row) {
  for_each_tile<kVectors>(pixels, row);
}

/// Gradients of a panel's depthwise taps and of both biases, gathered over a picture.
template <int kVectors>
struct PanelSums {
  static constexpr int kPanel = kVectors * kLanes;
  HWY_ALIGN float depthwise[kTaps * kPanel] = {};
  HWY_ALIGN float depthwise_bias[kPanel] = {};
  HWY_ALIGN float expand_bias[kPanel] = {};
};

/// A row of e with its gradient, and the rows of dd that it met: dd[u] through tap row u, null
/// where stride 2 lets none meet.
struct DepthwiseGradientRow {
  const float* e;
  float* de;
  const float* dd[3];
};

constexpr int kEven = 0b101, kOdd = 0b010, kEvery = 0b111;  // taps that a row or column meets

/// One vector of channels of the depthwise convolution's way back: its taps, what they get, and
/// what the bias before it gets.
template <int kStep, int kStride>
class DepthwiseGradient {
 public:
  HWY_INLINE DepthwiseGradient(const float* taps, const float* d_taps, Vector bias,
                               const GateBounds& gate)
      : bias_(bias), gate_(gate) {
    for (int t = 0; t < kTaps; ++t) {
      w_[t] = load(taps + t * kStep);
      dw_[t] = load(d_taps + t * kStep);
    }
  }

  /// A pixel of e that meets tap rows kRows and tap columns kColumns of dd (bit v: tap v). dd: what
  /// tap column 0 meets, in each tap row.
  template <int kRows, int kColumns>
  HWY_INLINE void add_pixel(const float* e_at, const float* const (&dd)[3], float* de_at) {
    const Vector e = load(e_at);
    Vector de = zero();
    for (int u = 0; u < 3; ++u) {
      if ((kRows >> u & 1) == 0) continue;
      for (int v = 0; v < 3; ++v) {
        if ((kColumns >> v & 1) == 0) continue;
        const Vector met = load(dd[u] - v / kStride * kStep);
        dw_[u * 3 + v] = hn::MulAdd(e, met, dw_[u * 3 + v]);
        de = hn::MulAdd(w_[u * 3 + v], met, de);
      }
    }
    de = gate_.pass(e, de);
    bias_ = hn::Add(bias_, de);
    store(de, de_at);
  }

  HWY_INLINE void deliver(float* d_taps, float* bias) const {
    for (int t = 0; t < kTaps; ++t) store(dw_[t], d_taps + t * kStep);
    store(bias_, bias);
  }

 private:
  Vector w_[kTaps], dw_[kTaps], bias_;
  GateBounds gate_;
};

/// One row of e at one panel: its de, and what it gives to the taps and the bias. kRows: the tap
/// rows that it meets.
template <int kVectors, int kStride, int kRows>
HWY_NOINLINE void depthwise_gradient_row(const InvertedResidual& block, const float* taps,
                                         const DepthwiseGradientRow& row,
                                         PanelSums<kVectors>& sums) {
  constexpr int kStep = kVectors * kLanes;
  const int width = block.width, left = block.depthwise.pad_left;
  for (int lane = 0; lane < kStep; lane += kLanes) {
    DepthwiseGradient<kStep, kStride> vector(taps + lane, sums.depthwise + lane,
                                             load(sums.expand_bias + lane),
                                             GateBounds(block.expand_activation));
    const float* e = row.e + lane;
    float* de = row.de + lane;
    const float* dd[3] = {row.dd[0] + lane, row.dd[1] + lane, row.dd[2] + lane};
    const auto pixel = [&]<int kColumns>() HWY_ATTR {
      vector.template add_pixel<kRows, kColumns>(e, dd, de);
      e += kStep;
      de += kStep;
    };
    const auto next_column = [&] HWY_ATTR {
      for (const float*& at : dd) at += kStep;
    };
    if constexpr (kStride == 1) {
      for (const float*& at : dd) at += left * kStep;
      for (int q = 0; q < width; ++q, next_column()) pixel.template operator()<kEvery>();
    } else {
      // Columns in pairs: the first stands where a window begins.
      int q = 0;
      if (left == 1) {
        pixel.template operator()<kOdd>();
        next_column();
        q = 1;
      }
      for (; q + 1 < width; q += 2, next_column()) {
        pixel.template operator()<kEven>();
        pixel.template operator()<kOdd>();
      }
      if (q < width) pixel.template operator()<kEven>();
    }
    vector.deliver(sums.depthwise + lane, sums.expand_bias + lane);
  }
}

/// One panel of the packed weights of the backward pass.
struct BackwardPanelWeights {
  const float* project;  ///< [out, panel]
  const float* expand;   ///< [panel, in], by pack_rows()

  HWY_INLINE BackwardPanelWeights(const InvertedResidual& block, const float* packed,
                                  std::int64_t panel)
      : project(packed), expand(project + block.out * panel) {}
  [[nodiscard]] static HWY_INLINE std::int64_t size(const InvertedResidual& block,
                                                    std::int64_t panel) {
    return panel * (block.out + (block.expand.kernel == 1 ? padded(block.in) : 0));
  }
};

/// The backward pass of some pictures at one panel.
template <int kVectors, int kStride, int kKernel>
class PanelBackward {
 public:
  static constexpr std::int64_t kPanel = kVectors * kLanes;
  using Rows = ExpandedRows<kVectors, kStride, kKernel>;

  [[nodiscard]] static HWY_INLINE std::int64_t scratch(const InvertedResidual& block) {
    return Rows::scratch(block) + dd_extent(block).floats() + d_size(block) + de_size(block) +
           d_project_size(block);
  }

  HWY_INLINE PanelBackward(const InvertedResidual& block, const InvertedResidualBackward& run,
                           const PanelWeights& weights, const BackwardPanelWeights& backward,
                           const Panel& panel)
      : block_(block),
        run_(run),
        weights_(weights),
        backward_(backward),
        panel_(panel),
        rows_(block, weights, run.scratch),
        d_(run.scratch + Rows::scratch(block)),
        de_(d_ + d_size(block)),
        d_project_(de_ + de_size(block)),
        dd_(d_project_ + d_project_size(block), block.out_height, dd_extent(block)) {
    std::fill(d_project_, d_project_ + d_project_size(block), 0.0F);
  }

  HWY_INLINE void run() {
    const std::int64_t x_size = std::int64_t{block_.in_height} * block_.in_width * block_.in;
    const std::int64_t dy_size = std::int64_t{block_.out_height} * block_.out_width * block_.out;
    for (int picture = 0; picture < run_.pictures; ++picture) {
      x_ = run_.x + picture * x_size;
      dy_ = run_.dy + picture * dy_size;
      dx_ = run_.dx == nullptr ? nullptr : run_.dx + picture * x_size;
      rows_.start(x_, 0);
      run_picture();
    }
    deliver();
  }

 private:
  HWY_INLINE void run_picture() {
    const int together = rows_together(block_);
    int next = 0;  // row of e
    for (int i = 0; i < block_.out_height; i += together) {
      const int end = std::min(i + together, block_.out_height);
      through_projection(i, end);
      // Below this row nothing of dd is missing.
      const int complete = end == block_.out_height
                               ? block_.height
                               : std::min(block_.height, kStride * end - block_.depthwise.pad_top);
      if (next < complete) through_expansion(next, complete);
      next = std::max(next, complete);
    }
  }

  /// Those made together, and the two above them that rows of e still need.
  [[nodiscard]] static HWY_INLINE RowRing::Extent dd_extent(const InvertedResidual& block) {
    return {rows_together(block) + 2, block.out_width, kPanel};
  }
  [[nodiscard]] static HWY_INLINE std::int64_t d_size(const InvertedResidual& block) {
    return rows_together(block) * block.out_width * kPanel;
  }
  [[nodiscard]] static HWY_INLINE std::int64_t de_size(const InvertedResidual& block) {
    return (rows_together(block) * kStride + 3) * block.width * kPanel;
  }

  /// d_project goes straight to its place where its rows are whole vectors; else it is gathered
  /// transposed, [out, panel], so that no lanes are idle.
  [[nodiscard]] static HWY_INLINE bool is_transposed(const InvertedResidual& block) {
    return block.out % kLanes != 0;
  }
  [[nodiscard]] static HWY_INLINE std::int64_t d_project_size(const InvertedResidual& block) {
    return is_transposed(block) ? block.out * kPanel : 0;
  }

  /// Rows [begin, end) of d, then of dd.
  HWY_INLINE void through_projection(int begin, int end) {
    rows_.depthwise(begin, end, d_);
    const std::int64_t dy_row = std::int64_t{block_.out_width} * block_.out;
    const GateBounds gate(block_.depthwise_activation);
    for (int i = begin; i < end; ++i) {
      gated_row<kVectors>(block_.out_width, {block_.out, dy_ + i * dy_row, backward_.project,
                                             d_ + (i - begin) * block_.out_width * kPanel, gate,
                                             dd_.row(i), sums_.depthwise_bias});
    }
    const Matrix d{d_, kPanel}, dy{dy_ + begin * dy_row, block_.out};
    const std::int64_t pixels = std::int64_t{end - begin} * block_.out_width;
    if (is_transposed(block_)) {
      add_strip<kVectors>(block_.out, pixels, dy, d, {d_project_, kPanel});
    } else {
      add_strips(kPanel, block_.out / kLanes, pixels, d, dy,
                 {run_.gradients.project + panel_.begin * block_.out, block_.out});
    }
  }

  /// Rows [begin, end) of de, then of dx.
  HWY_INLINE void through_expansion(int begin, int end) {
    const std::int64_t de_row = block_.width * kPanel;
    for (int r = begin; r < end; ++r) through_depthwise(r, de_ + (r - begin) * de_row);
    if constexpr (kKernel == 1) {
      const std::int64_t x_row = std::int64_t{block_.width} * block_.in;
      const std::int64_t pixels = std::int64_t{end - begin} * block_.width;
      add_strip<kVectors>(block_.in, pixels, {x_ + begin * x_row, block_.in}, {de_, kPanel},
                          {run_.gradients.expand + panel_.begin, block_.expanded});
      if (dx_ != nullptr) add_to_dx(begin * x_row, pixels);
    } else {
      const std::int64_t depth = std::int64_t{kKernel} * block_.in;
      for (int r = begin; r < end; ++r) {
        for (int u = 0; u < kKernel; ++u) {
          float* const to = run_.gradients.expand + u * depth * block_.expanded + panel_.begin;
          add_strip<kVectors>(depth, block_.width,
                              {rows_.source(r, u), std::int64_t{block_.expand.stride} * block_.in},
                              {de_ + (r - begin) * de_row, kPanel}, {to, block_.expanded});
        }
      }
    }
  }

  /// Row r of de.
  HWY_INLINE void through_depthwise(int r, float* de) {
    DepthwiseGradientRow row{rows_.row(r), de, {}};
    const int below = r + block_.depthwise.pad_top;  // the row of dd at tap row 0, times the stride
    if constexpr (kStride == 1) {
      for (int u = 0; u < 3; ++u) row.dd[u] = dd_.row(below - u);
      depthwise_gradient_row<kVectors, kStride, kEvery>(block_, weights_.depthwise, row, sums_);
    } else if (below % 2 == 0) {
      row.dd[0] = dd_.row(below / 2);
      row.dd[1] = row.dd[2] = dd_.row(below / 2 - 1);
      depthwise_gradient_row<kVectors, kStride, kEven>(block_, weights_.depthwise, row, sums_);
    } else {
      row.dd[0] = row.dd[1] = row.dd[2] = dd_.row(below / 2);
      depthwise_gradient_row<kVectors, kStride, kOdd>(block_, weights_.depthwise, row, sums_);
    }
  }

  HWY_INLINE void add_to_dx(std::int64_t at, std::int64_t pixels) {
    const bool first = panel_.begin == 0;
    add_to_row({.to = dx_ + at,
                .begin_with = first && !run_.adds_dx ? run_.packed_backward : nullptr,
                .and_add = first && block_.residual ? dy_ + at : nullptr,
                .pixels = pixels,
                .channels = block_.in},
               kPanel, de_, backward_.expand);
  }

  void deliver() {
    const InvertedResidualGradients& to = run_.gradients;
    for (std::int64_t c = 0; c < kPanel; ++c) {
      const std::int64_t channel = panel_.begin + c;
      for (int t = 0; t < kTaps; ++t) {
        to.depthwise[t * block_.expanded + channel] += sums_.depthwise[t * kPanel + c];
      }
      to.depthwise_bias[channel] += sums_.depthwise_bias[c];
      to.expand_bias[channel] += sums_.expand_bias[c];
      for (int o = 0; is_transposed(block_) && o < block_.out; ++o) {
        to.project[channel * block_.out + o] += d_project_[o * kPanel + c];
      }
    }
  }

  const InvertedResidual& block_;
  const InvertedResidualBackward& run_;
  const PanelWeights& weights_;
  const BackwardPanelWeights& backward_;
  Panel panel_;
  Rows rows_;
  float* d_;
  float* de_;
  float* d_project_;
  RowRing dd_;
  PanelSums<kVectors> sums_;
  const float* x_ = nullptr;  ///< of the picture at hand
  const float* dy_ = nullptr;
  float* dx_ = nullptr;  ///< or null
};

void run_backward(const InvertedResidual& block, const InvertedResidualBackward& run) {
  channel_sums(std::int64_t{run.pictures} * block.out_height * block.out_width, block.out, run.dy,
               run.gradients.project_bias);
  const float* packed = run.packed + 2 * padded(block.out);
  const float* packed_backward = run.packed_backward + padded(block.in);
  for_each_block_panel(
      block, [&]<int kVectors, int kStride, int kKernel>(const Panel& panel) HWY_ATTR {
        constexpr std::int64_t kPanel = kVectors * kLanes;
        const PanelWeights weights(block, packed, kPanel);
        const BackwardPanelWeights backward(block, packed_backward, kPanel);
        PanelBackward<kVectors, kStride, kKernel>(block, run, weights, backward, panel).run();
        packed += PanelWeights::size(block, kPanel);
        packed_backward += BackwardPanelWeights::size(block, kPanel);
      });
}

std::size_t packed_backward_size(const InvertedResidual& block) {
  return static_cast<std::size_t>(padded(block.in) +
                                  BackwardPanelWeights::size(block, padded(block.expanded)));
}

std::size_t scratch_backward_size(const InvertedResidual& block) {
  std::int64_t most = 0;
  for_each_block_panel(block, [&]<int kVectors, int kStride, int kKernel>(const Panel&) {
    most = std::max(most, PanelBackward<kVectors, kStride, kKernel>::scratch(block));
  });
  return static_cast<std::size_t>(most);
}

/// Zeros for dx to begin with, then the panels.
void pack_block_backward(const InvertedResidual& block, const InvertedResidualWeights& w,
                         float* to) {
  to = pack_vector(nullptr, 0, padded(block.in), to);
  for_each_panel(block.expanded, panel_vectors(block), [&](const Panel& panel) {
    to = pack_panel({w.project, 1, block.out}, 0, block.out, panel, to);
    if (block.expand.kernel > 1) return;  // no way back to x
    to = pack_rows({w.expand, 1, block.expanded}, panel.begin, panel.count, panel.count, block.in,
                   to);
  });
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {

HWY_EXPORT(packed_backward_size);
HWY_EXPORT(scratch_backward_size);
HWY_EXPORT(pack_block_backward);
HWY_EXPORT(run_backward);

std::size_t backward_packed_size(const InvertedResidual& block) {
  return HWY_DYNAMIC_DISPATCH(packed_backward_size)(block);
}

std::size_t backward_scratch_size(const InvertedResidual& block) {
  return HWY_DYNAMIC_DISPATCH(scratch_backward_size)(block);
}

void pack_backward(const InvertedResidual& block, const InvertedResidualWeights& weights,
                   float* packed) {
  HWY_DYNAMIC_DISPATCH(pack_block_backward)(block, weights, packed);
}

void inverted_residual_backward(const InvertedResidual& block,
                                const InvertedResidualBackward& run) {
  assert(is_fusable(block));
  HWY_DYNAMIC_DISPATCH(run_backward)(block, run);
}

}  // namespace engraft
#endif
