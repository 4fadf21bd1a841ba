#include "engraft/image/augment_crop.h"

#include <algorithm>
#include <cmath>

namespace engraft {

double stretch_factor(double u, double most) {
  const double side = 2.0 * u - 1.0;
  const double factor = 1.0 + (most - 1.0) * std::abs(side);
  return side >= 0 ? factor : 1.0 / factor;
}

Size crop_size(Size picture, const Preprocessing& preprocessing, const CropShape& shape) {
  const double own = static_cast<double>(picture.width) / static_cast<double>(picture.height);
  const double kept =
      preprocessing.mode == ResizeMode::kCrop
          ? static_cast<double>(preprocessing.width) / static_cast<double>(preprocessing.height)
          : own;
  const double proportion = kept * shape.stretch;
  const double largest_height = std::min<double>(picture.height, picture.width / proportion);
  const double height = largest_height * std::sqrt(shape.area);
  return {.width = std::clamp(static_cast<int>(height * proportion + 0.5), 1, picture.width),
          .height = std::clamp(static_cast<int>(height + 0.5), 1, picture.height)};
}

}  // namespace engraft
