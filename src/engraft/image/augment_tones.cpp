#include "engraft/image/augment_tones.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace engraft {
namespace {

using Histogram = std::array<std::uint64_t, 256>;
using Curve = std::array<std::uint8_t, 256>;

Curve straight() {
  Curve curve;
  for (std::size_t v = 0; v < 256; ++v) curve[v] = static_cast<std::uint8_t>(v);
  return curve;
}

std::array<Histogram, 3> histograms(const Image& image) {
  std::array<Histogram, 3> counts{};
  for (std::size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    for (std::size_t c = 0; c < 3; ++c) ++counts[c][image.pixels[i + c]];
  }
  return counts;
}

void apply_table(Image& image, const std::array<Curve, 3>& curves) {
  for (std::size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    for (std::size_t c = 0; c < 3; ++c) image.pixels[i + c] = curves[c][image.pixels[i + c]];
  }
}

void apply_table(Image& image, const Curve& curve) {
  for (std::uint8_t& value : image.pixels) value = curve[value];
}

Curve full_range(const Histogram& counts) {
  Curve curve = straight();
  std::size_t low = 0, high = 255;
  while (low < high && counts[low] == 0) ++low;
  while (high > low && counts[high] == 0) --high;
  if (high == low) return curve;
  const std::size_t range = high - low;
  for (std::size_t v = low; v <= high; ++v) {
    curve[v] = static_cast<std::uint8_t>(((v - low) * 255 + range / 2) / range);
  }
  return curve;
}

Curve level(const Histogram& counts) {
  std::uint64_t pixels = 0, brightest = 0;
  for (const std::uint64_t count : counts) {
    pixels += count;
    if (count > 0) brightest = count;
  }
  const std::uint64_t step = (pixels - brightest) / 255;
  Curve curve = straight();
  if (step == 0) return curve;
  std::uint64_t below = step / 2;
  for (std::size_t v = 0; v < 256; ++v) {
    curve[v] = static_cast<std::uint8_t>(std::min<std::uint64_t>(below / step, 255));
    below += counts[v];
  }
  return curve;
}

template <typename CurveOf>
void apply_to_each(Image& image, const CurveOf& curve_of) {
  const auto counts = histograms(image);
  apply_table(image, {curve_of(counts[0]), curve_of(counts[1]), curve_of(counts[2])});
}

}  // namespace

void autocontrast(Image& image) {
  apply_to_each(image, full_range);
}

void equalize(Image& image) {
  apply_to_each(image, level);
}

void solarize(Image& image, int threshold) {
  Curve curve = straight();
  for (int v = std::max(threshold, 0); v < 256; ++v) {
    curve[static_cast<std::size_t>(v)] = static_cast<std::uint8_t>(255 - v);
  }
  apply_table(image, curve);
}

void posterize(Image& image, int bits) {
  const unsigned mask = 0xFF00u >> std::clamp(bits, 0, 8) & 0xFF;
  for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(value & mask);
}

void sharpen(Image& image, float factor) {
  const Image from = image;
  const std::ptrdiff_t end = 3 * (static_cast<std::ptrdiff_t>(image.width) - 1);
  for (int y = 1; y + 1 < image.height; ++y) {
    const std::uint8_t* const above = from.row(y - 1);
    const std::uint8_t* const here = from.row(y);
    const std::uint8_t* const below = from.row(y + 1);
    std::uint8_t* const to = image.row(y);
    for (std::ptrdiff_t i = 3; i < end; ++i) {
      const int sum = above[i - 3] + above[i] + above[i + 3] + here[i - 3] + 5 * here[i] +
                      here[i + 3] + below[i - 3] + below[i] + below[i + 3];
      const float smooth = static_cast<float>(sum) / 13.0f;
      const float value = smooth + factor * (static_cast<float>(here[i]) - smooth) + 0.5f;
      const float low = value < 0.0f ? 0.0f : value;
      const float both = low > 255.0f ? 255.0f : low;
      to[i] = static_cast<std::uint8_t>(static_cast<int>(both));
    }
  }
}

}  // namespace engraft
