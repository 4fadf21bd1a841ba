#include "engraft/image/resample.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "engraft/image/filter_taps.h"
#include "engraft/kernels/resample.h"

namespace engraft {
namespace {

/// A part of a picture, nothing copied.
PixelRows rows_of(const Image& image, const Box& box) {
  return {.data = image.row(box.top) + 3 * static_cast<std::ptrdiff_t>(box.left),
          .stride = 3 * static_cast<std::ptrdiff_t>(image.width),
          .width = box.width,
          .height = box.height};
}

/// Horizontally first, to 8 bits, then vertically: Pillow's order and rounding. A direction in
/// which the size stays is left out.
Image resample_filtered(const Image& image, const ResampleSpec& spec) {
  Box part = spec.source_box;
  const bool same_width = spec.x.to == spec.x.from, same_height = spec.y.to == spec.y.from;
  if (same_width) {
    part.left += static_cast<int>(spec.x.first);
    part.width = spec.x.count;
  }
  if (same_height) {
    part.top += static_cast<int>(spec.y.first);
    part.height = spec.y.count;
  }
  if (same_width && same_height) return crop(image, part);
  const auto along_x = [&](const Box& rows) {
    Image slim(spec.x.count, rows.height);
    const FilterTaps across(spec.x, spec.interpolation);
    filter_rows(rows_of(image, rows), across.table(), slim.pixels.data());
    return slim;
  };
  if (same_height) return along_x(part);

  Image out(spec.x.count, spec.y.count);
  FilterTaps down(spec.y, spec.interpolation);
  if (same_width) {
    filter_columns(rows_of(image, part), down.table(), out.pixels.data());
    return out;
  }
  const TapRange rows = down.range();
  part.top += rows.first;
  part.height = rows.last - rows.first;
  down.skip(rows.first);
  const Image slim = along_x(part);
  filter_columns(rows_of(slim, {.width = slim.width, .height = slim.height}), down.table(),
                 out.pixels.data());
  return out;
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
  const PixelRows source = rows_of(image, spec.source_box);
  Image out(spec.x.count, spec.y.count);
  for (int y = 0; y < out.height; ++y) {
    const std::uint8_t* from = source.row(rows[static_cast<std::size_t>(y)]);
    std::uint8_t* to = out.row(y);
    for (const int x : columns) {
      std::copy_n(from + 3 * static_cast<std::ptrdiff_t>(x), 3, to);
      to += 3;
    }
  }
  return out;
}

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

Image resample_bilinear(const Image& image, const ResampleSpec& spec) {
  Image out(spec.x.count, spec.y.count);
  mix_neighbours(rows_of(image, spec.source_box), between_samples(spec.y), between_samples(spec.x),
                 out.pixels.data());
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
