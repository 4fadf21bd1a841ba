#pragma once

#include "engraft/sample/noise.h"
#include "engraft/sample/shading.h"

namespace engraft::plates {

/// Lens and sensor: vignetting, a slight blur, exposure with a soft shoulder, contrast, noise.
[[nodiscard]] Image photograph(Radiance picture, const Camera& camera, Rng& rng);

}  // namespace engraft::plates
