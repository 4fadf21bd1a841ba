#pragma once

#include "engraft/image/image.h"

namespace engraft {

/// Where an output pixel comes from: x' = xx · x + xy · y + dx, y' = yx · x + yy · y + dy, in
/// pixels from the picture's centre, y downwards.
struct Affine {
  double xx = 1, xy = 0, dx = 0;
  double yx = 0, yy = 1, dy = 0;
};

/// The picture turned counter-clockwise about its centre.
[[nodiscard]] Affine rotation_by(double degrees);

/// The picture under an affine map, the same size: bilinear, to a 64th of a pixel; what comes from
/// beyond an edge is the picture reflected there. The identity changes no bit. |coefficients| ≤ 4
/// and |dx|, |dy| at most the picture's sides.
[[nodiscard]] Image warp(const Image& image, const Affine& from);

}  // namespace engraft
