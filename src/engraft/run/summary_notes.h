#pragma once

#include <string>
#include <vector>

#include "engraft/run/training.h"

namespace engraft {

/// "47 validation pictures"
[[nodiscard]] std::string evaluated_on(const Holdout& holdout, const TrainingResult& result);

/// Training pictures below which a network from random weights is said to have far too few.
inline constexpr std::size_t kFewForScratch = 1000;
/// What to say where that is so; else empty.
[[nodiscard]] std::string few_for_scratch(const Holdout& holdout, const TrainRequest& request);

/// What a reader of the figures must know.
[[nodiscard]] std::vector<std::string> notes_on(const TrainingJob& job,
                                                const TrainingResult& result);

/// What was wrong with the pictures, duplicates across the parts of a split among it.
[[nodiscard]] std::vector<Problem> problems_of(const Material& material, const Holdout& holdout);

/// The stages that the kept weights have gone through: "head, last".
[[nodiscard]] std::string kept_stages(const TrainingResult& result);

}  // namespace engraft
