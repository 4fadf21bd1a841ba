#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "engraft/image/augment_colour.h"
#include "engraft/image/image.h"

/// Small pictures for the operations of augmentation.
namespace engraft::test {

using Values = std::vector<std::uint8_t>;

inline Image grey_row(const Values& values) {
  Image image(static_cast<int>(values.size()), 1);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = values[i / 3];
  return image;
}

/// The values of a picture whose pixels must be grey.
inline Values grey_of(const Image& image) {
  Values values;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    EXPECT_EQ(image.pixels[i], image.pixels[i + 1]);
    EXPECT_EQ(image.pixels[i], image.pixels[i + 2]);
    values.push_back(image.pixels[i]);
  }
  return values;
}

inline Image adjusted(Image image, const ColourFactors& factors) {
  adjust_colours(image, factors);
  return image;
}

/// Red grows to the right and green downwards, so corners tell which part a view shows.
inline Image map_of(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.row(y)[3 * x] = static_cast<std::uint8_t>(255 * x / (width - 1));
      image.row(y)[3 * x + 1] = static_cast<std::uint8_t>(255 * y / (height - 1));
    }
  }
  return image;
}

}  // namespace engraft::test
