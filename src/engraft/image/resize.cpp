#include "engraft/image/resize.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"
#include "engraft/image/resample.h"

namespace engraft {

std::string_view name_of(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kNearest:
      return "nearest";
    case Interpolation::kBilinear:
      return "bilinear";
    case Interpolation::kBilinearAntialiased:
      return "bilinear_antialiased";
    case Interpolation::kBicubic:
      return "bicubic";
  }
  return "unknown";
}

Image resize(const Image& image, Size to, Interpolation interpolation) {
  if (image.width < 1 || image.height < 1 || to.width < 1 || to.height < 1) {
    throw Error(ErrorKind::kUsage, fmt::format("cannot resize a picture from {} × {} to {} × {}",
                                               image.width, image.height, to.width, to.height));
  }
  if (to == image.size()) return image;
  return resample(image, {.source_box = {.width = image.width, .height = image.height},
                          .x = {.from = image.width, .to = to.width, .count = to.width},
                          .y = {.from = image.height, .to = to.height, .count = to.height},
                          .interpolation = interpolation});
}

bool contains(Size picture, const Box& box) {
  return box.left >= 0 && box.top >= 0 && box.width >= 1 && box.height >= 1 &&
         box.width <= picture.width && box.left <= picture.width - box.width &&
         box.height <= picture.height && box.top <= picture.height - box.height;
}

Image crop(const Image& image, const Box& box) {
  if (!contains(image.size(), box)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("cannot crop {} × {} at ({}, {}) from a picture of {} × {}", box.width,
                            box.height, box.left, box.top, image.width, image.height));
  }
  Image out(box.width, box.height);
  for (int y = 0; y < box.height; ++y) {
    std::copy_n(image.row(box.top + y) + 3 * static_cast<std::ptrdiff_t>(box.left),
                3 * static_cast<std::size_t>(box.width), out.row(y));
  }
  return out;
}

Image flip_horizontal(const Image& image) {
  Image out(image.width, image.height);
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* from = image.row(y);
    std::uint8_t* to = out.row(y) + 3 * static_cast<std::ptrdiff_t>(image.width);
    for (int x = 0; x < image.width; ++x, from += 3) {
      to -= 3;
      std::copy_n(from, 3, to);
    }
  }
  return out;
}

}  // namespace engraft
