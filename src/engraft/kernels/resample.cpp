#include "engraft/kernels/resample.h"

#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/resample.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <vector>

#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

constexpr hn::Rebind<std::int32_t, Floats> kInts;
constexpr hn::Rebind<std::uint8_t, Floats> kBytes;
constexpr std::size_t kFloatLanes = static_cast<std::size_t>(kLanes);

HWY_INLINE Vector load_bytes(const std::uint8_t* from) {
  return hn::ConvertTo(kFloats, hn::PromoteTo(kInts, hn::LoadU(kBytes, from)));
}

/// Cuts off what is behind the point and outside 0…255.
HWY_INLINE hn::Vec<decltype(kBytes)> to_bytes(Vector value) {
  return hn::DemoteTo(kBytes, hn::ConvertTo(kInts, value));
}

// ---- along x: eight rows at once, so that a weight is spread over a vector once for all of them

constexpr std::size_t kRowsAtOnce = 8;
constexpr std::size_t kPixelBytes = 4;  ///< three, and one that counts for nothing
constexpr std::size_t kColumnBytes = kRowsAtOnce * kPixelBytes;
using Rows = std::array<const std::uint8_t*, kRowsAtOnce>;

/// Pixels [first, last) of eight rows → at kColumnBytes · x the pixels x of all rows.
void gather_columns(const Rows& rows, std::size_t first, std::size_t last, std::uint8_t* columns) {
  const auto copy = [&](std::size_t x, std::size_t bytes) {
    for (std::size_t r = 0; r < kRowsAtOnce; ++r) {
      std::memcpy(columns + kColumnBytes * x + kPixelBytes * r, rows[r] + 3 * x, bytes);
    }
  };
  for (std::size_t x = first; x + 1 < last; ++x) copy(x, kPixelBytes);
  copy(last - 1, 3);  // behind it there may be nothing to read
}

/// The first `count` rows of columns [0, width) → y: [count,width,3]
void scatter_columns(const std::uint8_t* columns, std::size_t width, std::size_t count,
                     std::uint8_t* y) {
  for (std::size_t r = 0; r < count; ++r, y += 3 * width) {
    const auto copy = [&](std::size_t x, std::size_t bytes) {
      std::memcpy(y + 3 * x, columns + kColumnBytes * x + kPixelBytes * r, bytes);
    };
    for (std::size_t x = 0; x + 1 < width; ++x) copy(x, kPixelBytes);  // the next covers the fourth
    copy(width - 1, 3);
  }
}

/// One output of eight rows.
HWY_INLINE void filter_pixel(const std::uint8_t* columns, std::span<const float> weights,
                             std::uint8_t* to) {
  constexpr std::size_t kVectors = kColumnBytes / kFloatLanes;
  Vector sum[kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) sum[v] = set(0.5F);
  for (const float weight : weights) {
    const Vector w = set(weight);
    for (std::size_t v = 0; v < kVectors; ++v) {
      sum[v] = hn::Add(sum[v], hn::Mul(load_bytes(columns + v * kFloatLanes), w));
    }
    columns += kColumnBytes;
  }
  for (std::size_t v = 0; v < kVectors; ++v) {
    hn::StoreU(to_bytes(sum[v]), kBytes, to + v * kFloatLanes);
  }
}

void filter_rows_simd(const PixelRows& x, const FilterTable& table, std::uint8_t* y) {
  const std::size_t outputs = table.outputs(), height = static_cast<std::size_t>(x.height);
  const auto first = static_cast<std::size_t>(table.firsts.front());
  const auto last = static_cast<std::size_t>(table.firsts.back()) + table.of(outputs - 1).size();
  std::vector<std::uint8_t> from(kColumnBytes * last), to(kColumnBytes * outputs);
  for (std::size_t row = 0; row < height; row += kRowsAtOnce) {
    Rows rows;
    for (std::size_t r = 0; r < kRowsAtOnce; ++r) {  // the last row may be there more than once
      rows[r] = x.row(static_cast<std::ptrdiff_t>(std::min(row + r, height - 1)));
    }
    gather_columns(rows, first, last, from.data());
    for (std::size_t i = 0; i < outputs; ++i) {
      filter_pixel(from.data() + kColumnBytes * static_cast<std::size_t>(table.firsts[i]),
                   table.of(i), to.data() + kColumnBytes * i);
    }
    const std::size_t count = std::min(kRowsAtOnce, height - row);
    scatter_columns(to.data(), outputs, count, y + 3 * outputs * row);
  }
}

