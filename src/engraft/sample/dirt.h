#pragma once

#include "engraft/sample/layer.h"
#include "engraft/sample/noise.h"
#include "engraft/sample/scene.h"

namespace engraft::plates {

/// What lies on a plate, in three layers of the same size: its colour, how wet it is (gloss and
/// unevenness), how high it stands.
struct Leavings {
  Layer colour, wet, height;
  explicit Leavings(Size size)
      : colour(size, LayerKind::kColour),
        wet(size, LayerKind::kMask),
        height(size, LayerKind::kMask) {}
};

/// One to four kinds of leavings: sauce wiped about, puddles, splashes, films scraped by a fork,
/// crumbs, peas, rice, pasta, leaves, crusts; from hardly anything to a whole meal. What reaches
/// beyond the rim is for the caller to leave out.
void draw_dirt(Leavings& leavings, Rng& rng, const Scene& scene);

}  // namespace engraft::plates
