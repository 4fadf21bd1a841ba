#include "engraft/run/train_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>

#include "engraft/data/split.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/run/artifacts.h"
#include "engraft/run/head_check.h"
#include "engraft/run/holdout.h"
#include "engraft/run/material.h"
#include "engraft/run/memory_plan.h"
#include "engraft/run/run_folder.h"
#include "engraft/run/training.h"
#include "engraft/run/training_pictures.h"
#include "engraft/run/validate.h"
#include "engraft/train/freeze.h"
#include "engraft/train/head_network.h"
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

std::string evaluated_on(const Holdout& holdout, const TrainingResult& result) {
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
               const Holdout& holdout, const TrainingJob& job, const TrainingResult& result) {
  const TrainRequest& request = job.request;
  Model model;
  model.network = result.network;
  model.preprocessing = job.preprocessing;
  model.labels = material.dataset.class_names;
  model.provenance = base_model.provenance;
  if (request.recipe == RecipeKind::kFromScratch) {
    model.provenance["base"] = fmt::format("none: MobileNetV2 {:g} from scratch", request.width);
  } else {
    model.provenance["base"] = request.base.filename().string();
    model.provenance["base_fingerprint"] = fingerprint(base.graph, base.weights).hex();
    model.provenance["features"] = std::string(name_of(request.level));
    model.provenance["head"] = std::string(name_of(request.training.head));
  }
  std::string stages = request.recipe == RecipeKind::kFromScratch ? "" : "head";
  for (const FineTuneOptions& stage : job.recipe.stages) {
    stages += (stages.empty() ? "" : ", ") + stage.from;
  }
  model.provenance["trained"] = stages;
  model.provenance["loss"] = std::string(name_of(request.training.loss));
  model.provenance["seed"] = std::to_string(request.training.seed);
  std::vector<Digest> contents;
  for (const std::size_t sample : trained_samples(material, holdout))
    contents.push_back(material.contents[sample]);
  model.provenance["trained_on"] = fmt::format("{} pictures", contents.size());
  model.provenance[std::string(kTrainingPicturesKey)] = encode_training_pictures(contents);
  return model;
}

/// Nothing of pictures but their means: what stands in for a base where there is none, so that
/// pictures are read and compared in the same way.
Network no_base(const Preprocessing& preprocessing) {
  GraphBuilder g({preprocessing.height, preprocessing.width, 3});
  return {.graph = g.finish(g.apply(Op::kGlobalAveragePool, "means", g.input())), .weights = {}};
}

/// The model that is trained on, or, from scratch, none but its preprocessing.
Model base_model_of(const TrainRequest& request) {
  if (request.recipe != RecipeKind::kFromScratch) return load_model(request.base, request.load);
  Model model;
  model.preprocessing = keras_preprocessing();
  model.preprocessing.width = request.load.image_size.value_or(model.preprocessing.width);
  model.preprocessing.height = model.preprocessing.width;
  model.provenance["source"] = "engraft";
  return model;
}

/// MobileNetV2 for these classes with random weights.
Network from_scratch(const TrainRequest& request, const Preprocessing& preprocessing,
                     std::size_t classes) {
  Network network;
  network.graph = mobilenet_v2({.width = request.width,
                                .image_size = preprocessing.height,
                                .classes = static_cast<int>(classes)});
  network.weights = random_weights(network.graph, request.training.seed);
  return network;
}

std::string identity_of(const Material& material, const Holdout& holdout, const Network& base,
                        const TrainRequest& request) {
  Sha256 hash;
  hash.update(std::string_view(kVersion)).update(request.arguments);
  hash.update(fingerprint(base.graph, base.weights).hex());
  for (std::size_t i = 0; i < material.dataset.samples.size(); ++i) {
    hash.update(fmt::format("{} {} {}\n", material.dataset.samples[i].name, material.labels[i],
                            material.contents[i].hex()));
  }
  hash.update(holdout_csv(holdout, material.dataset));
  return hash.finish().hex();
}

/// Pictures that all trainings of the run together see in an epoch.
std::size_t pictures_per_epoch(const Holdout& holdout, const Material& material) {
  const auto folds = static_cast<std::size_t>(holdout.fold_count());
  return folds == 0 ? holdout.samples_in(Subset::kTrain).size() : material.labels.size() * folds;
}

