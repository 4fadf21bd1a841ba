// The backward pass of a 3×3 depthwise convolution at stride 1 and 2, for depthwise_backward.cpp.
// Included once for each instruction set (hwy/foreach_target.h).
#if defined(ENGRAFT_KERNELS_DEPTHWISE_3X3_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAFT_KERNELS_DEPTHWISE_3X3_INL_H_
#undef ENGRAFT_KERNELS_DEPTHWISE_3X3_INL_H_
#else
#define ENGRAFT_KERNELS_DEPTHWISE_3X3_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "engraft/kernels/depthwise_backward.h"
#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

// Every x is loaded once. With the values of dy around it, it adds to dw (nine sums, which stay in
// registers over all rows of a call), and these values times w are its dx. What lies outside dy or
// x is read from a vector of zeros and written to a scratch vector, so that only the columns near
// the edges are a case of their own.

/// Rows of a picture, at the channels of one vector.
template <typename T>
struct Plane {
  T* data;
  T* outside;  ///< stands in for every pixel outside
  int height, width;
  std::int64_t channels;

  [[nodiscard]] HWY_INLINE bool has_row(int row) const { return row >= 0 && row < height; }
  /// Pixel 0 of a row, and from one pixel to the next.
  [[nodiscard]] HWY_INLINE T* row(int row) const {
    return has_row(row) ? data + row * (width * channels) : outside;
  }
  [[nodiscard]] HWY_INLINE std::int64_t step(int row) const { return has_row(row) ? channels : 0; }
  [[nodiscard]] HWY_INLINE T* pixel(int row, int column) const {
    const bool inside = has_row(row) && column >= 0 && column < width;
    return inside ? data + (static_cast<std::int64_t>(row) * width + column) * channels : outside;
  }
};

/// One vector of channels of a convolution.
struct DepthwiseLane {
  Plane<const float> x, dy;
  Plane<float> dx;
  int top, left;
  GateBounds gate;
  std::int64_t n;  ///< channels of the vector

  HWY_INLINE DepthwiseLane(const DepthwiseBackward& spec, std::int64_t c, const float* zeros,
                           float* scratch)
      : x{spec.x + c, zeros, spec.height, spec.width, spec.channels},
        dy{spec.dy + c, zeros, spec.out_height, spec.out_width, spec.channels},
        dx{spec.dx == nullptr ? nullptr : spec.dx + c, scratch,
           spec.dx == nullptr ? 0 : spec.height, spec.width, spec.channels},
        top(spec.pad_top),
        left(spec.pad_left),
        gate(spec.input_gate),
        n(std::min<std::int64_t>(kLanes, spec.channels - c)) {}
};

/// Sums for dw, and w.
struct Taps {
  Vector dw[9], w[9];
};

/// A place in x, dx and dy at stride 1, where the three are of one size.
struct Place {
  const float* x;
  const float* dy;
  float* dx;
};

/// Taps [begin, end) of three along one side; the others fall outside the picture.
struct Reach {
  int begin, end;
};
constexpr Reach kFirst{0, 2}, kInner{0, 3}, kLast{1, 3};

/// One pixel of x at stride 1: tap (u,v) meets the pixel of dy 1−u rows and 1−v columns away.
template <Fill kFill, Reach kRows, Reach kColumns>
HWY_INLINE void add_pixel(const DepthwiseLane& lane, Taps& taps, const Place& at) {
  const std::int64_t channels = lane.dy.channels, row = channels * lane.dy.width;
  const Vector x = load<kFill>(at.x, lane.n);
  Vector dx = zero();
  for (int u = kRows.begin; u < kRows.end; ++u) {
    for (int v = kColumns.begin; v < kColumns.end; ++v) {
      const Vector dy = load<kFill>(at.dy + (1 - u) * row + (1 - v) * channels, lane.n);
      taps.dw[u * 3 + v] = hn::MulAdd(x, dy, taps.dw[u * 3 + v]);
      dx = hn::MulAdd(taps.w[u * 3 + v], dy, dx);
    }
  }
  store<kFill>(lane.gate.pass(x, dx), at.dx, lane.n);
}

