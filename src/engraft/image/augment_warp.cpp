#include "engraft/image/augment_warp.h"

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

namespace engraft {
namespace {

/// Coordinates count in 1/65536 of a pixel: integers, so that every compiler finds the same pixel.
constexpr int kCoordinateBits = 16;
constexpr int kFractionBits = 6;
constexpr std::uint64_t kOne = 1 << kFractionBits;

/// The three channels of a pixel in one word, 21 bits apart: 8 bits of value, 12 of weights.
using Packed = std::uint64_t;
constexpr int kLane = 21;

constexpr Packed pack(std::uint64_t red, std::uint64_t green, std::uint64_t blue) {
  return red | green << kLane | blue << 2 * kLane;
}

std::vector<Packed> pack(const Image& image) {
  std::vector<Packed> packed;
  packed.reserve(image.pixels.size() / 3);
  for (std::size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    packed.push_back(pack(image.pixels[i], image.pixels[i + 1], image.pixels[i + 2]));
  }
  return packed;
}

std::int64_t fixed(double pixels) {
  return std::llround(pixels * (1 << kCoordinateBits));
}

/// …2 1 0 | 0 1 2 … n-1 | n-1 n-2…
std::int64_t reflect(std::int64_t i, std::int64_t n) {
  if (i >= 0 && i < n) return i;
  if (i < 0 && i >= -n) return -1 - i;
  if (i >= n && i < 2 * n) return 2 * n - 1 - i;
  const std::int64_t turn = ((i % (2 * n)) + 2 * n) % (2 * n);
  return turn < n ? turn : 2 * n - 1 - turn;
}

class Source {
 public:
  explicit Source(const Image& image)
      : width_(image.width), height_(image.height), pixels_(pack(image)) {}

  /// The colour at a place counted from the centre of the first pixel.
  [[nodiscard]] Packed at(std::int64_t x, std::int64_t y) const {
    const std::int64_t left = x >> kCoordinateBits, top = y >> kCoordinateBits;
    const bool inside = left >= 0 && top >= 0 && left < width_ - 1 && top < height_ - 1;
    const Packed* const first = pixels_.data();
    if (inside) {
      const Packed* const above = first + top * width_ + left;
      return blend(x, y, {above[0], above[1], above[width_], above[width_ + 1]});
    }
    const std::int64_t x0 = reflect(left, width_), x1 = reflect(left + 1, width_);
    const Packed* const above = first + reflect(top, height_) * width_;
    const Packed* const below = first + reflect(top + 1, height_) * width_;
    return blend(x, y, {above[x0], above[x1], below[x0], below[x1]});
  }

 private:
  struct Neighbours {
    Packed top_left, top_right, bottom_left, bottom_right;
  };

  static std::uint64_t fraction(std::int64_t at) {
    return static_cast<std::uint64_t>(at) >> (kCoordinateBits - kFractionBits) & (kOne - 1);
  }

  static Packed blend(std::int64_t x, std::int64_t y, const Neighbours& n) {
    constexpr std::uint64_t kHalf = kOne * kOne / 2;
    const std::uint64_t u = fraction(x), v = fraction(y);
    return n.top_left * ((kOne - u) * (kOne - v)) + n.top_right * (u * (kOne - v)) +
           n.bottom_left * ((kOne - u) * v) + n.bottom_right * (u * v) + pack(kHalf, kHalf, kHalf);
  }

  std::int64_t width_, height_;
  std::vector<Packed> pixels_;
};

}  // namespace

Affine rotation_by(double degrees) {
  const double radians = degrees * std::numbers::pi / 180;
  const double sine = std::sin(radians), cosine = std::cos(radians);
  return {.xx = cosine, .xy = -sine, .yx = sine, .yy = cosine};
}

Image warp(const Image& image, const Affine& from) {
  const Source source(image);
  Image out(image.width, image.height);
  const double centre_x = (image.width - 1) / 2.0, centre_y = (image.height - 1) / 2.0;
  const std::int64_t x_step = fixed(from.xx), y_step = fixed(from.yx);
  for (int row = 0; row < out.height; ++row) {
    const double up = row - centre_y;
    // Half a step of the fractions, so that they are rounded and not cut off.
    constexpr std::int64_t kRounding = 1 << (kCoordinateBits - kFractionBits - 1);
    std::int64_t x = fixed(centre_x - from.xx * centre_x + from.xy * up + from.dx) + kRounding;
    std::int64_t y = fixed(centre_y - from.yx * centre_x + from.yy * up + from.dy) + kRounding;
    std::uint8_t* to = out.row(row);
    for (int column = 0; column < out.width; ++column, x += x_step, y += y_step, to += 3) {
      const Packed sum = source.at(x, y);
      for (int c = 0; c < 3; ++c) {
        to[c] = static_cast<std::uint8_t>(sum >> (c * kLane + 2 * kFractionBits));
      }
    }
  }
  return out;
}

}  // namespace engraft
