#pragma once

#include <filesystem>
#include <span>
#include <stop_token>

#include "engraft/base/thread_pool.h"
#include "engraft/image/image.h"
#include "engraft/model/model.h"

namespace engraft {

/// Pictures that are enough to set the scales of 8-bit arithmetic by.
inline constexpr std::size_t kCalibrationPictures = 64;

/// The ranges of a network's values on up to kCalibrationPictures of the pictures, spread evenly
/// over them; those that cannot be read are passed over. Throws Error(kBadInput) where none can be
/// read, Error(kUnsupported) where the network's values are infinite or NaN, Error(kCancelled) on a
/// stop.
[[nodiscard]] ActivationRanges calibrate(const Network& network, const Preprocessing& preprocessing,
                                         Orientation orientation,
                                         std::span<const std::filesystem::path> pictures,
                                         ThreadPool& pool, const std::stop_token& stop = {});

/// Calibrates a whole model on such pictures, so that it can be run in 8-bit integers. Errors as
/// calibrate()'s, and Error(kUsage) for a network that has nothing for them.
void give_ranges(Model& model, Orientation orientation,
                 std::span<const std::filesystem::path> pictures, ThreadPool& pool,
                 const std::stop_token& stop = {});

}  // namespace engraft
