#pragma once

#include <optional>
#include <string>

#include "engraft/train/fine_tune.h"

namespace engraft {

/// What is trained: a head, or, from scratch, none; then, perhaps, the network by back-propagation.
struct Recipe {
  int head_epochs = 0;
  std::optional<FineTuneOptions> tuning;  ///< none: the head alone
  std::string reason;                     ///< sentences for people
  /// Epochs of a training that is not stopped early.
  [[nodiscard]] int epochs() const { return head_epochs + (tuning ? tuning->epochs : 0); }
};

/// Who decides what is trained.
enum class RecipeKind {
  kAuto,        ///< engraft, by the number of pictures and how well the head does
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
  int head_epochs = 0;
  std::size_t pictures = 0;             ///< to train on
  std::optional<double> head_accuracy;  ///< of a head alone, cross-validated on them
  bool has_folds = false;               ///< then they are of all folds: no picture is put aside
};

/// The default: the head alone for few pictures or where it does well enough, else the head and
/// then the last stage of the network at a lower rate. `tuned` holds the options of that.
[[nodiscard]] Recipe automatic_recipe(const RecipeMaterial& material, const FineTuneOptions& tuned);

/// What is known about the time that the trainings of a run take together, in seconds.
struct Budget {
  double seconds = 0;        ///< left
  double head_epoch = 0;     ///< an epoch of every head
  double tuning_set_up = 0;  ///< what fine-tuning takes, however many epochs it has
  double tuning_epoch = 0;   ///< an epoch of it, with the look at the validation pictures
};

/// The recipe with as many epochs, up to its own number, as fit: first of the head, which has at
/// least one, then of fine-tuning, of which fewer than two (or its own number) are not worth it.
[[nodiscard]] Recipe fit_to_budget(Recipe recipe, const Budget& budget);

/// Stable JSON: the plan that a run keeps to when it is resumed. identity: of everything that the
/// run's result depends on.
[[nodiscard]] std::string plan_json(const Recipe& recipe, const std::string& identity);
/// A plan that was kept.
struct SavedPlan {
  std::string json;
  std::string path;  ///< errors begin with it
};

/// Fine-tuning with `options`, but what the plan decided. Throws Error(kBadInput) for a plan of
/// another identity, and for what is none.
[[nodiscard]] Recipe recipe_from_plan(const SavedPlan& plan, const FineTuneOptions& options,
                                      const std::string& identity);

/// What to say of a file of another run than this: one sentence with the way out. `file` is named.
[[nodiscard]] std::string has_changed(const std::string& file);

}  // namespace engraft
