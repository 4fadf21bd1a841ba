#include "engraft/kernels/channels.h"

#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/channels.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <cassert>
#include <limits>

#include "engraft/kernels/channel_blocks-inl.h"
#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

/// to[c] += row[c] · factor[c] in double; factor null: 1
template <Fill kFill, int kVectors>
void add_row_to_doubles(const VectorRow<kVectors>& row, std::int64_t n, const float* factor,
                        double* to) {
  constexpr std::int64_t kWidth = kVectors * kLanes;
  HWY_ALIGN float lanes[kWidth];
  for (int v = 0; v < kVectors; ++v) hn::Store(row[v], kFloats, lanes + v * kLanes);
  const std::int64_t count = kFill == Fill::kWhole ? kWidth : n;
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] += static_cast<double>(lanes[i]) * (factor == nullptr ? 1.0 : factor[i]);
  }
}

struct AddSums {
  const float* x;
  float* sums;

  template <Fill kFill, int kVectors>
  HWY_INLINE void add(const ChannelBlock& block) const {
    VectorRow<kVectors> sum, value;
    clear_row<kVectors>(sum);
    for (std::int64_t at = block.begin; at < block.end; at += block.step) {
      load_row<kFill, kVectors>(x + at, block.n, value);
      for (int v = 0; v < kVectors; ++v) sum[v] = hn::Add(sum[v], value[v]);
    }
    add_row_to<kFill, kVectors>(sum, block.n, sums + block.first_channel);
  }
};

struct AddMoments {
  const float* x;
  const float* pivot;
  double* sum;
  double* sum_of_squares;

  template <Fill kFill, int kVectors>
  HWY_INLINE void add(const ChannelBlock& block) const {
    const std::int64_t c = block.first_channel;
    VectorRow<kVectors> sums, squares, pivots, value;
    clear_row<kVectors>(sums);
    clear_row<kVectors>(squares);
    load_row<kFill, kVectors>(pivot + c, block.n, pivots);
    for (std::int64_t at = block.begin; at < block.end; at += block.step) {
      load_row<kFill, kVectors>(x + at, block.n, value);
      for (int v = 0; v < kVectors; ++v) {
        const Vector difference = hn::Sub(value[v], pivots[v]);
        sums[v] = hn::Add(sums[v], difference);
        squares[v] = hn::MulAdd(difference, difference, squares[v]);
      }
    }
    add_row_to_doubles<kFill, kVectors>(sums, block.n, nullptr, sum + c);
    add_row_to_doubles<kFill, kVectors>(squares, block.n, nullptr, sum_of_squares + c);
  }
};

struct ScaleShiftGate {
  const float* x;
  const float* scale;
  const float* shift;
  float low, high;  // of the activation
  float* y;

  template <Fill kFill, int kVectors>
  HWY_INLINE void add(const ChannelBlock& block) const {
    VectorRow<kVectors> scales, shifts, value;
    load_row<kFill, kVectors>(scale + block.first_channel, block.n, scales);
    load_row<kFill, kVectors>(shift + block.first_channel, block.n, shifts);
    const Vector least = set(low), most = set(high);
    for (std::int64_t at = block.begin; at < block.end; at += block.step) {
      load_row<kFill, kVectors>(x + at, block.n, value);
      for (int v = 0; v < kVectors; ++v) {
        const Vector result = hn::MulAdd(scales[v], value[v], shifts[v]);
        // Compared, not by Min and Max: a NaN has to come out again.
        const Vector raised = hn::IfThenElse(hn::Lt(result, least), least, result);
        store<kFill>(hn::IfThenElse(hn::Gt(raised, most), most, raised), y + at + v * kLanes,
                     block.n);
      }
    }
  }
};

struct AddBatchNormSums {
  const float* x;
  const float* dy;
  BatchNormStatistics statistics;
  Gate gate;
  double* sum_dy;
  double* sum_dy_xhat;

  template <Fill kFill, int kVectors>
  HWY_INLINE void add(const ChannelBlock& block) const {
    const std::int64_t c = block.first_channel;
    const GateBounds bounds(gate);
    VectorRow<kVectors> scale, shift, mean, value, gradient, sum, product;
    load_row<kFill, kVectors>(statistics.scale + c, block.n, scale);
    load_row<kFill, kVectors>(statistics.shift + c, block.n, shift);
    load_row<kFill, kVectors>(statistics.mean + c, block.n, mean);
    clear_row<kVectors>(sum);
    clear_row<kVectors>(product);
    for (std::int64_t at = block.begin; at < block.end; at += block.step) {
      load_row<kFill, kVectors>(x + at, block.n, value);
      load_row<kFill, kVectors>(dy + at, block.n, gradient);
      for (int v = 0; v < kVectors; ++v) {
        const Vector y = hn::MulAdd(scale[v], value[v], shift[v]);
        const Vector g = bounds.pass(y, gradient[v]);
        sum[v] = hn::Add(sum[v], g);
        product[v] = hn::MulAdd(g, hn::Sub(value[v], mean[v]), product[v]);
      }
    }
    add_row_to_doubles<kFill, kVectors>(sum, block.n, nullptr, sum_dy + c);
    add_row_to_doubles<kFill, kVectors>(product, block.n, statistics.inverse_deviation + c,
                                        sum_dy_xhat + c);
  }
};

