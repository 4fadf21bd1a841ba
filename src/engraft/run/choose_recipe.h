#pragma once

#include "engraft/run/training.h"

namespace engraft {

/// Whether the default recipe may try the head in cross-validation first, which takes five
/// trainings of it.
enum class TryHead { kYes, kNo };

/// What the request asks for, or, where it leaves that open, what suits the pictures. With folds,
/// the held-out pictures have a say in that.
[[nodiscard]] Recipe choose_recipe(const TrainingJob& job, TryHead try_head);

/// Whether pictures that judge had a say in the recipe: what a reader must know.
[[nodiscard]] bool is_chosen_on_held_out(const Holdout& holdout, const TrainRequest& request);

}  // namespace engraft
