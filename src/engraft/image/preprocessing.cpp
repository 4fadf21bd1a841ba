#include "engraft/image/preprocessing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engraft/base/error.h"
#include "engraft/base/rng.h"
#include "engraft/image/augment_crop.h"
#include "engraft/image/resample.h"

namespace engraft {
namespace {

constexpr std::uint8_t kBars = 128;
constexpr float kLeastArea = 0.6f;
/// The largest factor between the sides of a view's crop; the smallest is its inverse.
constexpr double kMostStretch = 9.0 / 8.0;

void check(const Image& image, const Preprocessing& preprocessing) {
  if (image.width < 1 || image.height < 1) {
    throw Error(ErrorKind::kUsage, "cannot fit an empty picture");
  }
  if (preprocessing.width < 1 || preprocessing.height < 1) {
    throw Error(ErrorKind::kUsage, fmt::format("cannot fit a picture to {} × {}",
                                               preprocessing.width, preprocessing.height));
  }
}

void check(const Image& image, const Box& part) {
  if (!contains(image.size(), part)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("cannot fit {} × {} at ({}, {}) of a picture of {} × {}", part.width,
                            part.height, part.left, part.top, image.width, image.height));
  }
}

Box whole_of(const Image& image) {
  return {.width = image.width, .height = image.height};
}

/// The side before the cut of which `side` is the part that stays; torchvision's 256 of 224.
int side_before_cut(int side, float fraction) {
  return std::max(side, static_cast<int>(std::lround(static_cast<float>(side) / fraction)));
}

Image stretch(const Image& image, const Box& part, Size to, Interpolation interpolation) {
  return resample(image, {.source_box = part,
                          .x = {.from = part.width, .to = to.width, .count = to.width},
                          .y = {.from = part.height, .to = to.height, .count = to.height},
                          .interpolation = interpolation});
}

/// Where a cut of `count` out of `to` begins: half the rest, a half rounded to even as
/// torchvision's CenterCrop does.
std::int64_t centre_cut(std::int64_t to, int count) {
  const std::int64_t rest = to - count;
  const std::int64_t half = rest / 2;
  return rest % 2 != 0 && half % 2 != 0 ? half + 1 : half;
}

Image fit_crop(const Image& image, const Preprocessing& p) {
  const std::int64_t width = side_before_cut(p.width, p.crop_fraction);
  const std::int64_t height = side_before_cut(p.height, p.crop_fraction);
  ResampleAxis x{.from = image.width, .to = width, .count = p.width};
  ResampleAxis y{.from = image.height, .to = height, .count = p.height};
  // The side that needs the larger factor fits exactly; the other follows, rounded down.
  if (width * image.height >= height * image.width) {
    y.to = std::max<std::int64_t>(width * image.height / image.width, p.height);
  } else {
    x.to = std::max<std::int64_t>(height * image.width / image.height, p.width);
  }
  x.first = centre_cut(x.to, x.count);
  y.first = centre_cut(y.to, y.count);
  return resample(
      image, {.source_box = whole_of(image), .x = x, .y = y, .interpolation = p.interpolation});
}

/// round(a · b / c), at least 1.
int scaled(int a, int b, int c) {
  const std::int64_t product = std::int64_t{a} * b;
  return static_cast<int>(std::max<std::int64_t>((product + c / 2) / c, 1));
}

Image fit_pad(const Image& image, const Box& part, const Preprocessing& p) {
  Size inner{p.width, p.height};
  if (std::int64_t{p.width} * part.height <= std::int64_t{p.height} * part.width) {
    inner.height = scaled(part.height, p.width, part.width);
  } else {
    inner.width = scaled(part.width, p.height, part.height);
  }
  const Image resized = stretch(image, part, inner, p.interpolation);
  if (inner == Size{p.width, p.height}) return resized;

  Image out(p.width, p.height);
  std::ranges::fill(out.pixels, kBars);
  const int left = (p.width - inner.width) / 2;
  const int top = (p.height - inner.height) / 2;
  for (int y = 0; y < inner.height; ++y) {
    std::copy_n(resized.row(y), 3 * inner.width, out.row(top + y) + 3 * left);
  }
  return out;
}

int draw_offset(Rng& rng, int room) {
  return static_cast<int>(rng.below(static_cast<std::uint32_t>(room) + 1));
}

Box draw_box(Rng& rng, const Image& image, const Preprocessing& p) {
  const double area = static_cast<double>(rng.uniform(kLeastArea, 1.0f));
  const double stretch = stretch_factor(static_cast<double>(rng.uniform()), kMostStretch);
  const Size size = crop_size(image.size(), p, {.area = area, .stretch = stretch});
  Box box{.width = size.width, .height = size.height};
  box.left = draw_offset(rng, image.width - box.width);
  box.top = draw_offset(rng, image.height - box.height);
  return box;
}

}  // namespace

