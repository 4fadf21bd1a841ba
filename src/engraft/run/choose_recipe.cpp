#include "engraft/run/choose_recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "engraft/run/head_check.h"

namespace engraft {
namespace {

std::size_t pictures_in_a_training(const Holdout& holdout) {
  if (holdout.folds.empty()) return holdout.samples_in(Subset::kTrain).size();
  const std::size_t n = holdout.folds.size();
  return n - n / static_cast<std::size_t>(holdout.fold_count());
}

std::string in_words(const std::string& from) {
  if (from == "all") return "the whole network";
  if (from == "last") return "the last stage of the network";
  const bool number = std::ranges::all_of(from, [](unsigned char c) { return std::isdigit(c); });
  return fmt::format("the network from {}{} on", number ? "layer " : "", from);
}

}  // namespace

Recipe choose_recipe(const TrainingJob& job, TryHead try_head) {
  const TrainRequest& request = job.request;
  const int head_epochs = request.training.epochs;
  switch (request.recipe) {
    case RecipeKind::kAuto: {
      RecipeMaterial material{.head_epochs = head_epochs,
                              .pictures = pictures_in_a_training(job.holdout),
                              .head_accuracy = {},
                              .has_folds = !job.holdout.folds.empty()};
      if (material.pictures >= kFewPictures && try_head == TryHead::kYes) {
        material.head_accuracy = head_accuracy(job.material, job.rows, job.holdout.trained(),
                                               request.training, job.stop);
      }
      return automatic_recipe(material, request.fine_tune);
    }
    case RecipeKind::kHead:
      return {.head_epochs = head_epochs, .tuning = {}, .reason = ""};
    case RecipeKind::kFineTune:
      return {.head_epochs = head_epochs,
              .tuning = request.fine_tune,
              .reason = "Trained the head, then " + in_words(request.fine_tune.from) + "."};
    case RecipeKind::kFromScratch:
      break;
  }
  Recipe recipe{.head_epochs = 0,
                .tuning = request.fine_tune,
                .reason = "Trained the whole network from random weights."};
  recipe.tuning->from = "all";
  return recipe;
}

bool is_chosen_on_held_out(const Holdout& holdout, const TrainRequest& request) {
  return !holdout.folds.empty() && request.recipe == RecipeKind::kAuto &&
         pictures_in_a_training(holdout) >= kFewPictures;
}

}  // namespace engraft