template <Fill kFill, Reach kRows>
HWY_INLINE void row_stride_1(const DepthwiseLane& lane, Taps& taps, int r) {
  Place at{lane.x.row(r), lane.dy.row(r), lane.dx.row(r)};
  const std::int64_t step = lane.x.channels, dx_step = lane.dx.step(r);
  add_pixel<kFill, kRows, kFirst>(lane, taps, at);
  at = {at.x + step, at.dy + step, at.dx + dx_step};
  for (int q = 1; q + 1 < lane.x.width; ++q) {
    add_pixel<kFill, kRows, kInner>(lane, taps, at);
    at = {at.x + step, at.dy + step, at.dx + dx_step};
  }
  add_pixel<kFill, kRows, kLast>(lane, taps, at);
}

/// Rows [begin, end) at stride 1.
template <Fill kFill>
HWY_INLINE void rows_stride_1(const DepthwiseLane& lane, Taps& taps, int begin, int end) {
  const int last = lane.x.height - 1;
  if (begin == 0) row_stride_1<kFill, kFirst>(lane, taps, 0);
  for (int r = std::max(begin, 1); r < std::min(end, last); ++r) {
    row_stride_1<kFill, kInner>(lane, taps, r);
  }
  if (end > last) row_stride_1<kFill, kLast>(lane, taps, last);
}

/// Whether the fast path of stride 1 takes it: y is as big as x, and no side is a single pixel.
HWY_INLINE bool fits_stride_1(const DepthwiseBackward& spec) {
  return spec.stride == 1 && spec.pad_top == 1 && spec.pad_left == 1 &&
         spec.out_height == spec.height && spec.out_width == spec.width && spec.height > 1 &&
         spec.width > 1;
}

/// Columns [begin, end).
struct Columns {
  int begin, end;
};

/// Stride 2: the 2×2 pixels of x, of which the first is where the window (a,b) begins, and the four
/// values of dy that they meet: (a,b), (a,b−1), (a−1,b), (a−1,b−1).
struct Quad {
  const float* x[2][2];
  const float* dy[2][2];  ///< [rows before a][columns before b]
  float* dx[2][2];
};

/// dx of x's pixel (e,f) of the quad, and its share of dw. An even row (e = 0) meets taps 0 and 2,
/// an odd one tap 1; columns likewise.
template <Fill kFill, int e, int f>
HWY_INLINE void quad_pixel(const DepthwiseLane& lane, Taps& taps, const Quad& quad,
                           const Vector (&dy)[2][2]) {
  const Vector x = load<kFill>(quad.x[e][f], lane.n);
  Vector dx = zero();
  for (int i = 0; i < 2 - e; ++i) {
    for (int j = 0; j < 2 - f; ++j) {
      const int tap = (e + 2 * i) * 3 + (f + 2 * j);
      taps.dw[tap] = hn::MulAdd(x, dy[i][j], taps.dw[tap]);
      dx = hn::MulAdd(taps.w[tap], dy[i][j], dx);
    }
  }
  store<kFill>(lane.gate.pass(x, dx), quad.dx[e][f], lane.n);
}

template <Fill kFill>
HWY_INLINE void add_quad(const DepthwiseLane& lane, Taps& taps, const Quad& quad) {
  Vector dy[2][2];
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) dy[i][j] = load<kFill>(quad.dy[i][j], lane.n);
  }
  quad_pixel<kFill, 0, 0>(lane, taps, quad, dy);
  quad_pixel<kFill, 0, 1>(lane, taps, quad, dy);
  quad_pixel<kFill, 1, 0>(lane, taps, quad, dy);
  quad_pixel<kFill, 1, 1>(lane, taps, quad, dy);
}