Preprocessing keras_preprocessing() {
  Preprocessing preprocessing;
  preprocessing.mode = ResizeMode::kCrop;
  preprocessing.interpolation = Interpolation::kBilinear;
  preprocessing.crop_fraction = 1.0f;
  preprocessing.channels = ChannelOrder::kRgb;
  preprocessing.scale.fill(1 / 127.5f);
  preprocessing.offset.fill(-1);
  return preprocessing;
}

DecodeOptions decode_options(const Preprocessing& preprocessing) {
  Size resized{preprocessing.width, preprocessing.height};
  if (preprocessing.mode == ResizeMode::kCrop) {
    resized = {side_before_cut(resized.width, preprocessing.crop_fraction),
               side_before_cut(resized.height, preprocessing.crop_fraction)};
  }
  DecodeOptions options;
  options.enough = {2 * resized.width, 2 * resized.height};
  return options;
}

Image fit(const Image& image, const Preprocessing& preprocessing) {
  check(image, preprocessing);
  switch (preprocessing.mode) {
    case ResizeMode::kSquash:
      break;
    case ResizeMode::kCrop:
      return fit_crop(image, preprocessing);
    case ResizeMode::kPad:
      return fit_pad(image, whole_of(image), preprocessing);
  }
  return resize(image, {preprocessing.width, preprocessing.height}, preprocessing.interpolation);
}

Image fit_part(const Image& image, const Box& part, const Preprocessing& preprocessing) {
  check(image, preprocessing);
  check(image, part);
  if (preprocessing.mode == ResizeMode::kPad) return fit_pad(image, part, preprocessing);
  return stretch(image, part, {preprocessing.width, preprocessing.height},
                 preprocessing.interpolation);
}

void normalise(const Image& fitted, const Preprocessing& preprocessing, std::span<float> out) {
  if (fitted.width != preprocessing.width || fitted.height != preprocessing.height ||
      out.size() != fitted.pixels.size()) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("a picture of {} × {} for an input of {} × {} and {} values", fitted.width,
                    fitted.height, preprocessing.width, preprocessing.height, out.size()));
  }
  const auto [scale0, scale1, scale2] = preprocessing.scale;
  const auto [offset0, offset1, offset2] = preprocessing.offset;
  const std::size_t first = preprocessing.channels == ChannelOrder::kRgb ? 0 : 2;
  const std::uint8_t* pixel = fitted.pixels.data();
  for (std::size_t i = 0; i + 2 < out.size(); i += 3, pixel += 3) {
    out[i] = static_cast<float>(pixel[first]) * scale0 + offset0;
    out[i + 1] = static_cast<float>(pixel[1]) * scale1 + offset1;
    out[i + 2] = static_cast<float>(pixel[2 - first]) * scale2 + offset2;
  }
}

Image fit_view(const Image& image, const Preprocessing& preprocessing, const View& view) {
  if (view.index == 0) return fit(image, preprocessing);
  check(image, preprocessing);
  Rng rng(view.seed, static_cast<std::uint64_t>(view.index), view.key);
  const Box box = draw_box(rng, image, preprocessing);
  const bool mirrored = rng.below(2) == 1;
  const Image out = fit_part(image, box, preprocessing);
  return mirrored ? flip_horizontal(out) : out;
}

}  // namespace engraft
