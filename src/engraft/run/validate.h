#pragma once

#include "engraft/run/train_run.h"

namespace engraft {

/// Throws Error(kUsage), naming the option and the values it takes, for a request that makes no
/// sense; before any work.
void validate(const TrainRequest& request);

}  // namespace engraft
