#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "engraft/formats/safetensors.h"
#include "engraft/train/head.h"

namespace engraft {

/// Where checkpoints and results of folds keep a training's history.
inline constexpr std::string_view kHistoryTensor = "history";

/// F64 [epochs, 7]: EpochResult's members in turn. Throws Error(kUsage) for epochs that do not
/// count from 1.
[[nodiscard]] SafetensorsEntry history_entry(std::span<const EpochResult> history);

/// The same bits again. Throws Error(kBadInput) for another type or shape, for epochs that do not
/// count from 1, and for numbers that are no float's.
[[nodiscard]] std::vector<EpochResult> history_from(const SafetensorsEntry& entry);

}  // namespace engraft
