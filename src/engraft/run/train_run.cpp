#include "engraft/run/train_run.h"

#include <fmt/format.h>

#include <chrono>
#include <vector>

#include "engraft/report/drawings.h"
#include "engraft/run/artifacts.h"
#include "engraft/run/budget.h"
#include "engraft/run/choose_recipe.h"
#include "engraft/run/event_log.h"
#include "engraft/run/holdout.h"
#include "engraft/run/int8_judgement.h"
#include "engraft/run/memory_plan.h"
#include "engraft/run/run_folder.h"
#include "engraft/run/split_material.h"
#include "engraft/run/starting_network.h"
#include "engraft/run/summary_notes.h"
#include "engraft/run/training.h"
#include "engraft/run/training_pictures.h"
#include "engraft/run/validate.h"
#include "engraft/train/freeze.h"
#include "engraft/version.h"

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

Model assemble(const Model& base_model, const Network& base, const Material& material,
               const Holdout& holdout, const TrainingJob& job, const TrainingResult& result) {
  const TrainRequest& request = job.request;
  Model model;
  model.network = result.network;
  model.preprocessing = job.preprocessing;
  model.labels = material.dataset.class_names;
  model.ranges = result.ranges;
  model.precision = request.precision;
  model.provenance = base_model.provenance;
  if (request.recipe == RecipeKind::kFromScratch) {
    model.provenance["base"] = fmt::format("none: MobileNetV2 {:g} from scratch", request.width);
  } else {
    model.provenance["base"] = request.base.filename().string();
    model.provenance["base_fingerprint"] = fingerprint(base.graph, base.weights).hex();
    model.provenance["features"] = std::string(name_of(request.level));
    model.provenance["head"] = std::string(name_of(request.training.head));
  }
  model.provenance["trained"] = kept_stages(result);
  model.provenance["loss"] = std::string(name_of(request.training.loss));
  model.provenance["seed"] = std::to_string(request.training.seed);
  std::vector<Digest> contents;
  for (const std::size_t sample : holdout.trained()) contents.push_back(material.contents[sample]);
  model.provenance["trained_on"] = fmt::format("{} pictures", contents.size());
  model.provenance[std::string(kTrainingPicturesKey)] = encode_training_pictures(contents);
  return model;
}

std::string identity_of(const Material& material, const Holdout& holdout, const Network& base,
                        const TrainRequest& request) {
  Sha256 hash;
  hash.update(std::string_view(kVersion)).update(request.arguments);
  if (request.precision != Precision::kFloat32) hash.update(name_of(request.precision));
  hash.update(fingerprint(base.graph, base.weights).hex());
  for (std::size_t i = 0; i < material.dataset.samples.size(); ++i) {
    hash.update(fmt::format("{} {} {}\n", material.dataset.samples[i].name, material.labels[i],
                            material.contents[i].hex()));
  }
  hash.update(holdout_csv(holdout, material.dataset));
  return hash.finish().hex();
}

/// The steps of a training run, in their order.
class TrainRun {
 public:
  TrainRun(const TrainRequest& request, Progress& progress, const std::stop_token& stop)
      : request_(request), progress_(progress), stop_(stop), pool_(request.threads) {}

  TrainSummary run() {
    // First: a place that cannot be written or drawn to must not cost the user the whole
    // computation.
    RunFolder::check(request_.run);
    require_drawing();
    UnfinishedRun unfinished(request_.run, request_.resume ? Begin::kResume : Begin::kAnew,
                             request_.command);
    if (const std::string kept = unfinished.earlier_in_words(request_.run); !kept.empty()) {
      progress_.note(kept);
    }
    RunFolder folder(request_.run);
    return unfinished.carry_out([&] { return train(folder, unfinished); });
  }

 private:
  TrainSummary train(RunFolder& folder, UnfinishedRun& unfinished) {
    const bool scratch = request_.recipe == RecipeKind::kFromScratch;
    const Model base_model = base_model_of(request_);
    const Network base = features_of_base(base_model, request_);
    if (request_.recipe == RecipeKind::kFineTune) {  // before all pictures are read
      const Network smallest = starting_network(base, request_, base_model.preprocessing, 2);
      (void)first_trained_node(smallest.graph, request_.fine_tune.from);
    }
    const FeatureRequest features{.base = &base,
                                  .preprocessing = base_model.preprocessing,
                                  .orientation = request_.orientation,
                                  .cache = request_.cache};
    const SplitMaterial split = gather_and_split(request_, features, pool_, progress_, stop_);
    const Material& material = split.material;
    const Holdout& holdout = split.holdout;
    FeatureRequest wanted = features;
    if (!split.ranges.empty()) wanted.ranges = &split.ranges;
    if (const std::string few = few_for_scratch(holdout, request_); !few.empty()) {
      progress_.note(few);
    }
    const TrainingRows rows(material, holdout.trained(), request_, wanted, pool_, progress_, stop_);
    const Network start = starting_network(base, request_, base_model.preprocessing,
                                           material.dataset.class_names.size());
    TrainingJob job{.request = request_,
                    .material = material,
                    .rows = rows,
                    .holdout = holdout,
                    .base = base,
                    .ranges = split.ranges,
                    .scratch = scratch ? &start : nullptr,
                    .preprocessing = base_model.preprocessing,
                    .recipe = Recipe(),
                    .features_in_floats = {},
                    .unfinished = unfinished,
                    .identity = identity_of(material, holdout, base, request_),
                    .pool = pool_,
                    .progress = progress_,
                    .stop = stop_};
    plan(job, start);
    if (!split.ranges.empty() && !job.recipe.tuning) {
      job.features_in_floats = held_out_features(job, features);
    }
    const TrainingResult result = run_training(job);
    const Model model = assemble(base_model, base, material, holdout, job, result);
    return finish(job, result, model, folder);
  }

