#include "engraft/image/resample.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "engraft/image/filter_taps.h"

namespace engraft {
namespace {

/// One pixel and whatever follows it: a vector register on every CPU this is built for.
constexpr std::size_t kLanes = 4;
using Pixel __attribute__((vector_size(kLanes * sizeof(float)))) = float;

Pixel load(const float* from) {
  Pixel pixel;
  std::memcpy(&pixel, from, sizeof pixel);
  return pixel;
}

std::uint8_t round_to_byte(float value) {
  return static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f));
}

const std::uint8_t* source_row(const Image& image, const Box& box, int y) {
  return image.row(box.top + y) + 3 * static_cast<std::ptrdiff_t>(box.left);
}

void widen(std::span<const std::uint8_t> from, float* to) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<float>(from[i]);
}

/// Sums that already hold the ½ of the rounding → bytes. Plain minima and maxima, which compilers
/// turn into vector instructions.
void narrow(std::span<const float> from, std::uint8_t* to) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    const float low = from[i] < 0.0f ? 0.0f : from[i];
    const float both = low > 255.0f ? 255.0f : low;
    to[i] = static_cast<std::uint8_t>(static_cast<int>(both));
  }
}

/// Rows filtered together, so that each weight is spread over a register once for all of them.
constexpr std::size_t kRowsAtOnce = 4;

/// kRowsAtOnce rows of floats, three a pixel, with room for a fourth lane after the last.
class RowBlock {
 public:
  explicit RowBlock(std::size_t values)
      : stride_(values + kLanes), values_(stride_ * kRowsAtOnce) {}
  [[nodiscard]] float* row(std::size_t r) { return values_.data() + r * stride_; }
  [[nodiscard]] const float* row(std::size_t r) const { return values_.data() + r * stride_; }

 private:
  std::size_t stride_;
  std::vector<float> values_;
};

void filter_rows(const RowBlock& rows, const FilterTaps& taps, RowBlock& sums) {
  for (std::size_t i = 0; i < taps.outputs(); ++i) {
    std::size_t at = 3 * static_cast<std::size_t>(taps.first(i));
    std::array<Pixel, kRowsAtOnce> sum;
    sum.fill(Pixel{0.5f, 0.5f, 0.5f, 0.5f});
    for (const float weight : taps.weights(i)) {
      const Pixel w{weight, weight, weight, weight};
      for (std::size_t r = 0; r < kRowsAtOnce; ++r) sum[r] += load(rows.row(r) + at) * w;
      at += 3;
    }
    for (std::size_t r = 0; r < kRowsAtOnce; ++r) {
      std::memcpy(sums.row(r) + 3 * i, &sum[r], sizeof sum[r]);
    }
  }
}

/// Rows [rows.first, rows.last) of the source, filtered along x.
Image filter_horizontally(const Image& image, const Box& box, const FilterTaps& taps,
                          const TapRange& rows) {
  Image out(static_cast<int>(taps.outputs()), rows.last - rows.first);
  const TapRange columns = taps.range();
  const std::size_t before = 3 * static_cast<std::size_t>(columns.first);
  const std::size_t used = 3 * static_cast<std::size_t>(columns.last) - before;
  const std::size_t values = 3 * taps.outputs();
  RowBlock block(before + used), sums(values);
  for (int y = 0; y < out.height; y += static_cast<int>(kRowsAtOnce)) {
    const std::size_t count = std::min<std::size_t>(kRowsAtOnce, out.height - y);
    for (std::size_t r = 0; r < count; ++r) {
      const std::uint8_t* from = source_row(image, box, rows.first + y + static_cast<int>(r));
      widen({from + before, used}, block.row(r) + before);
    }
    filter_rows(block, taps, sums);  // of a last, shorter block some rows for nothing
    for (std::size_t r = 0; r < count; ++r) {
      narrow({sums.row(r), values}, out.row(y + static_cast<int>(r)));
    }
  }
  return out;
}

/// `rows` holds source rows from number first_row on; filtered along y.
Image filter_vertically(const Image& rows, int first_row, const FilterTaps& taps) {
  Image out(rows.width, static_cast<int>(taps.outputs()));
  const std::size_t values = static_cast<std::size_t>(rows.width) * 3;
  std::vector<float> sums(values);
  for (int y = 0; y < out.height; ++y) {
    const std::size_t i = static_cast<std::size_t>(y);
    std::ranges::fill(sums, 0.5f);  // the rounding, added once
    int from = taps.first(i) - first_row;
    for (const float weight : taps.weights(i)) {
      const std::uint8_t* row = rows.row(from++);
      for (std::size_t v = 0; v < values; ++v) sums[v] += weight * static_cast<float>(row[v]);
    }
    narrow(sums, out.row(y));
  }
  return out;
}

Image copy_box(const Image& image, const Box& box) {
  Image out(box.width, box.height);
  for (int y = 0; y < box.height; ++y) {
    std::copy_n(source_row(image, box, y), 3 * static_cast<std::size_t>(box.width), out.row(y));
  }
  return out;
}

