#include "engraft/kernels/pointwise_gradient.h"

#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/pointwise_gradient.cpp"
// Highway's order: this file once more for every instruction set, then its functions.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <cassert>
#include <numeric>

#include "engraft/kernels/channels.h"
#include "engraft/kernels/outer_product-inl.h"
#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kMostPixels = 128;            // of a block
constexpr std::int64_t kBlockFloats = 128 * 1024;    // of a block's a, which stays in L2
constexpr std::int64_t kMostTransposed = 16 * 1024;  // floats of a dw that is built transposed

void add_strip_of(int vectors, std::int64_t rows, std::int64_t pixels, Matrix a, Matrix b, Sum c) {
  switch (vectors) {
    case 1:
      return add_strip<1>(rows, pixels, a, b, c);
    case 2:
      return add_strip<2>(rows, pixels, a, b, c);
    default:
      return add_strip<3>(rows, pixels, a, b, c);
  }
}

/// The last strip, whose columns do not fill its vectors: through copies with zeros at the end.
void add_partial_strip(int vectors, std::int64_t columns, std::int64_t rows, std::int64_t pixels,
                       Matrix a, Matrix b, Sum c) {
  constexpr std::int64_t kWidth = kMostVectors * kLanes;
  HWY_ALIGN float copy[kMostPixels * kWidth];
  HWY_ALIGN float sum[tile_rows(1) * kWidth];
  const std::int64_t width = vectors * kLanes;
  for (std::int64_t p = 0; p < pixels; ++p) {
    const float* row = b.data + p * b.stride;
    std::fill(std::copy(row, row + columns, copy + p * width), copy + (p + 1) * width, 0.0F);
  }
  const std::int64_t most = tile_rows(vectors);
  for (std::int64_t r = 0; r < rows; r += most) {
    const std::int64_t n = std::min(most, rows - r);
    std::fill(sum, sum + n * width, 0.0F);
    add_strip_of(vectors, n, pixels, {a.data + r, a.stride}, {copy, width}, {sum, width});
    for (std::int64_t i = 0; i < n; ++i) {
      float* to = c.data + (r + i) * c.stride;
      for (std::int64_t k = 0; k < columns; ++k) to[k] += sum[i * width + k];
    }
  }
}

struct Extent {
  std::int64_t rows, columns;
};

/// c += aᵀ·b for one block of pixels.
void add_block(Extent extent, std::int64_t pixels, Matrix a, Matrix b, Sum c) {
  const std::int64_t vectors = (extent.columns + kLanes - 1) / kLanes;
  const std::int64_t strips = (vectors + kMostVectors - 1) / kMostVectors;
  std::int64_t begin = 0;
  for (std::int64_t s = 0; s < strips; ++s) {
    const int width = static_cast<int>(vectors / strips + (s < vectors % strips ? 1 : 0));
    const Matrix from{b.data + begin, b.stride};
    const Sum to{c.data + begin, c.stride};
    const std::int64_t columns = std::min(width * kLanes, extent.columns - begin);
    if (columns == width * kLanes) {
      add_strip_of(width, extent.rows, pixels, a, from, to);
    } else {
      add_partial_strip(width, columns, extent.rows, pixels, a, from, to);
    }
    begin += columns;
  }
}

/// The bias's gradient, which add_all() adds up on the way.
struct Bias {
  const float* dy;
  std::int64_t channels;
  float* sums;  // null: none
};

/// c += aᵀ·b, and bias.sums += Σ_p dy[p,·] while dy is in the cache.
void add_all(Extent extent, std::int64_t pixels, Matrix a, Matrix b, Sum c, Bias bias) {
  const std::int64_t most = std::clamp<std::int64_t>(kBlockFloats / extent.rows, 32, kMostPixels);
  const std::int64_t blocks = (pixels + most - 1) / most;
  const std::int64_t block = (pixels + blocks - 1) / blocks;
  for (std::int64_t p = 0; p < pixels; p += block) {
    const std::int64_t n = std::min(block, pixels - p);
    add_block(extent, n, {a.data + p * a.stride, a.stride}, {b.data + p * b.stride, b.stride}, c);
    if (bias.sums != nullptr) {
      channel_sums(n, bias.channels, bias.dy + p * bias.channels, bias.sums);
    }
  }
}

/// Vector multiply-adds of a pixel, idle lanes included.
std::int64_t vector_work(std::int64_t rows, std::int64_t columns) {
  return rows * ((columns + kLanes - 1) / kLanes);
}

/// Whether vectors had better lie along the channels of x: fewer lanes idle, or, of as much work,
/// tiles more than one vector wide, which load less.
bool better_transposed(std::int64_t in, std::int64_t out) {
  const std::int64_t plain = vector_work(in, out), transposed = vector_work(out, in);
  return transposed * 10 < plain * 9 || (out <= kLanes && transposed <= plain);
}

void weight_gradient(const PointwiseGradientShape& shape, const float* x, const float* dy,
                     float* dw, float* db) {
  const auto [pixels, in, out] = shape;
  const Bias bias{dy, out, db};
  const bool transposed = in * out <= kMostTransposed && better_transposed(in, out);
  if (!transposed) return add_all({in, out}, pixels, {x, in}, {dy, out}, {dw, out}, bias);
  HWY_ALIGN float sum[kMostTransposed];
  std::fill(sum, sum + in * out, 0.0F);
  add_all({out, in}, pixels, {dy, out}, {x, in}, {sum, in}, bias);
  for (std::int64_t i = 0; i < in; ++i) {
    for (std::int64_t o = 0; o < out; ++o) dw[i * out + o] += sum[o * in + i];
  }
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {

HWY_EXPORT(weight_gradient);

void pointwise_weight_gradient(const PointwiseGradientShape& shape, const float* x, const float* dy,
                               float* dw, float* db) {
  assert(shape.pixels >= 0 && shape.in >= 0 && shape.out >= 0);
  if (shape.pixels == 0 || shape.in == 0 || shape.out == 0) return;
  HWY_DYNAMIC_DISPATCH(weight_gradient)(shape, x, dy, dw, db);
}

}  // namespace engraft
#endif