  /// What to train and with how much memory.
  void plan(TrainingJob& job, const Network& start) {
    if (const auto json = job.unfinished.plan()) {
      go_on_with(*json, job, start);
      return;
    }
    BudgetMeter meter(job, [&] { return request_.budget - seconds(); });
    const bool budgeted = request_.budget > 0;
    const bool in_time = !budgeted || request_.recipe != RecipeKind::kAuto || meter.may_try_head();
    job.recipe = choose_recipe(job, in_time ? TryHead::kYes : TryHead::kNo);
    MemoryPlan memory = plan_memory(start, job.recipe, request_.memory, pool_);
    take_micro_batch(memory, job.recipe);
    std::vector<std::string> notes{memory.note};
    if (budgeted) {
      job.recipe = meter.fitted(job.recipe, start, memory);
      memory = plan_memory(start, job.recipe, request_.memory, pool_);
      take_micro_batch(memory, job.recipe);
      notes.push_back(memory.note);
    }
    if (job.recipe.tuning) {
      for (const std::string& what : notes) {
        if (what.empty()) continue;
        progress_.note(what);
        job.recipe.reason += " " + what;
      }
    }
    give_memory(memory, job);
    job.unfinished.set_plan(plan_json(job.recipe, job.identity));
  }

  /// A resumed run keeps to its plan, micro-batches included.
  void go_on_with(const std::string& json, TrainingJob& job, const Network& start) {
    job.recipe = recipe_from_plan({.json = json, .path = job.unfinished.plan_path().string()},
                                  request_.fine_tune, job.identity);
    give_memory(plan_memory(start, job.recipe, request_.memory, pool_, MicroBatch::kExactly), job);
  }

  static void take_micro_batch(const MemoryPlan& memory, Recipe& recipe) {
    if (recipe.tuning) recipe.tuning->micro_batch = memory.micro_batch;
  }
  static void give_memory(const MemoryPlan& memory, TrainingJob& job) {
    job.picture_memory = memory.pictures;
    job.boundary_memory = memory.boundaries;
  }

  TrainSummary finish(const TrainingJob& job, const TrainingResult& result, const Model& model,
                      RunFolder& folder) {
    TrainSummary summary;
    summary.run = request_.run;
    summary.class_names = job.material.dataset.class_names;
    summary.evaluation = evaluate(result.probabilities, labels_of(job.material, result.held_out),
                                  job.material.dataset.class_names);
    summary.evaluated_on = evaluated_on(job.holdout, result);
    summary.precision = model.precision;
    if (model.precision == Precision::kInt8) {
      summary.in_floats = evaluate(result.in_floats, labels_of(job.material, result.held_out),
                                   job.material.dataset.class_names);
    }
    summary.folds = result.fold_accuracies;
    summary.history = result.history;
    summary.stages = result.stages;
    summary.recipe = job.recipe.reason;
    summary.best_epoch = job.holdout.folds.empty() ? result.best_epoch : 0;
    summary.problems = problems_of(job.material, job.holdout);
    summary.notes = notes_on(job, result);
    if (!job.unfinished.earlier().empty()) {
      summary.notes.push_back(job.unfinished.earlier_in_words(request_.run));
    }
    summary.seconds = seconds();
    throw_if_stopped(stop_);
    write_artifacts({.request = &request_,
                     .material = &job.material,
                     .holdout = &job.holdout,
                     .recipe = &job.recipe,
                     .result = &result,
                     .model = &model,
                     .summary = &summary},
                    folder, pool_);
    if (request_.tensorboard) {
      copy_events(job.unfinished.folder() / kTensorBoardFolder, folder / kTensorBoardFolder);
    }
    job.unfinished.announce(folder / "results.csv");
    summary.earlier = folder.commit();
    summary.seconds = seconds();
    return summary;
  }

  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  const TrainRequest& request_;
  Progress& progress_;
  const std::stop_token& stop_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  ThreadPool pool_;
};

}  // namespace

TrainSummary train_run(const TrainRequest& request, Progress& progress,
                       const std::stop_token& stop) {
  validate(request);
  keep_out_of_pictures(request);
  return TrainRun(request, progress, stop).run();
}

}  // namespace engraft
