#pragma once

#include "engraft/train/distiller.h"

namespace engraft {

/// Seconds.
struct DistillTimes {
  double fresh = 0;     ///< of an epoch on views that are new
  double returned = 0;  ///< of one on views that come again, where they do
  double look = 0;      ///< of a look at the pictures held out, and at the probe
};

/// Tries a few steps and a look, and goes back to where the distillation was.
[[nodiscard]] DistillTimes measure_distilling(Distiller& distiller);

/// Epochs that so many seconds hold, with the looks that so long a run has, where the first
/// options.views are fresh (0: all are): at least 1.
[[nodiscard]] int epochs_in(double seconds, const DistillTimes& times,
                            const DistillOptions& options);

}  // namespace engraft
