#include "engraft/kernels/elementwise.h"

#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/elementwise.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cassert>
#include <cstdint>

#include "engraft/kernels/channel_blocks-inl.h"
#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

/// y[i] = f(a[i], b[i]); a function of one value gets it as b, too.
template <typename Function>
void map(std::int64_t size, const float* a, const float* b, float* y) {
  constexpr Function kFunction;
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) store(kFunction(load(a + i), load(b + i)), y + i);
  if (i == size) return;
  const std::int64_t n = size - i;
  const Vector last = kFunction(load<Fill::kPart>(a + i, n), load<Fill::kPart>(b + i, n));
  store<Fill::kPart>(last, y + i, n);
}

struct Addition {
  HWY_INLINE Vector operator()(Vector a, Vector b) const { return hn::Add(a, b); }
};

struct Product {
  HWY_INLINE Vector operator()(Vector a, Vector b) const { return hn::Mul(a, b); }
};

HWY_INLINE Vector sigmoid_line(Vector x) {
  const Vector line = hn::Min(hn::Max(hn::Add(x, set(3.0F)), zero()), set(6.0F));
  return hn::Div(line, set(6.0F));
}

struct HardSigmoid {
  HWY_INLINE Vector operator()(Vector x, Vector) const { return sigmoid_line(x); }
};

struct HardSwish {
  HWY_INLINE Vector operator()(Vector x, Vector) const { return hn::Mul(x, sigmoid_line(x)); }
};

HWY_INLINE hn::Mask<Floats> inside(Vector x) {
  return hn::Lt(hn::Abs(x), set(3.0F));
}

struct HardSigmoidGradient {
  HWY_INLINE Vector operator()(Vector x, Vector dy) const {
    return hn::IfThenElseZero(inside(x), hn::Div(dy, set(6.0F)));
  }
};

struct HardSwishGradient {
  HWY_INLINE Vector operator()(Vector x, Vector dy) const {
    const Vector slope = hn::Div(hn::MulAdd(set(2.0F), x, set(3.0F)), set(6.0F));
    const Vector outside = hn::IfThenElseZero(hn::Gt(x, zero()), dy);
    return hn::IfThenElse(inside(x), hn::Mul(dy, slope), outside);
  }
};

struct SigmoidGradient {
  HWY_INLINE Vector operator()(Vector y, Vector dy) const {
    return hn::Mul(dy, hn::Mul(y, hn::Sub(set(1.0F), y)));
  }
};

/// y[p,c] = a[p,c]·row[c]
struct MultiplyRows {
  const float* a;
  const float* row;
  float* y;

  template <Fill kFill, int kVectors>
  HWY_INLINE void add(const ChannelBlock& block) const {
    VectorRow<kVectors> factor, value;
    load_row<kFill, kVectors>(row + block.first_channel, block.n, factor);
    for (std::int64_t at = block.begin; at < block.end; at += block.step) {
      load_row<kFill, kVectors>(a + at, block.n, value);
      for (int v = 0; v < kVectors; ++v) {
        store<kFill>(hn::Mul(value[v], factor[v]), y + at + v * kLanes, block.n);
      }
    }
  }
};

/// drow[c] += Σ_p dy[p,c]·a[p,c]
struct AddProducts {
  const float* a;
  const float* dy;
  float* drow;

  template <Fill kFill, int kVectors>
  HWY_INLINE void add(const ChannelBlock& block) const {
    VectorRow<kVectors> sum, value, gradient;
    clear_row<kVectors>(sum);
    for (std::int64_t at = block.begin; at < block.end; at += block.step) {
      load_row<kFill, kVectors>(a + at, block.n, value);
      load_row<kFill, kVectors>(dy + at, block.n, gradient);
      for (int v = 0; v < kVectors; ++v) sum[v] = hn::MulAdd(value[v], gradient[v], sum[v]);
    }
    add_row_to<kFill, kVectors>(sum, block.n, drow + block.first_channel);
  }
};

/// dx[p,c] = dy[c] / divisor
struct SpreadRow {
  const float* dy;
  float divisor;
  float* dx;

  template <Fill kFill, int kVectors>
  HWY_INLINE void add(const ChannelBlock& block) const {
    VectorRow<kVectors> value;
    load_row<kFill, kVectors>(dy + block.first_channel, block.n, value);
    for (int v = 0; v < kVectors; ++v) value[v] = hn::Div(value[v], set(divisor));
    for (std::int64_t at = block.begin; at < block.end; at += block.step) {
      for (int v = 0; v < kVectors; ++v) store<kFill>(value[v], dx + at + v * kLanes, block.n);
    }
  }
};

