#include "engraft/run/train_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>

#include "engraft/data/split.h"
#include "engraft/run/artifacts.h"
#include "engraft/run/holdout.h"
#include "engraft/run/material.h"
#include "engraft/run/run_folder.h"
#include "engraft/run/training_pictures.h"
#include "engraft/run/validate.h"

namespace engraft {
namespace {

/// A run folder among the pictures would be taken for pictures by the next run.
void keep_out_of_pictures(const TrainRequest& request) {
  namespace fs = std::filesystem;
  const fs::path pictures = fs::weakly_canonical(request.pictures);
  for (fs::path folder = fs::weakly_canonical(request.run); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (folder != pictures) continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: lies in the folder of pictures; choose another place with --out",
                            request.run.string()));
  }
}

std::string evaluated_on(const Holdout& holdout, const HeadResult& result) {
  if (!holdout.folds.empty()) {
    return fmt::format("{} pictures, each held out in one of {} folds", result.held_out.size(),
                       holdout.fold_count());
  }
  const bool tested = !holdout.samples_in(Subset::kTest).empty();
  return fmt::format("{} {} pictures", result.held_out.size(), tested ? "test" : "validation");
}

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

std::vector<std::string> notes_on(const Material& material, const Holdout& holdout,
                                  const TrainRequest& request) {
  std::vector<std::string> notes;
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

std::vector<std::size_t> trained_samples(const Material& material, const Holdout& holdout) {
  if (holdout.folds.empty()) return holdout.samples_in(Subset::kTrain);
  std::vector<std::size_t> all(material.dataset.samples.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

Model assemble(const Model& base_model, const Network& base, const Material& material,
               const Holdout& holdout, const HeadResult& result, const TrainRequest& request) {
  Model model;
  model.network = graft(base, result.head.head);
  model.preprocessing = base_model.preprocessing;
  model.labels = material.dataset.class_names;
  model.provenance = base_model.provenance;
  model.provenance["base"] = request.base.filename().string();
  model.provenance["base_fingerprint"] = fingerprint(base.graph, base.weights).hex();
  model.provenance["features"] = std::string(name_of(request.level));
  model.provenance["head"] = std::string(name_of(request.training.head));
  model.provenance["loss"] = std::string(name_of(request.training.loss));
  model.provenance["seed"] = std::to_string(request.training.seed);
  std::vector<Digest> contents;
  for (const std::size_t sample : trained_samples(material, holdout))
    contents.push_back(material.contents[sample]);
  model.provenance["trained_on"] = fmt::format("{} pictures", contents.size());
  model.provenance[std::string(kTrainingPicturesKey)] = encode_training_pictures(contents);
  return model;
}

}  // namespace

TrainSummary train_run(const TrainRequest& request, Progress& progress,
                       const std::stop_token& stop) {
  const auto start = std::chrono::steady_clock::now();
  validate(request);
  keep_out_of_pictures(request);
  RunFolder folder(
      request.run);  // first: an unwritable place must not cost the user the whole computation
  ThreadPool pool(request.threads);
  const Model base_model = load_model(request.base, request.load);
  const Network base = base_at(base_model, request.level);
  const FeatureRequest feature_request{.base = &base,
                                       .preprocessing = base_model.preprocessing,
                                       .orientation = request.orientation,
                                       .cache = request.cache};

  const Material material = gather_material(request, feature_request, pool, progress, stop);
  const Holdout holdout = hold_out(material, request);
  const TrainingRows rows(material, trained_samples(material, holdout), request, feature_request,
                          pool, progress, stop);
  const HeadResult result = train_with_holdout(material, rows, holdout, request, progress, stop);
  const Model model = assemble(base_model, base, material, holdout, result, request);

  TrainSummary summary;
  summary.run = request.run;
  summary.class_names = material.dataset.class_names;
  summary.evaluation = evaluate(result.probabilities, labels_of(material, result.held_out),
                                material.dataset.class_names);
  summary.evaluated_on = evaluated_on(holdout, result);
  summary.folds = result.fold_accuracies;
  summary.history = result.history;
  summary.best_epoch = holdout.folds.empty() ? result.head.best_epoch : 0;
  summary.problems = problems_of(material, holdout);
  summary.notes = notes_on(material, holdout, request);
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  throw_if_stopped(stop);
  write_artifacts({.request = &request,
                   .material = &material,
                   .holdout = &holdout,
                   .result = &result,
                   .model = &model,
                   .summary = &summary},
                  folder, pool);
  summary.earlier = folder.commit();
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return summary;
}

}  // namespace engraft
