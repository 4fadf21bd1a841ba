#pragma once

#include <optional>

#include "engraft/run/unfinished.h"

namespace engraft {

/// The length, in epochs, of an unfinished distillation; nothing where none was set yet. Throws
/// Error(kBadInput), naming the file, where that is damaged.
[[nodiscard]] std::optional<int> planned_epochs(const UnfinishedRun& unfinished);
void plan_epochs(UnfinishedRun& unfinished, int epochs);

}  // namespace engraft
