#pragma once

#include "engraft/model/model.h"
#include "engraft/run/train_run.h"

namespace engraft {

/// The model that is trained on, or, from scratch, none but its preprocessing.
[[nodiscard]] Model base_model_of(const TrainRequest& request);

/// The part of it that makes features; from scratch, where there is none, the means of a picture's
/// pixels, so that pictures are read and compared in the same way.
[[nodiscard]] Network features_of_base(const Model& base, const TrainRequest& request);

/// Base and head as they are going to be, but for the head's weights: zeros. From scratch
/// MobileNetV2 for these classes with random weights.
[[nodiscard]] Network starting_network(const Network& base, const TrainRequest& request,
                                       const Preprocessing& preprocessing, std::size_t classes);

}  // namespace engraft