std::size_t pictures_in_a_training(const Holdout& holdout, const Material& material) {
  if (holdout.folds.empty()) return holdout.samples_in(Subset::kTrain).size();
  const std::size_t n = material.labels.size();
  return n - n / static_cast<std::size_t>(holdout.fold_count());
}

RecipeMaterial recipe_material(const TrainingJob& job) {
  RecipeMaterial material{.pictures = pictures_in_a_training(job.holdout, job.material),
                          .head_accuracy = {}};
  if (material.pictures >= kFewPictures) {
    material.head_accuracy =
        head_accuracy(job.material, job.rows, trained_samples(job.material, job.holdout),
                      job.request.training, job.stop);
  }
  return material;
}

std::string in_words(const std::string& from) {
  if (from == "all") return "the whole network";
  if (from == "last") return "the last stage of the network";
  const bool number = std::ranges::all_of(from, [](unsigned char c) { return std::isdigit(c); });
  return fmt::format("the network from {}{} on", number ? "layer " : "", from);
}

Recipe recipe_of(const TrainingJob& job) {
  const TrainRequest& request = job.request;
  switch (request.recipe) {
    case RecipeKind::kAuto:
      return automatic_recipe(recipe_material(job), request.fine_tune);
    case RecipeKind::kHead:
      return {.stages = {}, .reason = ""};
    case RecipeKind::kFineTune:
      return {.stages = {request.fine_tune},
              .reason = "Trained the head, then " + in_words(request.fine_tune.from) + "."};
    case RecipeKind::kFromScratch:
      break;
  }
  FineTuneOptions stage = request.fine_tune;
  stage.from = "all";
  return {.stages = {stage}, .reason = "Trained the whole network from random weights."};
}

/// The steps of a training run, in their order.
class TrainRun {
 public:
  TrainRun(const TrainRequest& request, Progress& progress, const std::stop_token& stop)
      : request_(request), progress_(progress), stop_(stop), pool_(request.threads) {}

  TrainSummary run() {
    // First: an unwritable place must not cost the user the whole computation.
    RunFolder folder(request_.run);
    UnfinishedRun unfinished(request_.run, request_.resume ? Begin::kResume : Begin::kAnew,
                             request_.command);
    try {
      TrainSummary summary = train(folder, unfinished);
      unfinished.remove();
      return summary;
    } catch (const Error& error) {
      const bool full_disk = error.kind() == ErrorKind::kIo && unfinished.plan();
      if (error.kind() == ErrorKind::kCancelled || full_disk) unfinished.keep();
      throw;
    }
  }

 private:
  TrainSummary train(RunFolder& folder, UnfinishedRun& unfinished) {
    const bool scratch = request_.recipe == RecipeKind::kFromScratch;
    const Model base_model = base_model_of(request_);
    const Network base =
        scratch ? no_base(base_model.preprocessing) : base_at(base_model, request_.level);
    if (request_.recipe == RecipeKind::kFineTune) {  // before all pictures are read
      (void)first_trained_node(with_untrained_head(base, 2).graph, request_.fine_tune.from);
    }
    const FeatureRequest features{.base = &base,
                                  .preprocessing = base_model.preprocessing,
                                  .orientation = request_.orientation,
                                  .cache = request_.cache};
    const Material material = gather_material(request_, features, pool_, progress_, stop_);
    const Holdout holdout = hold_out(material, request_);
    const TrainingRows rows(material, trained_samples(material, holdout), request_, features, pool_,
                            progress_, stop_);
    const Network start = scratch ? from_scratch(request_, base_model.preprocessing,
                                                 material.dataset.class_names.size())
                                  : with_untrained_head(base, material.dataset.class_names.size());
    TrainingJob job{.request = request_,
                    .material = material,
                    .rows = rows,
                    .holdout = holdout,
                    .base = base,
                    .scratch = scratch ? &start : nullptr,
                    .preprocessing = base_model.preprocessing,
                    .recipe = {},
                    .unfinished = unfinished,
                    .identity = identity_of(material, holdout, base, request_),
                    .pool = pool_,
                    .progress = progress_,
                    .stop = stop_};
    plan(job, start);
    const TrainingResult result = run_training(job);
    const Model model = assemble(base_model, base, material, holdout, job, result);
    return finish(job, result, model, folder);
  }

