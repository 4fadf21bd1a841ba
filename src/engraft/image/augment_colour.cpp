#include "engraft/image/augment_colour.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>

namespace engraft {
namespace {

constexpr std::array kLuma{0.299, 0.587, 0.114};
/// U = kU · (B - Y), V = kV · (R - Y).
constexpr double kU = 0.492, kV = 0.877;

using Rgb = std::array<double, 3>;

double luma(const Rgb& rgb) {
  return kLuma[0] * rgb[0] + kLuma[1] * rgb[1] + kLuma[2] * rgb[2];
}

/// What saturation and hue make of a colour.
Rgb turn_chroma(const Rgb& rgb, const ColourFactors& factors) {
  const double angle = 2 * std::numbers::pi * factors.hue;
  const double sine = factors.saturation * std::sin(angle);
  const double cosine = factors.saturation * std::cos(angle);
  const double y = luma(rgb);
  const double u = kU * (rgb[2] - y), v = kV * (rgb[0] - y);
  const double red = y + (sine * u + cosine * v) / kV;
  const double blue = y + (cosine * u - sine * v) / kU;
  return {red, (y - kLuma[0] * red - kLuma[2] * blue) / kLuma[1], blue};
}

double mean_luma(const Image& image) {
  std::array<std::uint64_t, 3> sums{};
  for (std::size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    for (std::size_t c = 0; c < 3; ++c) sums[c] += image.pixels[i + c];
  }
  const double count = static_cast<double>(image.pixels.size()) / 3;
  return luma({static_cast<double>(sums[0]) / count, static_cast<double>(sums[1]) / count,
               static_cast<double>(sums[2]) / count});
}

constexpr int kColourBits = 16;
constexpr int kColourOne = 1 << kColourBits;

int fixed_colour(double value) {
  return static_cast<int>(std::lround(value * kColourOne));
}

/// A sum for each channel; the fourth lane fills the register.
using Lanes __attribute__((vector_size(4 * sizeof(std::int32_t)))) = std::int32_t;

/// What each value of each input channel adds to the three outputs.
using Tables = std::array<std::array<Lanes, 256>, 3>;

void fill(Tables& tables, const ColourFactors& factors, double mean) {
  // Whole numbers whose rows have the same sum: a grey then stays a grey to the last bit.
  const int row_sum = fixed_colour(factors.brightness * factors.contrast);
  std::array<std::array<int, 3>, 3> matrix{};  // [input][output]
  for (std::size_t in = 0; in < 3; ++in) {
    Rgb unit{};
    unit[in] = factors.brightness * factors.contrast;
    const Rgb out = turn_chroma(unit, factors);
    for (std::size_t c = 0; c < 3; ++c) matrix[in][c] = fixed_colour(out[c]);
  }
  for (std::size_t c = 0; c < 3; ++c) {
    matrix[c][c] = row_sum - matrix[(c + 1) % 3][c] - matrix[(c + 2) % 3][c];
  }
  const int offset = fixed_colour((1 - factors.contrast) * factors.brightness * mean) +
                     kColourOne / 2 /* to round */;
  for (std::size_t in = 0; in < 3; ++in) {
    const int start = in == 0 ? offset : 0;
    Lanes value{start, start, start, 0};
    const Lanes step{matrix[in][0], matrix[in][1], matrix[in][2], 0};
    for (Lanes& entry : tables[in]) {
      entry = value;
      value += step;
    }
  }
}

/// [0, 255] in every lane.
Lanes clamp(Lanes sum) {
  sum &= ~(sum >> 31);
  const Lanes over = (255 - sum) >> 31;
  return (sum & ~over) | (over & 255);
}

}  // namespace

void adjust_colours(Image& image, const ColourFactors& factors) {
  if (factors == ColourFactors{}) return;
  Tables tables;
  fill(tables, factors, factors.contrast == 1 ? 0 : mean_luma(image));
  std::uint8_t* pixel = image.pixels.data();
  for (std::size_t i = 0; i + 2 < image.pixels.size(); i += 3, pixel += 3) {
    const Lanes sum = tables[0][pixel[0]] + tables[1][pixel[1]] + tables[2][pixel[2]];
    const Lanes value = clamp(sum >> kColourBits);
    for (int c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(value[c]);
  }
}

}  // namespace engraft
