#pragma once

#include "engraft/sample/layer.h"
#include "engraft/sample/noise.h"
#include "engraft/sample/scene.h"

namespace engraft::plates {

/// What is painted on the plate under its glaze: bands, flowers, dots, rays, speckles, a darker
/// rim. cairo is in plate coordinates.
void draw_decoration(cairo_t* cairo, Rng& rng, const PlateStyle& plate, const Outline& outline);

}  // namespace engraft::plates