  /// What to train and with how much memory; a resumed run keeps to its plan.
  void plan(TrainingJob& job, const Network& start) {
    const auto earlier = job.unfinished.plan();
    if (earlier) {
      job.recipe = recipe_from_plan(*earlier, request_.fine_tune, job.identity);
    } else {
      job.recipe = recipe_of(job);
      if (request_.budget > 0) fit_budget(job, start);
    }
    const MemoryPlan memory = plan_memory(start, job.recipe, request_.memory, pool_);
    job.picture_memory = memory.pictures;
    job.boundary_memory = memory.boundaries;
    if (earlier) return;
    for (FineTuneOptions& stage : job.recipe.stages) stage.micro_batch = memory.micro_batch;
    if (!memory.note.empty()) {
      progress_.note(memory.note);
      job.recipe.reason += " " + memory.note;
    }
    job.unfinished.set_plan(plan_json(job.recipe, job.identity));
  }

  /// Measures a step and leaves as many epochs as fit into the time given.
  void fit_budget(TrainingJob& job, const Network& start) {
    if (job.recipe.stages.empty()) return;
    std::vector<std::size_t> samples = trained_samples(job.material, job.holdout);
    const std::vector<int> labels = labels_of(job.material, samples);
    std::vector<std::filesystem::path> paths;
    for (const Sample& sample : job.material.dataset.samples) paths.push_back(sample.path);
    PictureSource source(paths, {.decode = decode_options(job.preprocessing), .memory = 0});
    FineTuneOptions options = job.recipe.stages.front();
    options.epochs = std::max(options.epochs, 2);  // two steps, whatever an epoch has
    FineTuner tuner({.network = &start,
                     .preprocessing = job.preprocessing,
                     .source = &source,
                     .train = {samples, labels},
                     .validation = {},
                     .options = options},
                    pool_);
    tuner.step();  // touches all memory for the first time
    const auto begin = std::chrono::steady_clock::now();
    tuner.step();
    const double step =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto batch = static_cast<double>(
        std::min<std::size_t>(samples.size(), static_cast<std::size_t>(options.batch)));
    // The report, and what a machine does beside, take their part of the time.
    constexpr double kUsable = 0.9;
    job.recipe = fit_to_budget(
        job.recipe, {.seconds = (request_.budget - seconds()) * kUsable,
                     .seconds_per_picture = step / batch,
                     .pictures_per_epoch = pictures_per_epoch(job.holdout, job.material)});
    if (job.scratch && job.recipe.stages.empty()) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("--budget: {:g} s are too short for a network from random weights",
                              request_.budget));
    }
  }

  /// The network with a head of zeros: as large as it is going to be.
  static Network with_untrained_head(const Network& base, std::size_t classes) {
    const auto in = static_cast<std::size_t>(base.graph.shape(base.graph.output()).elements());
    const std::vector<DenseParameters<float>> layers{
        DenseParameters<float>(DenseShape{.in = in, .out = classes})};
    return graft(base, head_network(layers, {}));
  }

  TrainSummary finish(const TrainingJob& job, const TrainingResult& result, const Model& model,
                      RunFolder& folder) {
    TrainSummary summary;
    summary.run = request_.run;
    summary.class_names = job.material.dataset.class_names;
    summary.evaluation = evaluate(result.probabilities, labels_of(job.material, result.held_out),
                                  job.material.dataset.class_names);
    summary.evaluated_on = evaluated_on(job.holdout, result);
    summary.folds = result.fold_accuracies;
    summary.history = result.history;
    summary.stages = result.stages;
    summary.recipe = job.recipe.reason;
    summary.best_epoch = job.holdout.folds.empty() ? result.best_epoch : 0;
    summary.problems = problems_of(job.material, job.holdout);
    summary.notes = notes_on(job.material, job.holdout, request_);
    if (!job.unfinished.earlier().empty()) {
      summary.notes.push_back(fmt::format("An unfinished run of that name is kept as {}.",
                                          job.unfinished.earlier().string()));
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
    const auto events = job.unfinished.folder() / kTensorBoardFolder;
    if (request_.tensorboard && std::filesystem::exists(events)) {
      std::filesystem::copy(events, folder / kTensorBoardFolder,
                            std::filesystem::copy_options::recursive);
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