void add_simd(std::int64_t n, const float* a, const float* b, float* y) {
  map<Addition>(n, a, b, y);
}
void multiply_simd(std::int64_t n, const float* a, const float* b, float* y) {
  map<Product>(n, a, b, y);
}
void hard_sigmoid_simd(std::int64_t n, const float* x, float* y) {
  map<HardSigmoid>(n, x, x, y);
}
void hard_swish_simd(std::int64_t n, const float* x, float* y) {
  map<HardSwish>(n, x, x, y);
}
void hard_sigmoid_gradient_simd(std::int64_t n, const float* x, const float* dy, float* dx) {
  map<HardSigmoidGradient>(n, x, dy, dx);
}
void hard_swish_gradient_simd(std::int64_t n, const float* x, const float* dy, float* dx) {
  map<HardSwishGradient>(n, x, dy, dx);
}
void sigmoid_gradient_simd(std::int64_t n, const float* y, const float* dy, float* dx) {
  map<SigmoidGradient>(n, y, dy, dx);
}
void multiply_rows_simd(const ChannelShape& shape, const float* a, const float* row, float* y) {
  for_each_block(shape, MultiplyRows{a, row, y});
}
void add_products_simd(const ChannelShape& shape, const float* a, const float* dy, float* drow) {
  for_each_block(shape, AddProducts{a, dy, drow});
}
void spread_row_simd(const ChannelShape& shape, const float* dy, float* dx) {
  for_each_block(shape, SpreadRow{dy, static_cast<float>(shape.pixels), dx});
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {
namespace {

/// Of an array of rows.
ChannelShape shape_of(std::size_t size, std::size_t channels) {
  assert(channels == 0 ? size == 0 : size % channels == 0);
  return {.pixels = channels == 0 ? 0 : static_cast<std::int64_t>(size / channels),
          .channels = static_cast<std::int64_t>(channels)};
}

}  // namespace

HWY_EXPORT(add_simd);
HWY_EXPORT(multiply_simd);
HWY_EXPORT(hard_sigmoid_simd);
HWY_EXPORT(hard_swish_simd);
HWY_EXPORT(hard_sigmoid_gradient_simd);
HWY_EXPORT(hard_swish_gradient_simd);
HWY_EXPORT(sigmoid_gradient_simd);
HWY_EXPORT(multiply_rows_simd);
HWY_EXPORT(add_products_simd);
HWY_EXPORT(spread_row_simd);

void add_to(std::span<const float> x, std::span<float> y) {
  assert(x.size() == y.size());
  HWY_DYNAMIC_DISPATCH(add_simd)(std::ssize(y), x.data(), y.data(), y.data());
}

void multiply(std::span<const float> a, std::span<const float> b, std::span<float> y) {
  assert(a.size() == y.size() && b.size() == y.size());
  HWY_DYNAMIC_DISPATCH(multiply_simd)(std::ssize(y), a.data(), b.data(), y.data());
}

void multiply_rows(std::span<const float> a, std::span<const float> row, std::span<float> y) {
  assert(a.size() == y.size());
  HWY_DYNAMIC_DISPATCH(multiply_rows_simd)
  (shape_of(y.size(), row.size()), a.data(), row.data(), y.data());
}

void multiply_rows_backward(std::span<const float> a, std::span<const float> dy,
                            std::span<float> drow) {
  assert(a.size() == dy.size());
  HWY_DYNAMIC_DISPATCH(add_products_simd)
  (shape_of(a.size(), drow.size()), a.data(), dy.data(), drow.data());
}

void hard_sigmoid(std::span<const float> x, std::span<float> y) {
  assert(x.size() == y.size());
  HWY_DYNAMIC_DISPATCH(hard_sigmoid_simd)(std::ssize(y), x.data(), y.data());
}

void hard_sigmoid_backward(std::span<const float> x, std::span<const float> dy,
                           std::span<float> dx) {
  assert(x.size() == dx.size() && dy.size() == dx.size());
  HWY_DYNAMIC_DISPATCH(hard_sigmoid_gradient_simd)
  (std::ssize(dx), x.data(), dy.data(), dx.data());
}

void hard_swish(std::span<const float> x, std::span<float> y) {
  assert(x.size() == y.size());
  HWY_DYNAMIC_DISPATCH(hard_swish_simd)(std::ssize(y), x.data(), y.data());
}

void hard_swish_backward(std::span<const float> x, std::span<const float> dy, std::span<float> dx) {
  assert(x.size() == dx.size() && dy.size() == dx.size());
  HWY_DYNAMIC_DISPATCH(hard_swish_gradient_simd)
  (std::ssize(dx), x.data(), dy.data(), dx.data());
}

void sigmoid_backward(std::span<const float> y, std::span<const float> dy, std::span<float> dx) {
  assert(y.size() == dx.size() && dy.size() == dx.size());
  HWY_DYNAMIC_DISPATCH(sigmoid_gradient_simd)
  (std::ssize(dx), y.data(), dy.data(), dx.data());
}

void mean_over_pixels_backward(std::span<const float> dy, std::span<float> dx) {
  HWY_DYNAMIC_DISPATCH(spread_row_simd)(shape_of(dx.size(), dy.size()), dy.data(), dx.data());
}

}  // namespace engraft
#endif