template <Fill kFill>
HWY_INLINE void edge_stride_2(const DepthwiseLane& lane, Taps& taps, int a, int b) {
  Quad quad;
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      const int row = 2 * a - lane.top + i, column = 2 * b - lane.left + j;
      quad.x[i][j] = lane.x.pixel(row, column);
      quad.dx[i][j] = lane.dx.pixel(row, column);
      quad.dy[i][j] = lane.dy.pixel(a - i, b - j);
    }
  }
  add_quad<kFill>(lane, taps, quad);
}

template <Fill kFill>
HWY_INLINE void row_stride_2(const DepthwiseLane& lane, Taps& taps, int a, Columns inner) {
  const int end = (lane.x.width - 1 + lane.left) / 2 + 1;
  int b = lane.left / 2;
  for (; b < std::min(inner.begin, end); ++b) edge_stride_2<kFill>(lane, taps, a, b);
  const float* x[2];
  const float* dy[2];
  float* dx[2];
  std::int64_t x_step[2], dy_step[2], dx_step[2];
  for (int i = 0; i < 2; ++i) {
    const int row = 2 * a - lane.top + i, column = 2 * b - lane.left;
    x_step[i] = lane.x.step(row);
    dx_step[i] = lane.dx.step(row);
    dy_step[i] = lane.dy.step(a - i);
    x[i] = lane.x.row(row) + column * x_step[i];
    dx[i] = lane.dx.row(row) + column * dx_step[i];
    dy[i] = lane.dy.row(a - i) + b * dy_step[i];
  }
  for (; b < inner.end; ++b) {
    Quad quad;
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 2; ++j) {
        quad.x[i][j] = x[i] + j * x_step[i];
        quad.dx[i][j] = dx[i] + j * dx_step[i];
        quad.dy[i][j] = dy[i] - j * dy_step[i];
      }
      x[i] += 2 * x_step[i];
      dx[i] += 2 * dx_step[i];
      dy[i] += dy_step[i];
    }
    add_quad<kFill>(lane, taps, quad);
  }
  for (; b < end; ++b) edge_stride_2<kFill>(lane, taps, a, b);
}

/// The quads of columns in which nothing is outside.
HWY_INLINE Columns inner_quads(const DepthwiseLane& lane) {
  const int begin = std::max(1, (lane.left + 1) / 2);
  const int end = std::min(lane.dy.width, (lane.x.width + lane.left) / 2);
  return {begin, std::max(begin, end)};
}

/// Rows [begin, end) of x (at stride 2: quads of rows) at one vector of channels, c being the
/// first.
template <Fill kFill, int kStride>
HWY_NOINLINE void rows_3x3(const DepthwiseBackward& spec, std::int64_t c, int begin, int end) {
  HWY_ALIGN constexpr float kZeros[kLanes] = {};
  HWY_ALIGN float scratch[kLanes];
  const DepthwiseLane lane(spec, c, kZeros, scratch);
  Taps taps;
  for (int t = 0; t < 9; ++t) {
    taps.dw[t] = load<kFill>(spec.dw + t * lane.x.channels + c, lane.n);
    taps.w[t] = load<kFill>(spec.w + t * lane.x.channels + c, lane.n);
  }
  if constexpr (kStride == 1) {
    rows_stride_1<kFill>(lane, taps, begin, end);
  } else {
    const Columns inner = inner_quads(lane);
    for (int a = begin; a < end; ++a) row_stride_2<kFill>(lane, taps, a, inner);
  }
  for (int t = 0; t < 9; ++t) {
    store<kFill>(taps.dw[t], spec.dw + t * lane.x.channels + c, lane.n);
  }
}

/// All channels of the rows [begin, end).
template <int kStride>
void band_3x3(const DepthwiseBackward& spec, int begin, int end) {
  std::int64_t c = 0;
  for (; c + kLanes <= spec.channels; c += kLanes) {
    rows_3x3<Fill::kWhole, kStride>(spec, c, begin, end);
  }
  if (c < spec.channels) rows_3x3<Fill::kPart, kStride>(spec, c, begin, end);
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