// ---- along y

/// One output row: kVectors vectors of it at a time, the last ones where they still fit.
template <std::size_t kVectors>
HWY_INLINE void filter_values(const std::uint8_t* x, std::ptrdiff_t stride, std::size_t values,
                              std::span<const float> weights, std::uint8_t* y) {
  constexpr std::size_t kWidth = kVectors * kFloatLanes;
  for (std::size_t begin = 0; begin < values; begin += kWidth) {
    const std::size_t at = std::min(begin, values - kWidth);
    const std::uint8_t* row = x + at;
    Vector sum[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) sum[v] = set(0.5F);
    for (const float weight : weights) {
      const Vector w = set(weight);
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[v] = hn::Add(sum[v], hn::Mul(load_bytes(row + v * kFloatLanes), w));
      }
      row += stride;
    }
    for (std::size_t v = 0; v < kVectors; ++v) {
      hn::StoreU(to_bytes(sum[v]), kBytes, y + at + v * kFloatLanes);
    }
  }
}

/// A row narrower than a vector.
void filter_few_values(const std::uint8_t* x, std::ptrdiff_t stride, std::size_t values,
                       std::span<const float> weights, std::uint8_t* y) {
  std::vector<std::uint8_t> padded(weights.size() * kFloatLanes);
  for (std::size_t t = 0; t < weights.size(); ++t) {
    std::memcpy(padded.data() + t * kFloatLanes, x + static_cast<std::ptrdiff_t>(t) * stride,
                values);
  }
  std::uint8_t result[kFloatLanes];
  filter_values<1>(padded.data(), kLanes, kFloatLanes, weights, result);
  std::memcpy(y, result, values);
}

void filter_columns_simd(const PixelRows& x, const FilterTable& table, std::uint8_t* y) {
  constexpr std::size_t kMany = 4;
  const std::size_t values = 3 * static_cast<std::size_t>(x.width);
  for (std::size_t i = 0; i < table.outputs(); ++i, y += values) {
    const std::uint8_t* first = x.row(table.firsts[i]);
    if (values >= kMany * kFloatLanes) {
      filter_values<kMany>(first, x.stride, values, table.of(i), y);
    } else if (values >= kFloatLanes) {
      filter_values<1>(first, x.stride, values, table.of(i), y);
    } else {
      filter_few_values(first, x.stride, values, table.of(i), y);
    }
  }
}

// ---- two taps

HWY_INLINE Vector mix(Vector a, Vector b, Vector fraction) {
  return hn::Add(a, hn::Mul(hn::Sub(b, a), fraction));
}

/// Places between samples, padded to whole vectors.
struct Columns {
  explicit Columns(std::span<const Between> places)
      : count((places.size() + kFloatLanes - 1) / kFloatLanes * kFloatLanes),
        low(count),
        high(count),
        fraction(count) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      low[i] = 3 * static_cast<std::uint32_t>(places[i].low);
      high[i] = 3 * static_cast<std::uint32_t>(places[i].high);
      fraction[i] = places[i].fraction;
    }
  }

  std::size_t count;
  std::vector<std::uint32_t> low, high;  ///< first byte of the pixel
  std::vector<float> fraction;
};

/// Pixels anywhere in a row, four bytes each: the fourth is of the next one.
HWY_INLINE hn::Vec<decltype(kInts)> load_pixels(const std::uint8_t* row,
                                                const std::uint32_t* offsets) {
  HWY_ALIGN std::int32_t pixels[kFloatLanes];
  for (std::size_t i = 0; i < kFloatLanes; ++i) {
    std::memcpy(&pixels[i], row + offsets[i], sizeof pixels[i]);
  }
  return hn::Load(kInts, pixels);
}

template <int kChannel>
HWY_INLINE Vector channel_of(hn::Vec<decltype(kInts)> pixels) {
  const auto byte = hn::And(hn::ShiftRight<8 * kChannel>(pixels), hn::Set(kInts, 255));
  return hn::ConvertTo(kFloats, byte);
}

