#pragma once

#include "engraft/image/image.h"

namespace engraft {

/// What makes a picture brighter or duller; 1, 1, 1 and 0 leave it as it is.
struct ColourFactors {
  double brightness = 1;  ///< times every channel; [0, 2]
  double contrast = 1;    ///< times the distance from the picture's mean luma; [0, 2]
  double saturation = 1;  ///< times the distance from the pixel's own luma; [0, 2]
  double hue = 0;         ///< turns of the chroma plane; the luma stays
  bool operator==(const ColourFactors&) const = default;
};

/// All four at once, rounded and clamped to 8 bits a single time. Each is linear and keeps grey
/// grey, so that their order makes no difference. Luma is 0.299 R + 0.587 G + 0.114 B, and the
/// chroma plane that of U and V. Source: ITU-R BT.601.
void adjust_colours(Image& image, const ColourFactors& factors);

}  // namespace engraft
