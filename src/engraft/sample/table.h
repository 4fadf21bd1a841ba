#pragma once

#include "engraft/sample/noise.h"
#include "engraft/sample/scene.h"

namespace engraft::plates {

/// What the table is made of, at a point of the ground.
struct Surface {
  Rgb colour;
  float tilt_x = 0, tilt_y = 0;  ///< of its surface, as slopes: fine relief
};

[[nodiscard]] Surface table_at(const Table& table, const Noise& noise, float ground_x,
                               float ground_y);

}  // namespace engraft::plates