/// Horizontally first, to 8 bits, then vertically: Pillow's order and rounding.
Image resample_filtered(const Image& image, const ResampleSpec& spec) {
  const FilterTaps down(spec.y, spec.interpolation);
  const bool same_width = spec.x.to == spec.x.from;
  const bool same_height = spec.y.to == spec.y.from;
  const int first_row = static_cast<int>(spec.y.first);  // used where it is one of the source
  const TapRange rows = same_height ? TapRange{first_row, first_row + spec.y.count} : down.range();
  Image slim = same_width
                   ? copy_box(image, {.left = spec.source_box.left + static_cast<int>(spec.x.first),
                                      .top = spec.source_box.top + rows.first,
                                      .width = spec.x.count,
                                      .height = rows.last - rows.first})
                   : filter_horizontally(image, spec.source_box,
                                         FilterTaps(spec.x, spec.interpolation), rows);
  if (same_height) return slim;
  return filter_vertically(slim, rows.first, down);
}

/// Source index of every output: floor((i + ½) · from / to), summed step by step as Pillow does, so
/// that ties fall the same way.
std::vector<int> nearest_indices(const ResampleAxis& axis) {
  std::vector<int> indices(static_cast<std::size_t>(axis.count));
  const double step = static_cast<double>(axis.from) / static_cast<double>(axis.to);
  // Step by step from 0 would be slow for a window far out; multiplication is exact enough there.
  double at = step * 0.5;
  constexpr std::int64_t kMaxSteps = 1 << 20;
  if (axis.first > kMaxSteps) {
    at += step * static_cast<double>(axis.first);
  } else {
    for (std::int64_t i = 0; i < axis.first; ++i) at += step;
  }
  for (int& index : indices) {
    index = std::min(static_cast<int>(at), axis.from - 1);
    at += step;
  }
  return indices;
}

Image resample_nearest(const Image& image, const ResampleSpec& spec) {
  const std::vector<int> columns = nearest_indices(spec.x), rows = nearest_indices(spec.y);
  Image out(spec.x.count, spec.y.count);
  for (int y = 0; y < out.height; ++y) {
    const std::uint8_t* from =
        source_row(image, spec.source_box, rows[static_cast<std::size_t>(y)]);
    std::uint8_t* to = out.row(y);
    for (const int x : columns) {
      std::copy_n(from + 3 * static_cast<std::ptrdiff_t>(x), 3, to);
      to += 3;
    }
  }
  return out;
}

/// Where one output of the plain bilinear resize lies between two samples.
struct Between {
  int low = 0, high = 0;
  float fraction = 0;
};

std::vector<Between> between_samples(const ResampleAxis& axis) {
  std::vector<Between> places(static_cast<std::size_t>(axis.count));
  const float scale = static_cast<float>(axis.from) / static_cast<float>(axis.to);
  for (int i = 0; i < axis.count; ++i) {
    const float at = (static_cast<float>(axis.first + i) + 0.5f) * scale - 0.5f;
    const float floor = std::floor(at);
    const int low = static_cast<int>(floor);
    places[static_cast<std::size_t>(i)] = {.low = std::clamp(low, 0, axis.from - 1),
                                           .high = std::clamp(low + 1, 0, axis.from - 1),
                                           .fraction = at - floor};
  }
  return places;
}

float mix(float a, float b, float fraction) {
  return a + (b - a) * fraction;
}

Image resample_bilinear(const Image& image, const ResampleSpec& spec) {
  const std::vector<Between> columns = between_samples(spec.x), rows = between_samples(spec.y);
  Image out(spec.x.count, spec.y.count);
  for (int y = 0; y < out.height; ++y) {
    const Between& row = rows[static_cast<std::size_t>(y)];
    const std::uint8_t* top = source_row(image, spec.source_box, row.low);
    const std::uint8_t* bottom = source_row(image, spec.source_box, row.high);
    std::uint8_t* to = out.row(y);
    for (const Between& column : columns) {
      for (int c = 0; c < 3; ++c) {
        const std::ptrdiff_t left = 3 * static_cast<std::ptrdiff_t>(column.low) + c;
        const std::ptrdiff_t right = 3 * static_cast<std::ptrdiff_t>(column.high) + c;
        const float above = mix(top[left], top[right], column.fraction);
        const float below = mix(bottom[left], bottom[right], column.fraction);
        *to++ = round_to_byte(mix(above, below, row.fraction));
      }
    }
  }
  return out;
}

}  // namespace

Image resample(const Image& image, const ResampleSpec& spec) {
  assert(spec.x.from == spec.source_box.width && spec.y.from == spec.source_box.height);
  assert(spec.x.count >= 1 && spec.y.count >= 1);
  switch (spec.interpolation) {
    case Interpolation::kNearest:
      return resample_nearest(image, spec);
    case Interpolation::kBilinear:
      return resample_bilinear(image, spec);
    case Interpolation::kBilinearAntialiased:
    case Interpolation::kBicubic:
      break;
  }
  return resample_filtered(image, spec);
}

}  // namespace engraft
