#include "engraft/run/summary_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "engraft/data/split.h"
#include "engraft/run/choose_recipe.h"

namespace engraft {
namespace {

/// How many validation or test pictures are exact copies of a training picture: possible only where
/// folders or a split file put them there.
int copies_across(const Material& material, const Holdout& holdout) {
  std::set<int> trained;
  for (const std::size_t sample : holdout.samples_in(Subset::kTrain))
    trained.insert(material.groups[sample]);
  int copies = 0;
  for (const Subset subset : {Subset::kValidation, Subset::kTest}) {
    for (const std::size_t sample : holdout.samples_in(subset))
      copies += trained.contains(material.groups[sample]);
  }
  return copies;
}

/// Did folders say which part some picture belongs to?
bool has_folders(const Material& material) {
  return std::ranges::any_of(material.dataset.samples, [](const Sample& sample) {
    return sample.subset != Subset::kUnassigned;
  });
}

/// "95.8 % at a loss of 0.1278"
std::string figures(const TrainingResult& result, int epoch) {
  const EpochResult& of = result.history.at(static_cast<std::size_t>(epoch) - 1);
  return fmt::format("{:.1f} % at a loss of {:.4f}", 100 * of.val_accuracy, of.val_loss);
}

/// Which of head and fine-tuned network was kept, and why.
std::string comparison(const TrainingResult& result) {
  const std::string kept = figures(result, result.best_epoch);
  const std::string other = figures(result, result.rival_epoch);
  if (result.best_epoch > result.rival_epoch) {
    return fmt::format(
        "The fine-tuned network was kept: on the validation pictures it has {}, the head had {}.",
        kept, other);
  }
  return fmt::format(
      "The head was kept: on the validation pictures it has {}, what fine-tuning made of it {} at "
      "its best; last.onnx is the network after the last epoch of that.",
      kept, other);
}

}  // namespace

std::string few_for_scratch(const Holdout& holdout, const TrainRequest& request) {
  std::size_t pictures = holdout.trained().size();
  if (!holdout.folds.empty()) pictures -= pictures / static_cast<std::size_t>(holdout.fold_count());
  if (request.recipe != RecipeKind::kFromScratch || pictures >= kFewForScratch) return {};
  return fmt::format(
      "{} training pictures are far too few for a network from random weights, which needs "
      "thousands; without --from-scratch it begins with pre-trained ones.",
      pictures);
}

std::string evaluated_on(const Holdout& holdout, const TrainingResult& result) {
  if (!holdout.folds.empty()) {
    return fmt::format("{} pictures, each held out in one of {} folds", result.held_out.size(),
                       holdout.fold_count());
  }
  const bool tested = !holdout.samples_in(Subset::kTest).empty();
  return fmt::format("{} {} pictures", result.held_out.size(), tested ? "test" : "validation");
}

std::vector<std::string> notes_on(const TrainingJob& job, const TrainingResult& result) {
  const Material& material = job.material;
  const Holdout& holdout = job.holdout;
  const TrainRequest& request = job.request;
  std::vector<std::string> notes;
  if (!request.base_note.empty()) notes.push_back(request.base_note);
  if (result.rival_epoch > 0) notes.push_back(comparison(result));
  if (!job.recipe.tuning && !request.tuning_given.empty()) {
    notes.push_back(
        fmt::format("Nothing was fine-tuned, and so {} had nothing to do; --fine-tune last does it "
                    "in any case.",
                    request.tuning_given));
  }
  if (std::string few = few_for_scratch(holdout, request); !few.empty()) {
    notes.push_back(std::move(few));
  }
  const bool chosen_here = holdout.folds.empty() && holdout.samples_in(Subset::kTest).empty() &&
                           request.training.keep == Keep::kBestEpoch;
  if (chosen_here) {
    notes.emplace_back(
        "The epoch was chosen on the same validation pictures, which flatters a little; --folds 5 "
        "or a test folder does not.");
  }
  if (!holdout.folds.empty()) {
    notes.emplace_back(
        "The accuracy is that of models trained on part of the pictures; model.onnx is trained on "
        "all.");
    if (is_chosen_on_held_out(holdout, request)) {
      notes.emplace_back(
          "How far to train was chosen on all pictures, the held-out ones among them, which may "
          "flatter a little; --fine-tune last or --recipe head chooses beforehand.");
    }
    if (request.precision == Precision::kInt8 && !job.ranges.empty()) {
      notes.emplace_back(
          "The scales of the base's 8-bit arithmetic were set on pictures of all folds, without "
          "their labels.");
    }
    if (has_folders(material)) {
      notes.emplace_back("The folders train and val were taken together and dealt into folds.");
    }
  }
  if (const int copies = copies_across(material, holdout); copies > 0) {
    notes.push_back(
        fmt::format("{} of the pictures judged are exact copies of training pictures: the accuracy "
                    "is too high.",
                    copies));
  }
  return notes;
}

std::vector<Problem> problems_of(const Material& material, const Holdout& holdout) {
  std::vector<Problem> problems = material.dataset.problems;
  std::ranges::move(duplicate_problems(material.dataset.samples, material.dataset.class_names,
                                       material.groups, holdout.subsets),
                    std::back_inserter(problems));
  return problems;
}

std::string kept_stages(const TrainingResult& result) {
  std::string names;
  for (const StageStart& stage : result.stages) {
    if (result.best_epoch > 0 && stage.first_epoch > result.best_epoch) break;
    names += (names.empty() ? "" : ", ") + stage.name;
  }
  return names;
}

}  // namespace engraft
