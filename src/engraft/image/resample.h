#pragma once

#include <cstdint>

#include "engraft/image/image.h"
#include "engraft/image/resize.h"

namespace engraft {

/// One direction of a resize: `from` samples become `to`, of which only [first, first + count) are
/// wanted. `to` may be far more than an int holds when a thin picture is blown up to be cropped.
struct ResampleAxis {
  int from = 0;
  std::int64_t to = 0;
  std::int64_t first = 0;
  int count = 0;
};

/// The part [x] × [y] of `source` resized to x.to × y.to; the same pixels as resizing all of it and
/// cropping afterwards, without the work. source_box is the part of `image` that counts as the
/// whole picture: nothing outside is looked at.
struct ResampleSpec {
  Box source_box;
  ResampleAxis x, y;
  Interpolation interpolation = Interpolation::kBilinearAntialiased;
};

[[nodiscard]] Image resample(const Image& image, const ResampleSpec& spec);

}  // namespace engraft