struct BatchNormBackward {
  const float* x;
  const float* dy;
  BatchNormStatistics statistics;
  const float* mean_dy;
  const float* mean_dy_xhat;
  Gate gate;
  float* dx;

  template <Fill kFill, int kVectors>
  HWY_INLINE void add(const ChannelBlock& block) const {
    const std::int64_t c = block.first_channel;
    const GateBounds bounds(gate);
    VectorRow<kVectors> scale, shift, mean, value, gradient, offset, slope, deviation;
    load_row<kFill, kVectors>(statistics.scale + c, block.n, scale);
    load_row<kFill, kVectors>(statistics.shift + c, block.n, shift);
    load_row<kFill, kVectors>(statistics.mean + c, block.n, mean);
    load_row<kFill, kVectors>(statistics.inverse_deviation + c, block.n, deviation);
    load_row<kFill, kVectors>(mean_dy + c, block.n, offset);
    load_row<kFill, kVectors>(mean_dy_xhat + c, block.n, slope);
    for (int v = 0; v < kVectors; ++v) slope[v] = hn::Mul(slope[v], deviation[v]);
    for (std::int64_t at = block.begin; at < block.end; at += block.step) {
      load_row<kFill, kVectors>(x + at, block.n, value);
      load_row<kFill, kVectors>(dy + at, block.n, gradient);
      for (int v = 0; v < kVectors; ++v) {
        const Vector y = hn::MulAdd(scale[v], value[v], shift[v]);
        const Vector g = hn::Sub(bounds.pass(y, gradient[v]), offset[v]);
        const Vector centred = hn::NegMulAdd(hn::Sub(value[v], mean[v]), slope[v], g);
        store<kFill>(hn::Mul(scale[v], centred), dx + at + v * kLanes, block.n);
      }
    }
  }
};

void sums_simd(const ChannelShape& shape, const float* x, float* sums) {
  for_each_block(shape, AddSums{x, sums});
}

void moments_simd(const ChannelShape& shape, const float* x, const float* pivot, double* sum,
                  double* sum_of_squares) {
  for_each_block(shape, AddMoments{x, pivot, sum, sum_of_squares});
}

void scale_shift_gate_simd(const ChannelShape& shape, const float* x, const float* scale,
                           const float* shift, Gate gate, float* y) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float low = gate == Gate::kOpen ? -kInfinity : 0.0F;
  const float high = gate == Gate::kRelu6 ? 6.0F : kInfinity;
  for_each_block(shape, ScaleShiftGate{x, scale, shift, low, high, y});
}

void batch_norm_sums_simd(const ChannelShape& shape, const float* x, const float* dy,
                          const BatchNormStatistics& statistics, Gate gate, double* sum_dy,
                          double* sum_dy_xhat) {
  for_each_block(shape, AddBatchNormSums{x, dy, statistics, gate, sum_dy, sum_dy_xhat});
}

void batch_norm_backward_simd(const ChannelShape& shape, const float* x, const float* dy,
                              const BatchNormStatistics& statistics, const float* mean_dy,
                              const float* mean_dy_xhat, Gate gate, float* dx) {
  for_each_block(shape, BatchNormBackward{x, dy, statistics, mean_dy, mean_dy_xhat, gate, dx});
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {

HWY_EXPORT(sums_simd);
HWY_EXPORT(moments_simd);
HWY_EXPORT(scale_shift_gate_simd);
HWY_EXPORT(batch_norm_sums_simd);
HWY_EXPORT(batch_norm_backward_simd);

void channel_sums(std::int64_t pixels, std::int64_t channels, const float* x, float* sums) {
  assert(pixels >= 0 && channels >= 0);
  HWY_DYNAMIC_DISPATCH(sums_simd)({.pixels = pixels, .channels = channels}, x, sums);
}

void channel_moments(const ChannelShape& shape, const float* x, const float* pivot, double* sum,
                     double* sum_of_squares) {
  HWY_DYNAMIC_DISPATCH(moments_simd)(shape, x, pivot, sum, sum_of_squares);
}

void scale_shift_gate(const ChannelShape& shape, const float* x, const float* scale,
                      const float* shift, Gate gate, float* y) {
  HWY_DYNAMIC_DISPATCH(scale_shift_gate_simd)(shape, x, scale, shift, gate, y);
}

void batch_norm_backward_sums(const ChannelShape& shape, const float* x, const float* dy,
                              const BatchNormStatistics& statistics, Gate gate, double* sum_dy,
                              double* sum_dy_xhat) {
  HWY_DYNAMIC_DISPATCH(batch_norm_sums_simd)
  (shape, x, dy, statistics, gate, sum_dy, sum_dy_xhat);
}

void batch_norm_backward(const ChannelShape& shape, const float* x, const float* dy,
                         const BatchNormStatistics& statistics, const float* mean_dy,
                         const float* mean_dy_xhat, Gate gate, float* dx) {
  HWY_DYNAMIC_DISPATCH(batch_norm_backward_simd)
  (shape, x, dy, statistics, mean_dy, mean_dy_xhat, gate, dx);
}

}  // namespace engraft
#endif
