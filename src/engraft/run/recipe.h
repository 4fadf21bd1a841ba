#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engraft/train/fine_tune.h"

namespace engraft {

/// What a training does after the head: stages of back-propagation, one after the other.
struct Recipe {
  std::vector<FineTuneOptions> stages;  ///< empty: the head alone
  std::string reason;                   ///< one sentence, for people
};

/// Who decides the stages.
enum class RecipeKind {
  kAuto,        ///< engraft, by the number of pictures
  kHead,        ///< the head alone
  kFineTune,    ///< TrainRequest::fine_tune, after the head
  kFromScratch  ///< TrainRequest::fine_tune, on random weights, without a head before it
};

/// Training pictures below which a head alone is the default.
inline constexpr std::size_t kFewPictures = 100;
/// A head that does as well as this leaves nothing to gain. Measured (`bench/recipes.sh`): flowers,
/// where a head alone has 86.8 %, gain 4 points by fine-tuning; street photos (97.9 %) nothing that
/// n = 234 could show; ants and bees (96.7 %) lose one to two.
inline constexpr double kGoodHead = 0.95;

/// What the default recipe decides by.
struct RecipeMaterial {
  std::size_t pictures = 0;             ///< to train on
  std::optional<double> head_accuracy;  ///< of a head alone, cross-validated on them
};

/// The default: the head alone for few pictures or where it does well enough, else the head and
/// then the last stage of the network at a lower rate. `tuned` holds the options of such a stage.
[[nodiscard]] Recipe automatic_recipe(const RecipeMaterial& material, const FineTuneOptions& tuned);

/// What is known about the time that a training has.
struct Budget {
  double seconds = 0;                  ///< left
  double seconds_per_picture = 0;      ///< of one step, measured
  std::size_t pictures_per_epoch = 0;  ///< of all trainings of the run together
};

/// The recipe with as many epochs, up to its own number, as fit; fewer than two (or its own number)
/// are not worth a stage.
[[nodiscard]] Recipe fit_to_budget(Recipe recipe, const Budget& budget);

/// Stable JSON: the plan that a run keeps to when it is resumed. identity: of everything that the
/// run's result depends on.
[[nodiscard]] std::string plan_json(const Recipe& recipe, const std::string& identity);
/// The stages of `options`, with what the plan decided. Throws Error(kBadInput) for a plan of
/// another identity, and for what is none.
[[nodiscard]] Recipe recipe_from_plan(const std::string& json, const FineTuneOptions& options,
                                      const std::string& identity);

}  // namespace engraft
