#pragma once

#include <string_view>

#include "engraft/run/train_run.h"

namespace engraft {

/// Throws Error(kUsage), naming the option of the command line and the values it takes, for a
/// request that makes no sense, and Error(kNotFound) for a folder or split file that is not there;
/// for before any work.
void validate(const TrainRequest& request);

/// Throws Error(kUsage, "{option} {value}: must be {wanted}") unless ok.
void require_option(bool ok, std::string_view option, double value, std::string_view wanted);

}  // namespace engraft
