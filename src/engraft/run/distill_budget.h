#pragma once

#include "engraft/train/distiller.h"

namespace engraft {

/// Seconds of an epoch.
struct DistillTimes {
  double fresh = 0;     ///< on views that are new
  double returned = 0;  ///< on views that come again, where they do
};

/// Tries a few steps and goes back to where the distillation was.
[[nodiscard]] DistillTimes measure_distilling(Distiller& distiller);

/// Epochs that so many seconds hold, where the first `views` are fresh (0: all are): at least 1.
[[nodiscard]] int epochs_in(double seconds, const DistillTimes& times, int views);

}  // namespace engraft
