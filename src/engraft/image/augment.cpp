#include "engraft/image/augment.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engraft/image/augment_colour.h"
#include "engraft/image/augment_crop.h"
#include "engraft/image/augment_rand.h"
#include "engraft/image/augment_warp.h"

namespace engraft {
namespace {

/// Of random erasing: the box's share of the picture and its height over its width.
constexpr double kLeastErased = 0.02, kMostErased = 0.33;
constexpr double kMostElongated = 1 / 0.3;

/// Everything that is drawn whatever is on, uniform in [0, 1), in this order.
struct Draws {
  double crop_area, crop_stretch, crop_left, crop_top;
  double mirror, upside_down, rotation;
  double brightness, contrast, saturation, hue, grayscale;
  double erase, erase_area, erase_shape, erase_left, erase_top;

  explicit Draws(Rng& rng) {
    for (double* const value :
         {&crop_area, &crop_stretch, &crop_left, &crop_top, &mirror, &upside_down, &rotation,
          &brightness, &contrast, &saturation, &hue, &grayscale, &erase, &erase_area, &erase_shape,
          &erase_left, &erase_top}) {
      *value = static_cast<double>(rng.uniform());
    }
  }
};

/// [-most, most)
double either_way(double u, float most) {
  return static_cast<double>(most) * (2 * u - 1);
}

/// Where `part` of `whole` begins, every place alike.
int place(double u, int whole, int part) {
  return static_cast<int>(u * (whole - part + 1));
}

Image crop_and_fit(const Image& image, const Preprocessing& p, const Augmentation& a,
                   const Draws& draws) {
  const bool off = a.crop_min_area == 1 && a.crop_max_stretch == 1;
  const bool empty = image.width < 1 || image.height < 1 || p.width < 1 || p.height < 1;
  if (off || empty) return fit(image, p);  // which says what is wrong
  const double least = static_cast<double>(a.crop_min_area);
  const Size size = crop_size(
      image.size(), p,
      {.area = least + (1 - least) * draws.crop_area,
       .stretch = stretch_factor(draws.crop_stretch, static_cast<double>(a.crop_max_stretch))});
  return fit_part(image,
                  {.left = place(draws.crop_left, image.width, size.width),
                   .top = place(draws.crop_top, image.height, size.height),
                   .width = size.width,
                   .height = size.height},
                  p);
}

void turn_upside_down(Image& image) {
  const std::ptrdiff_t values = std::ptrdiff_t{3} * image.width;
  for (int y = 0; y < image.height / 2; ++y) {
    std::swap_ranges(image.row(y), image.row(y) + values, image.row(image.height - 1 - y));
  }
}

ColourFactors colour_factors(const Augmentation& a, const Draws& draws) {
  const bool grey = draws.grayscale < static_cast<double>(a.grayscale);
  return {.brightness = 1 + either_way(draws.brightness, a.brightness),
          .contrast = 1 + either_way(draws.contrast, a.contrast),
          .saturation = grey ? 0 : 1 + either_way(draws.saturation, a.saturation),
          .hue = either_way(draws.hue, a.hue)};
}

/// The proportions give way where a box of that area would not fit.
Box erased_box(Size picture, const Draws& draws) {
  const double width = picture.width, height = picture.height;
  const double area =
      (kLeastErased + (kMostErased - kLeastErased) * draws.erase_area) * width * height;
  const double elongation = std::clamp(stretch_factor(draws.erase_shape, kMostElongated),
                                       area / (width * width), height * height / area);
  const auto side = [](double length, int most) {
    return std::clamp(static_cast<int>(std::lround(length)), 1, most);
  };
  Box box;
  box.width = side(std::sqrt(area / elongation), picture.width);
  box.height = side(std::sqrt(area * elongation), picture.height);
  box.left = place(draws.erase_left, picture.width, box.width);
  box.top = place(draws.erase_top, picture.height, box.height);
  return box;
}

void fill_with_noise(Image& image, const Box& box, Rng& rng) {
  for (int y = box.top; y < box.top + box.height; ++y) {
    std::uint8_t* to = image.row(y) + std::ptrdiff_t{3} * box.left;
    std::uint32_t bits = 0;
    for (int i = 0; i < 3 * box.width; ++i, bits >>= 8) {
      if (i % 4 == 0) bits = rng.next_u32();
      *to++ = static_cast<std::uint8_t>(bits);
    }
  }
}

}  // namespace

Image augment(const Image& image, const Preprocessing& preprocessing,
              const Augmentation& augmentation, Rng rng) {
  const Augmentation& a = augmentation;
  check(a);
  const Draws draws(rng);
  Image out = crop_and_fit(image, preprocessing, a, draws);
  if (draws.mirror < static_cast<double>(a.mirror)) out = flip_horizontal(out);
  if (draws.upside_down < static_cast<double>(a.upside_down)) turn_upside_down(out);
  if (a.rotation > 0) out = warp(out, rotation_by(either_way(draws.rotation, a.rotation)));
  out = rand_augment(std::move(out), a.rand_augment, a.magnitude, rng);
  adjust_colours(out, colour_factors(a, draws));
  if (draws.erase < static_cast<double>(a.erasing)) {
    fill_with_noise(out, erased_box(out.size(), draws), rng);
  }
  return out;
}

}  // namespace engraft
