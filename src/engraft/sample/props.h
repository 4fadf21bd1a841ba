#pragma once

#include "engraft/sample/layer.h"
#include "engraft/sample/noise.h"
#include "engraft/sample/scene.h"

namespace engraft::plates {

/// Things around a plate, and the shadows they cast, not yet blurred.
struct Props {
  Layer on_table, table_shadow;  ///< below the plate
  Layer on_plate, plate_shadow;  ///< above it
  explicit Props(Size size)
      : on_table(size, LayerKind::kColour),
        table_shadow(size, LayerKind::kMask),
        on_plate(size, LayerKind::kColour),
        plate_shadow(size, LayerKind::kMask) {}
};

/// Perhaps a napkin, a cup, a fork, a knife, a spoon, on the table or across the plate: as often
/// with clean plates as with dirty ones.
void draw_props(Props& props, Rng& rng, const Scene& scene);

}  // namespace engraft::plates
