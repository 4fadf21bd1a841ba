#pragma once

#include "engraft/run/training.h"

namespace engraft {

/// The ranges of a network that was trained on these samples, from some of them. Errors as
/// calibrate_on()'s.
[[nodiscard]] ActivationRanges calibrate_network(const TrainingJob& job, const Network& network,
                                                 std::span<const std::size_t> trained);

/// What a network says of samples: [samples, classes]. ranges: null for floats. Throws
/// Error(kBadInput) for a picture that can no longer be read.
[[nodiscard]] Tensor predict(const TrainingJob& job, const Network& network,
                             const ActivationRanges* ranges, std::span<const std::size_t> samples);

/// The features of everything that is held out, in float32: TrainingJob::features_in_floats. Errors
/// as predict()'s.
[[nodiscard]] Tensor held_out_features(const TrainingJob& job, const FeatureRequest& in_floats);

/// Those of them that are of these samples.
[[nodiscard]] Tensor features_in_floats(const TrainingJob& job,
                                        std::span<const std::size_t> samples);

}  // namespace engraft
