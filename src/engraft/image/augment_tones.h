#pragma once

#include "engraft/image/image.h"

/// The operations of RandAugment on single values and their neighbours.
/// Source: Cubuk et al. 2018, "AutoAugment", table 6; the formulas are Pillow's.
namespace engraft {

/// Each channel's darkest value becomes 0 and its brightest 255, what lies between in proportion,
/// rounded. A channel of one value stays.
void autocontrast(Image& image);

/// Each channel's values are spread so that their cumulative histogram is a straight line: v
/// becomes ⌊(s/2 + pixels below v) / s⌋, s = ⌊(pixels - those of the brightest value) / 255⌋. Stays
/// where s is 0.
void equalize(Image& image);

/// Values ≥ threshold become 255 - v. 256 changes nothing.
void solarize(Image& image, int threshold);

/// Keeps the upper bits of every value, 0…8.
void posterize(Image& image, int bits);

/// Blends with the picture smoothed by (1 1 1; 1 5 1; 1 1 1)/13: 0 is that, 1 the picture itself,
/// more is sharper. The outermost pixels stay. factor in [0, 2].
void sharpen(Image& image, float factor);

}  // namespace engraft
