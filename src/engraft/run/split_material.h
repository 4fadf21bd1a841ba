#pragma once

#include "engraft/graph/activation_ranges.h"
#include "engraft/run/holdout.h"
#include "engraft/run/material.h"

namespace engraft {

/// A run's pictures, and which of them is used for what.
struct SplitMaterial {
  Material material;
  Holdout holdout;
  /// With 8-bit integers: of the base's values on pictures that the model is trained on; else
  /// empty.
  ActivationRanges ranges;
};

/// Of these samples, up to kCalibrationPictures, spread evenly over them: those that the scales of
/// 8-bit arithmetic are set by.
[[nodiscard]] std::vector<std::size_t> calibration_samples(std::span<const std::size_t> samples);

/// The ranges of a network's values on calibration_samples() of these pictures. Errors as
/// calibrate()'s, and Error(kUsage) for a network that has nothing for 8-bit arithmetic.
[[nodiscard]] ActivationRanges calibrate_on(const Network& network,
                                            const Preprocessing& preprocessing,
                                            const TrainRequest& request,
                                            std::span<const std::filesystem::path> pictures,
                                            ThreadPool& pool, const std::stop_token& stop);

/// Loads the pictures, extracts their features and deals them out. Where request.precision asks for
/// 8-bit integers (and there is a base) the features are made in them, with scales that no held-out
/// picture has a say in; with folds those that the final model has, set on pictures of all of them.
/// features: without ranges.
[[nodiscard]] SplitMaterial gather_and_split(const TrainRequest& request,
                                             const FeatureRequest& features, ThreadPool& pool,
                                             Progress& progress, const std::stop_token& stop);

}  // namespace engraft