/// A source row mixed along x: of each vector of columns the reds, the greens, the blues.
void mix_row(const std::uint8_t* row, const Columns& columns, float* mixed) {
  for (std::size_t i = 0; i < columns.count; i += kFloatLanes, mixed += 3 * kFloatLanes) {
    const auto low = load_pixels(row, columns.low.data() + i);
    const auto high = load_pixels(row, columns.high.data() + i);
    const Vector fraction = load(columns.fraction.data() + i);
    store(mix(channel_of<0>(low), channel_of<0>(high), fraction), mixed);
    store(mix(channel_of<1>(low), channel_of<1>(high), fraction), mixed + kFloatLanes);
    store(mix(channel_of<2>(low), channel_of<2>(high), fraction), mixed + 2 * kFloatLanes);
  }
}

/// The source rows that the last output row lay between: the next one often needs one of them.
class MixedRows {
 public:
  MixedRows(const PixelRows& x, const Columns& columns)
      : x_(x), columns_(columns), last_row_(3 * static_cast<std::size_t>(x.width) + 1) {
    for (Mixed& mixed : mixed_) mixed.values.resize(3 * columns.count);
    std::memcpy(last_row_.data(), x.row(x.height - 1), last_row_.size() - 1);
  }

  /// Row y, which stays until the next call but one.
  const float* row(int y) {
    if (mixed_[newest_].y == y) return mixed_[newest_].values.data();
    newest_ = 1 - newest_;
    Mixed& mixed = mixed_[newest_];
    if (mixed.y != y) {
      // Behind the last pixel of the last row there may be nothing to read.
      mix_row(y + 1 == x_.height ? last_row_.data() : x_.row(y), columns_, mixed.values.data());
      mixed.y = y;
    }
    return mixed.values.data();
  }

 private:
  struct Mixed {
    int y = -1;
    std::vector<float> values;
  };

  const PixelRows& x_;
  const Columns& columns_;
  std::vector<std::uint8_t> last_row_;  ///< with one byte behind it
  std::array<Mixed, 2> mixed_;
  std::size_t newest_ = 0;
};

void mix_neighbours_simd(const PixelRows& x, std::span<const Between> rows,
                         std::span<const Between> columns, std::uint8_t* y) {
  const Columns places(columns);
  MixedRows mixed(x, places);
  std::vector<std::uint8_t> padded(3 * places.count);
  const Vector half = set(0.5F);
  for (const Between& row : rows) {
    const float* above = mixed.row(row.low);
    const float* below = mixed.row(row.high);
    const Vector fraction = set(row.fraction);
    const auto bytes = [&](std::size_t at) {
      return to_bytes(hn::Add(mix(load(above + at), load(below + at), fraction), half));
    };
    for (std::size_t i = 0; i < 3 * places.count; i += 3 * kFloatLanes) {
      hn::StoreInterleaved3(bytes(i), bytes(i + kFloatLanes), bytes(i + 2 * kFloatLanes), kBytes,
                            padded.data() + i);
    }
    std::memcpy(y, padded.data(), 3 * columns.size());
    y += 3 * columns.size();
  }
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {
namespace {

/// What FilterTable says of its outputs' order, for assert.
[[maybe_unused]] bool ascends(const FilterTable& table) {
  const auto end = [&](std::size_t i) {
    return static_cast<std::size_t>(table.firsts[i]) + table.of(i).size();
  };
  const std::size_t last = end(table.outputs() - 1);
  for (std::size_t i = 0; i < table.outputs(); ++i) {
    if (end(i) > last) return false;
  }
  return std::ranges::is_sorted(table.firsts);
}

}  // namespace

HWY_EXPORT(filter_rows_simd);
HWY_EXPORT(filter_columns_simd);
HWY_EXPORT(mix_neighbours_simd);

void filter_rows(const PixelRows& x, const FilterTable& table, std::uint8_t* y) {
  assert(x.height >= 1 && table.outputs() >= 1 && table.starts.size() == table.outputs() + 1);
  assert(ascends(table));
  HWY_DYNAMIC_DISPATCH(filter_rows_simd)(x, table, y);
}

void filter_columns(const PixelRows& x, const FilterTable& table, std::uint8_t* y) {
  assert(x.width >= 1 && table.outputs() >= 1 && table.starts.size() == table.outputs() + 1);
  HWY_DYNAMIC_DISPATCH(filter_columns_simd)(x, table, y);
}

void mix_neighbours(const PixelRows& x, std::span<const Between> rows,
                    std::span<const Between> columns, std::uint8_t* y) {
  assert(x.height >= 1 && x.width >= 1);
  HWY_DYNAMIC_DISPATCH(mix_neighbours_simd)(x, rows, columns, y);
}

}  // namespace engraft
#endif
