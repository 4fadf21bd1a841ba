#pragma once

#include "engraft/image/image.h"
#include "engraft/image/preprocessing.h"

namespace engraft {

/// A factor in [1/most, most] from u uniform in [0, 1); both halves alike. No logarithm: its last
/// bit differs between systems.
[[nodiscard]] double stretch_factor(double u, double most);

/// What a crop looks like: its share of the largest box of its proportions, and its proportions
/// over those that fit() would keep (kCrop: the target's; otherwise the picture's own).
struct CropShape {
  double area = 1;
  double stretch = 1;
};

/// The crop's sides in pixels: at least 1, at most the picture's, which is not empty.
[[nodiscard]] Size crop_size(Size picture, const Preprocessing& preprocessing,
                             const CropShape& shape);

}  // namespace engraft
