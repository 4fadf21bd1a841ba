#pragma once

#include <string_view>

#include "engraft/image/image.h"

namespace engraft {

enum class Interpolation {
  kNearest,   ///< Keras load_img's (Pillow NEAREST)
  kBilinear,  ///< tf.image.resize's: two taps a side, half-pixel centres, no antialiasing
  kBilinearAntialiased,  ///< Pillow's BILINEAR: a triangle filter as wide as the scale
  kBicubic,              ///< Pillow's BICUBIC (a = -0.5), antialiased
};

[[nodiscard]] std::string_view name_of(Interpolation interpolation);

/// The whole picture at another size; both sides of `to` ≥ 1. Rounds to 8 bits.
[[nodiscard]] Image resize(const Image& image, Size to, Interpolation interpolation);

/// A part of a picture, in pixels of it; left ≥ 0, top ≥ 0, inside the picture.
struct Box {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

/// Whether a box is inside a picture of that size and not empty.
[[nodiscard]] bool contains(Size picture, const Box& box);

[[nodiscard]] Image crop(const Image& image, const Box& box);
[[nodiscard]] Image flip_horizontal(const Image& image);

}  // namespace engraft
