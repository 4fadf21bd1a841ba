#include "engraft/kernels/quantized_block.h"

#define HWY_WANT_AVX3_DL  // 8-bit products are its own
#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/quantized_block.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cassert>
#include <type_traits>

#include "engraft/kernels/quantized_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

/// Columns of zeros before and behind a row of e: what a 3×3 window reaches outside of it.
constexpr std::int64_t kBorder = 2;
constexpr std::int64_t kTaps = 9;
/// Bytes of d that are computed before they are multiplied.
constexpr std::int64_t kBytesTogether = 64 * 1024;

std::int64_t line(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// Where things stand in the scratch memory.
struct Scratch {
  int rows;                  ///< of y that are computed together
  std::int64_t x_row;        ///< bytes
  std::int64_t columns_row;  ///< ints of a vector of channels: a row of e with its borders
  std::int64_t columns, d, size;

  explicit Scratch(const InvertedResidual& block) {
    const std::int64_t d_row = std::int64_t{block.out_width} * block.expanded;
    rows = static_cast<int>(std::clamp<std::int64_t>(kBytesTogether / d_row, 1, block.out_height));
    x_row = std::int64_t{block.in_width} * block.in;
    columns_row = (block.width + 2 * kBorder) * kLanes;
    const int x_rows = (rows - 1) * block.depthwise.stride + 3;
    columns = line(x_rows * x_row);
    d = columns + line(vectors_of(block.expanded) * columns_row * kQuad);
    size = d + line(rows * d_row);
  }
};

/// The packed weights of one panel of e. Those of all stand behind the head, and the projection's
/// behind them.
template <bool kConst>
struct PanelWeights {
  template <typename T>
  using Pointer = std::conditional_t<kConst, const T*, T*>;

  Pointer<std::int32_t> expand_begin;  ///< [panel]
  Pointer<float> expand_factor;        ///< [panel]
  Pointer<std::int8_t> expand;         ///< [in / 4, panel, 4]
  Pointer<std::int32_t> depthwise_begin;
  Pointer<float> depthwise_factor;
  Pointer<std::int8_t> depthwise;  ///< [3 columns, panel, 4]

  PanelWeights(const InvertedResidual& block, Pointer<std::byte> packed, std::int64_t panel)
      : expand_begin(reinterpret_cast<Pointer<std::int32_t>>(packed)),
        expand_factor(reinterpret_cast<Pointer<float>>(expand_begin + panel)),
        expand(reinterpret_cast<Pointer<std::int8_t>>(expand_factor + panel)),
        depthwise_begin(reinterpret_cast<Pointer<std::int32_t>>(expand + block.in * panel)),
        depthwise_factor(reinterpret_cast<Pointer<float>>(depthwise_begin + panel)),
        depthwise(reinterpret_cast<Pointer<std::int8_t>>(depthwise_factor + panel)) {}

  [[nodiscard]] static std::int64_t size(const InvertedResidual& block, std::int64_t channels) {
    return channels * (16 + block.in + 3 * kQuad);
  }
};

/// A row of e at one panel, pushed onto its columns.
template <int kVectors>
struct PushRow {
  const std::uint8_t* x;  ///< [width, in]
  std::int64_t in;
  const PanelWeights<true>& weights;
  std::int32_t* columns;  ///< [width, panel]

  template <int kPixels>
  HWY_INLINE void run(std::int64_t first) const {
    IntTile<kPixels, kVectors> sum;
    begin_tile<kPixels, kVectors>(weights.expand_begin, sum);
    add_quads<kPixels, kVectors>(in / kQuad, x + first * in, in, weights.expand, sum);
    std::int32_t* place = columns + first * (kVectors * kLanes);
    ENGRAFT_UNROLL for (int v = 0; v < kVectors; ++v) {
      const Vector factor = load(weights.expand_factor + v * kLanes);
      ENGRAFT_UNROLL for (int p = 0; p < kPixels; ++p) {
        std::int32_t* at = place + (p * kVectors + v) * kLanes;
        hn::StoreU(push_byte(load_ints(at), to_byte(sum[p][v], factor)), kInts, at);
      }
    }
  }
};

/// A row of zeros, as there are below the picture.
void push_zeros(std::int64_t ints, std::int32_t* columns) {
  for (std::int64_t i = 0; i < ints; i += kLanes) {
    hn::StoreU(push_byte(load_ints(columns + i), hn::Zero(kInts)), kInts, columns + i);
  }
}

/// kOut neighbours of a row of d at one vector of channels.
template <int kVectors, int kStride, int kOut>
HWY_INLINE void depthwise_pixels(const std::int32_t* columns, const IntVector (&w)[3],
                                 IntVector begin, Vector factor, std::int64_t d_step,
                                 std::uint8_t* to) {
  constexpr int kStep = kVectors * kLanes;
  IntVector sum[kOut];
  ENGRAFT_UNROLL for (int j = 0; j < kOut; ++j) sum[j] = begin;
  ENGRAFT_UNROLL for (int q = 0; q < (kOut - 1) * kStride + 3; ++q) {
    const IntVector e = load_ints(columns + q * kStep);
    ENGRAFT_UNROLL for (int v = 0; v < 3; ++v) {
      if (q < v || (q - v) % kStride != 0 || (q - v) / kStride >= kOut) continue;
      const int j = (q - v) / kStride;
      sum[j] = add_quads(sum[j], e, w[v]);
    }
  }
  ENGRAFT_UNROLL for (int j = 0; j < kOut; ++j) {
    store_bytes(to_byte(sum[j], factor), to + j * d_step);
  }
}

/// A row of d at one panel. columns: at the first window's first column; to: [width, d_step].
template <int kVectors, int kStride>
HWY_NOINLINE void depthwise_row(const PanelWeights<true>& weights, const std::int32_t* columns,
                                int width, std::int64_t d_step, std::uint8_t* to) {
  constexpr int kStep = kVectors * kLanes;
  constexpr int kOut = 4;
  for (int v = 0; v < kVectors; ++v) {
    IntVector w[3];
    for (int t = 0; t < 3; ++t) {
      w[t] = load_quads(weights.depthwise + (t * kVectors + v) * (kLanes * kQuad));
    }
    const IntVector begin = load_ints(weights.depthwise_begin + v * kLanes);
    const Vector factor = load(weights.depthwise_factor + v * kLanes);
    const std::int32_t* at = columns + v * kLanes;
    std::uint8_t* place = to + v * kLanes;
    int j = 0;
    for (; j + kOut <= width; j += kOut, place += kOut * d_step, at += kOut * kStride * kStep) {
      depthwise_pixels<kVectors, kStride, kOut>(at, w, begin, factor, d_step, place);
    }
    for (; j < width; ++j, place += d_step, at += kStride * kStep) {
      depthwise_pixels<kVectors, kStride, 1>(at, w, begin, factor, d_step, place);
    }
  }
}

/// One picture of a call.
class PictureRun {
 public:
  PictureRun(const InvertedResidual& block, const QuantizedBlockRun& run, int picture)
      : block_(block),
        run_(run),
        scratch_(block),
        x_(run.x + std::int64_t{picture} * block.in_height * block.in_width * block.in),
        y_(run.y + std::int64_t{picture} * block.out_height * block.out_width * block.out),
        x_bytes_(reinterpret_cast<std::uint8_t*>(run.scratch)),
        columns_(reinterpret_cast<std::int32_t*>(run.scratch + scratch_.columns)),
        d_(reinterpret_cast<std::uint8_t*>(run.scratch + scratch_.d)),
        next_(std::max(0, first_of(run.first_row))) {}

  void run() {
    std::fill_n(columns_, vectors_of(block_.expanded) * scratch_.columns_row, 0);
    for (int i = run_.first_row; i < run_.last_row; i += scratch_.rows) {
      compute_rows(i, std::min(i + scratch_.rows, run_.last_row));
    }
  }

 private:
  /// The row of e that the windows of a row of d begin with.
  [[nodiscard]] int first_of(int row) const {
    return row * block_.depthwise.stride - block_.depthwise.pad_top;
  }

  void compute_rows(int begin, int end) {
    const int rows = std::min(first_of(end - 1) + 3, block_.height) - next_;
    quantize(x_ + next_ * scratch_.x_row, rows * scratch_.x_row, read_head(run_.packed), x_bytes_);
    const std::byte* packed = run_.packed + kHead;
    std::int32_t* columns = columns_;
    std::uint8_t* d = d_;
    for_each_panel(block_.expanded, [&](const Panel& panel) HWY_ATTR {
      with_vectors(panel.vectors, [&]<int kVectors>() HWY_ATTR {
        const PanelWeights<true> weights(block_, packed, kVectors * kLanes);
        if (block_.depthwise.stride == 1) {
          compute_panel<kVectors, 1>(weights, begin, end, columns, d);
        } else {
          compute_panel<kVectors, 2>(weights, begin, end, columns, d);
        }
      });
      packed += PanelWeights<true>::size(block_, panel.vectors * kLanes);
      columns += panel.vectors * scratch_.columns_row;
      d += panel.vectors * kLanes;
    });
    next_ = std::max(next_, first_of(end - 1) + 3);
    project(packed, begin, end);
  }

  template <int kVectors, int kStride>
  HWY_NOINLINE void compute_panel(const PanelWeights<true>& weights, int begin, int end,
                                  std::int32_t* columns, std::uint8_t* d) {
    constexpr std::int64_t kPanel = kVectors * kLanes;
    std::int32_t* const first = columns + kBorder * kPanel;
    int next = next_;
    for (int i = begin; i < end; ++i, d += std::int64_t{block_.out_width} * block_.expanded) {
      for (const int last = first_of(i) + 3; next < last; ++next) {
        if (next >= block_.height) {
          push_zeros(block_.width * kPanel, first);
          continue;
        }
        const std::uint8_t* x = x_bytes_ + (next - next_) * scratch_.x_row;
        for_each_tile<kVectors>(block_.width, PushRow<kVectors>{x, block_.in, weights, first});
      }
      depthwise_row<kVectors, kStride>(weights, first - block_.depthwise.pad_left * kPanel,
                                       block_.out_width, block_.expanded, d);
    }
  }

  void project(const std::byte* packed, int begin, int end) {
    const std::int64_t row = std::int64_t{block_.out_width} * block_.out;
    multiply<Cut::kEqual>({.depth = block_.expanded,
                           .channels = block_.out,
                           .pixels = std::int64_t{end - begin} * block_.out_width,
                           .x = d_,
                           .packed = packed,
                           .addend = block_.residual ? x_ + begin * row : nullptr,
                           .y = y_ + begin * row,
                           .clamp = Clamp(Gate::kOpen)},
                          0, block_.out);
  }

  const InvertedResidual& block_;
  const QuantizedBlockRun& run_;
  Scratch scratch_;
  const float* x_;
  float* y_;
  std::uint8_t* x_bytes_;
  std::int32_t* columns_;
  std::uint8_t* d_;
  int next_;  ///< row of e that is to be pushed, and of x that x_bytes_ begins with
};

void run_quantized(const InvertedResidual& block, const QuantizedBlockRun& run) {
  for (int picture = 0; picture < run.pictures; ++picture) PictureRun(block, run, picture).run();
}

std::size_t block_bytes(const InvertedResidual& block) {
  return static_cast<std::size_t>(kHead + PanelWeights<true>::size(block, padded(block.expanded)) +
                                  product_bytes(block.expanded, block.out));
}

std::size_t block_scratch(const InvertedResidual& block) {
  return static_cast<std::size_t>(Scratch(block).size);
}

/// Packs the panels of e and what is made of them.
class BlockPacker {
 public:
  BlockPacker(const InvertedResidual& block, const InvertedResidualWeights& weights,
              const BlockRanges& ranges)
      : block_(block),
        w_(weights),
        x_(ranges.x_low, ranges.x_high),
        e_(0, ranges.expanded_high),
        d_(0, ranges.depthwise_high),
        column_(static_cast<std::size_t>(block.in)) {}

  void pack(std::byte* to) {
    std::fill_n(to, block_bytes(block_), std::byte{0});
    to = write_head(x_, to);
    for_each_panel(block_.expanded, [&](const Panel& panel) {
      const std::int64_t width = panel.vectors * kLanes;
      const PanelWeights<false> into(block_, to, width);
      for (std::int64_t c = 0; c < panel.count; ++c) {
        pack_expansion(panel.begin + c, into, width, c);
        pack_depthwise(panel.begin + c, into, width, c);
      }
      to += PanelWeights<true>::size(block_, width);
    });
    pack_product<Cut::kEqual>({.depth = block_.expanded,
                               .channels = block_.out,
                               .w = w_.project,
                               .bias = w_.project_bias,
                               .x = d_},
                              to);
  }

 private:
  void pack_expansion(std::int64_t channel, const PanelWeights<false>& into, std::int64_t width,
                      std::int64_t c) {
    for (std::int64_t k = 0; k < block_.in; ++k) {
      column_[static_cast<std::size_t>(k)] = w_.expand[k * block_.expanded + channel] * x_.scale;
    }
    const QuantizedChannel quantized(column_, w_.expand_bias[channel]);
    for (std::int64_t k = 0; k < block_.in; ++k) {
      into.expand[(k / kQuad * width + c) * kQuad + k % kQuad] =
          quantized.weight(static_cast<std::size_t>(k));
    }
    into.expand_begin[c] = quantized.whole_begin(x_.zero_point);
    into.expand_factor[c] = quantized.factor(e_.scale);
  }

  void pack_depthwise(std::int64_t channel, const PanelWeights<false>& into, std::int64_t width,
                      std::int64_t c) {
    float taps[kTaps];
    for (std::int64_t t = 0; t < kTaps; ++t) {
      taps[t] = w_.depthwise[t * block_.expanded + channel] * e_.scale;
    }
    const QuantizedChannel quantized(taps, w_.depthwise_bias[channel]);
    for (std::int64_t t = 0; t < kTaps; ++t) {
      // The oldest byte of a column has no tap.
      into.depthwise[(t % 3 * width + c) * kQuad + 1 + t / 3] =
          quantized.weight(static_cast<std::size_t>(t));
    }
    into.depthwise_begin[c] = quantized.whole_begin(0);
    into.depthwise_factor[c] = quantized.factor(d_.scale);
  }

  const InvertedResidual& block_;
  const InvertedResidualWeights& w_;
  ByteRange x_, e_, d_;
  std::vector<float> column_;
};

void pack_quantized(const InvertedResidual& block, const InvertedResidualWeights& weights,
                    const BlockRanges& ranges, std::byte* to) {
  BlockPacker(block, weights, ranges).pack(to);
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {

HWY_EXPORT(block_bytes);
HWY_EXPORT(block_scratch);
HWY_EXPORT(pack_quantized);
HWY_EXPORT(run_quantized);

bool is_quantizable(const InvertedResidual& block) {
  return is_fusable(block) && block.expand.kernel == 1 && block.in % 4 == 0 &&
         block.expand_activation != Gate::kOpen && block.depthwise_activation != Gate::kOpen;
}

std::size_t quantized_packed_size(const InvertedResidual& block) {
  return HWY_DYNAMIC_DISPATCH(block_bytes)(block);
}

std::size_t quantized_scratch_size(const InvertedResidual& block) {
  return HWY_DYNAMIC_DISPATCH(block_scratch)(block);
}

void pack(const InvertedResidual& block, const InvertedResidualWeights& weights,
          const BlockRanges& ranges, std::byte* packed) {
  HWY_DYNAMIC_DISPATCH(pack_quantized)(block, weights, ranges, packed);
}

void quantized_block(const InvertedResidual& block, const QuantizedBlockRun& run) {
  assert(is_quantizable(block));
  HWY_DYNAMIC_DISPATCH(run_quantized)(block, run);
}

}  // namespace engraft
#endif
