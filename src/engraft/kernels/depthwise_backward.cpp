#include "engraft/kernels/depthwise_backward.h"

#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/depthwise_backward.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <cassert>

#include "engraft/kernels/channel_blocks-inl.h"
#include "engraft/kernels/depthwise_3x3-inl.h"
#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kBandBytes = 256 * 1024;  // of x, y, dy and dx: a band stays in L2

/// dy ·= gate(y) and db += Σ_p dy[p,·]
struct GateAndSum {
  Gate gate;
  const float* y;
  float* dy;
  float* db;  // null: no bias

  template <Fill kFill, int kVectors>
  HWY_INLINE void add(const ChannelBlock& block) const {
    const GateBounds bounds(gate);
    VectorRow<kVectors> sum;
    clear_row<kVectors>(sum);
    for (std::int64_t at = block.begin; at < block.end; at += block.step) {
      for (int v = 0; v < kVectors; ++v) {
        const std::int64_t place = at + v * kLanes;
        Vector gradient = load<kFill>(dy + place, block.n);
        if (gate != Gate::kOpen) {
          gradient = bounds.pass(load<kFill>(y + place, block.n), gradient);
          store<kFill>(gradient, dy + place, block.n);
        }
        sum[v] = hn::Add(sum[v], gradient);
      }
    }
    if (db != nullptr) add_row_to<kFill, kVectors>(sum, block.n, db + block.first_channel);
  }
};

/// The rows [begin, end) of dy.
void gate_rows(const DepthwiseBackward& spec, int begin, int end) {
  if (begin >= end || (spec.output_gate == Gate::kOpen && spec.db == nullptr)) return;
  const std::int64_t row = std::int64_t{spec.out_width} * spec.channels;
  const float* y = spec.output_gate == Gate::kOpen ? nullptr : spec.y + begin * row;
  for_each_block({.pixels = std::int64_t{end - begin} * spec.out_width, .channels = spec.channels},
                 GateAndSum{spec.output_gate, y, spec.dy + begin * row, spec.db});
}

/// Rows of x at stride 1, pairs of them at stride 2: band by band, dy gated just ahead.
template <int kStride>
void backward_3x3(const DepthwiseBackward& spec) {
  const std::int64_t pixels = std::int64_t{2} * kStride * spec.width + 2 * spec.out_width;
  const std::int64_t fitting = kBandBytes / (pixels * spec.channels * std::int64_t{sizeof(float)});
  const int begin = kStride == 1 ? 0 : spec.pad_top / 2;
  const int end = kStride == 1 ? spec.height : (spec.height - 1 + spec.pad_top) / 2 + 1;
  const int rows = static_cast<int>(std::clamp<std::int64_t>(fitting, 1, end - begin));
  int gated = 0;
  for (int row = begin; row < end; row += rows) {
    const int next = std::min(row + rows, end);
    const int needed = std::min(kStride == 1 ? next + spec.pad_top : next, spec.out_height);
    gate_rows(spec, gated, needed);
    gated = std::max(gated, needed);
    band_3x3<kStride>(spec, row, next);
  }
  gate_rows(spec, gated, spec.out_height);
}

/// Places [begin, end) of a window along one side whose tap `tap` is inside the picture.
struct Places {
  int begin, end;
};
Places places_inside(int tap, int pad, int stride, int size, int places) {
  const int before = pad - tap;  // pixels by which the tap of place 0 is outside
  const int begin = before > 0 ? (before + stride - 1) / stride : 0;
  const int last = size - 1 + before;
  return {begin, last < 0 ? 0 : std::min(places, last / stride + 1)};
}

/// One tap (u,v) along row i of dy: its part of dw and of the row of dx above it.
template <Fill kFill>
void add_tap(const DepthwiseBackward& spec, int i, int u, int v, std::int64_t c) {
  const std::int64_t channels = spec.channels, n = channels - c;
  const Places inside = places_inside(v, spec.pad_left, spec.stride, spec.width, spec.out_width);
  if (inside.begin >= inside.end) return;
  const std::int64_t row = i * spec.stride + u - spec.pad_top;
  const std::int64_t column = inside.begin * spec.stride + v - spec.pad_left;
  const std::int64_t from = (row * spec.width + column) * channels + c;
  const float* x = spec.x + from;
  float* dx = spec.dx == nullptr ? nullptr : spec.dx + from;
  const float* dy =
      spec.dy + (static_cast<std::int64_t>(i) * spec.out_width + inside.begin) * channels + c;
  const std::int64_t tap = (static_cast<std::int64_t>(u) * spec.kernel + v) * channels + c;
  const Vector w = load<kFill>(spec.w + tap, n);
  Vector dw = load<kFill>(spec.dw + tap, n);
  for (int j = inside.begin; j < inside.end; ++j) {
    const Vector gradient = load<kFill>(dy, n);
    dw = hn::MulAdd(load<kFill>(x, n), gradient, dw);
    if (dx != nullptr) {
      store<kFill>(hn::MulAdd(w, gradient, load<kFill>(dx, n)), dx, n);
      dx += spec.stride * channels;
    }
    x += spec.stride * channels;
    dy += channels;
  }
  store<kFill>(dw, spec.dw + tap, n);
}

/// Any kernel and stride, tap by tap along rows that are in the cache.
void backward_any(const DepthwiseBackward& spec) {
  gate_rows(spec, 0, spec.out_height);
  const std::int64_t size = std::int64_t{spec.height} * spec.width * spec.channels;
  if (spec.dx != nullptr) std::fill(spec.dx, spec.dx + size, 0.0F);
  for (int i = 0; i < spec.out_height; ++i) {
    for (int u = 0; u < spec.kernel; ++u) {
      const int row = i * spec.stride + u - spec.pad_top;
      if (row < 0 || row >= spec.height) continue;
      for (int v = 0; v < spec.kernel; ++v) {
        std::int64_t c = 0;
        for (; c + kLanes <= spec.channels; c += kLanes) {
          add_tap<Fill::kWhole>(spec, i, u, v, c);
        }
        if (c < spec.channels) add_tap<Fill::kPart>(spec, i, u, v, c);
      }
    }
  }
  if (spec.dx == nullptr) return;
  gate_gradient(spec.input_gate, {spec.x, static_cast<std::size_t>(size)},
                {spec.dx, static_cast<std::size_t>(size)});
}

void backward(const DepthwiseBackward& spec) {
  if (spec.kernel == 3 && fits_stride_1(spec)) return backward_3x3<1>(spec);
  if (spec.kernel == 3 && spec.stride == 2) return backward_3x3<2>(spec);
  backward_any(spec);
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {

HWY_EXPORT(backward);

void depthwise_backward(const DepthwiseBackward& spec) {
  assert(spec.height > 0 && spec.width > 0 && spec.channels > 0 && spec.kernel > 0);
  assert(spec.stride > 0 && spec.out_height > 0 && spec.out_width > 0);
  assert(spec.pad_top >= 0 && spec.pad_left >= 0);
  HWY_DYNAMIC_DISPATCH(backward)(spec);
}

}  // namespace engraft
#endif
