#pragma once

#include <vector>

#include "engraft/sample/dirt.h"
#include "engraft/sample/noise.h"
#include "engraft/sample/props.h"
#include "engraft/sample/scene.h"

namespace engraft::plates {

/// A picture in linear light, before the camera.
struct Radiance {
  Size size;
  std::vector<Rgb> pixels;
  explicit Radiance(Size s)
      : size(s), pixels(static_cast<std::size_t>(s.width) * static_cast<std::size_t>(s.height)) {}
  [[nodiscard]] Rgb* row(int y) {
    return pixels.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(size.width);
  }
};

/// All layers drawn and flushed, shadows blurred.
struct Layers {
  const Leavings& leavings;
  const Layer& decoration;
  const Layer& plate_shadow;  ///< of the plate, on the table
  const Props& props;
};

/// Light on table, plate and things, pixel by pixel: Lambert's law for the soft light, the mirror
/// image of a window for glaze, polish and wet sauce.
[[nodiscard]] Radiance shade(const Scene& scene, const Noise& noise, const Outline& outline,
                             const Layers& layers);

}  // namespace engraft::plates
