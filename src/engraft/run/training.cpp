#include "engraft/run/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "engraft/base/error.h"
#include "engraft/eval/metrics.h"
#include "engraft/run/event_log.h"
#include "engraft/run/int8_judgement.h"
#include "engraft/run/saved_trainings.h"
#include "engraft/run/stopwatch.h"
#include "engraft/run/training_progress.h"

namespace engraft {
namespace {

/// LabelledFeatures borrows; this owns what it borrows.
struct Rows {
  std::vector<std::size_t> groups;
  std::vector<int> labels;
  const Tensor* values;
  int views;
  [[nodiscard]] LabelledFeatures borrow() const {
    return {.values = values, .pictures = groups, .labels = labels, .views = views};
  }
};

/// One training: which samples it learns from, looks at and is judged on.
struct Part {
  std::string name;  ///< "fold1", "model"
  std::vector<std::size_t> train, validation, judged;
  Keep keep = Keep::kBestEpoch;
};

struct TrainedPart {
  Network network;
  std::optional<Network> last;
  std::vector<EpochResult> history;
  std::vector<StageStart> stages;
  int best_epoch = 0, rival_epoch = 0;
  Tensor probabilities;                  ///< [judged, classes], in the run's precision
  ActivationRanges ranges, last_ranges;  ///< of `network` and `last`, in 8-bit integers
  Tensor in_floats;                      ///< [judged, classes] in float32, then
};

double accuracy(const Tensor& probabilities, std::span<const int> labels) {
  int right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    right += best_class(probabilities.row(static_cast<std::int64_t>(i))) == labels[i] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

/// Adds a fold's history into the mean; every fold runs the same number of epochs.
void accumulate(std::vector<EpochResult>& mean, const std::vector<EpochResult>& history,
                int folds) {
  mean.resize(history.size());
  const float share = 1.0f / static_cast<float>(folds);
  for (std::size_t i = 0; i < history.size(); ++i) {
    mean[i].epoch = history[i].epoch;
    mean[i].learning_rate = history[i].learning_rate;
    mean[i].train_loss += share * history[i].train_loss;
    mean[i].train_accuracy += share * history[i].train_accuracy;
    mean[i].val_loss += share * history[i].val_loss;
    mean[i].val_accuracy += share * history[i].val_accuracy;
    mean[i].seconds += history[i].seconds;
  }
}

void put_rows(const Tensor& rows, std::span<const std::size_t> at, Tensor& table) {
  for (std::size_t i = 0; i < at.size(); ++i) {
    std::ranges::copy(rows.row(static_cast<std::int64_t>(i)),
                      table.row(static_cast<std::int64_t>(at[i])).begin());
  }
}

/// Runs the trainings of a job one after the other.
class TrainingRunner {
 public:
  explicit TrainingRunner(const TrainingJob& job)
      : job_(job),
        paths_(paths_of(job.material)),
        source_(paths_, {.decode = decode_options_of(job), .memory = job.picture_memory}),
        boundaries_(job.boundary_memory),
        classes_(static_cast<int>(job.material.dataset.class_names.size())),
        show_(
            job.progress, job.recipe,
            {.trainings = job.holdout.trainings(), .pictures = job.holdout.trained_in_an_epoch()}),
        log_(job.request.tensorboard ? std::optional(job.unfinished.folder() / kTensorBoardFolder)
                                     : std::nullopt),
        saved_(job.unfinished.checkpoints(), job.identity) {}

  TrainingResult run() { return job_.holdout.folds.empty() ? run_once() : cross_validate(); }

 private:
  TrainingResult run_once() {
    const Part part{.name = kModel,
                    .train = job_.holdout.samples_in(Subset::kTrain),
                    .validation = job_.holdout.samples_in(Subset::kValidation),
                    .judged = held_out_samples(job_.holdout),
                    .keep = job_.request.training.keep};
    TrainedPart trained = train(part);
    TrainingResult result;
    take_model(result, trained);
    result.history = std::move(trained.history);
    result.best_epoch = trained.best_epoch;
    result.rival_epoch = trained.rival_epoch;
    result.held_out = part.judged;
    result.probabilities = std::move(trained.probabilities);
    result.in_floats = std::move(trained.in_floats);
    return result;
  }

  TrainingResult cross_validate() {
    const std::size_t n = job_.material.labels.size();
    TrainingResult result;
    result.probabilities = Tensor(Shape{static_cast<std::int64_t>(n), classes_});
    if (in_int8()) result.in_floats = Tensor(result.probabilities.shape());
    const int folds = job_.holdout.fold_count();
    for (int fold = 0; fold < folds; ++fold) {
      // A held-out fold must not choose the epoch that it then judges.
      Part part{.name = fmt::format("fold{}", fold + 1),
                .train = {},
                .validation = {},
                .judged = {},
                .keep = Keep::kLastEpoch};
      for (std::size_t i = 0; i < n; ++i) {
        (job_.holdout.folds[i] == fold ? part.validation : part.train).push_back(i);
      }
      part.judged = part.validation;
      const TrainedPart trained = train(part);
      put_rows(trained.probabilities, part.judged, result.probabilities);
      if (in_int8()) put_rows(trained.in_floats, part.judged, result.in_floats);
      result.fold_accuracies.push_back(
          accuracy(trained.probabilities, labels_of(job_.material, part.judged)));
      accumulate(result.history, trained.history, folds);
    }
    Part everything{.name = kModel,
                    .train = std::vector<std::size_t>(n),
                    .validation = {},
                    .judged = {},
                    .keep = Keep::kLastEpoch};
    std::iota(everything.train.begin(), everything.train.end(), std::size_t{0});
    take_model(result, train(everything));
    result.held_out = held_out_samples(job_.holdout);
    return result;
  }

  void take_model(TrainingResult& result, const TrainedPart& trained) {
    result.network = trained.network;
    result.last = trained.last;
    result.ranges = trained.ranges;
    result.last_ranges = trained.last_ranges;
    result.stages = trained.stages;
  }

  TrainedPart train(const Part& part) {
    if (const auto saved = saved_part(part)) {
      show_.skip_training(part.train.size());
      return *saved;
    }
    TrainedPart trained;
    log_.open(part.name);
    if (job_.scratch) {
      trained.network = *job_.scratch;
    } else {
      train_head_of(part, trained);
    }
    if (job_.recipe.tuning) fine_tune(part, trained);
    if (!job_.recipe.tuning && in_int8()) judge_in_both(part, trained);
    if (part.name != kModel) save_part(part, trained);
    return trained;
  }

  void train_head_of(const Part& part, TrainedPart& trained) {
    TrainOptions options = job_.request.training;
    options.epochs = job_.recipe.head_epochs;
    options.keep = part.keep;
    if (part.keep == Keep::kLastEpoch) options.patience = 0;
    const Material& material = job_.material;
    const Rows train{job_.rows.row_groups(part.train), labels_of(material, part.train),
                     &job_.rows.values(), job_.rows.views()};
    const Rows validation{part.validation, labels_of(material, part.validation), &material.features,
                          1};
    const TrainedHead head = train_head(
        train.borrow(), validation.borrow(), classes_, options,
        [&](const EpochResult& epoch) { show_.head_epoch(epoch); }, job_.stop);
    show_.head_done(static_cast<int>(head.history.size()));
    for (const EpochResult& epoch : head.history) log_.add(epoch, 0);
    trained.network = graft(job_.base, head.head);
    trained.history = head.history;
    trained.stages.push_back({.name = "head", .first_epoch = 1});
    trained.best_epoch = head.best_epoch;
    trained.probabilities =
        part.judged.empty() ? Tensor() : apply_head(head.head, features_of(material, part.judged));
    trained.ranges = job_.ranges;
    if (!part.judged.empty() && job_.features_in_floats.size() > 0) {
      trained.in_floats = apply_head(head.head, features_in_floats(job_, part.judged));
    }
  }

  [[nodiscard]] bool in_int8() const { return job_.request.precision == Precision::kInt8; }

  /// What was trained further than the base, in floats, gets ranges of its own.
  void judge_in_both(const Part& part, TrainedPart& trained) const {
    if (trained.ranges.empty()) {
      trained.ranges = calibrate_network(job_, trained.network, part.train);
      trained.in_floats = std::move(trained.probabilities);
      trained.probabilities = predict(job_, trained.network, &trained.ranges, part.judged);
    } else if (trained.in_floats.size() == 0) {
      trained.in_floats = predict(job_, trained.network, nullptr, part.judged);
    }
    if (trained.last) trained.last_ranges = calibrate_network(job_, *trained.last, part.train);
  }

  void fine_tune(const Part& part, TrainedPart& trained) {
    FineTuneOptions options = *job_.recipe.tuning;
    options.keep = part.keep;
    if (part.keep == Keep::kLastEpoch) options.patience = 0;
    const std::vector<int> train_labels = labels_of(job_.material, part.train);
    const std::vector<int> validation_labels = labels_of(job_.material, part.validation);
    const Network start = trained.network;
    FineTuner tuner({.network = &start,
                     .preprocessing = job_.preprocessing,
                     .source = &source_,
                     .train = {part.train, train_labels},
                     .validation = {part.validation, validation_labels},
                     .options = options,
                     .boundaries = &boundaries_,
                     .views_return = !job_.holdout.folds.empty(),
                     .stop = job_.stop},
                    job_.pool);
    saved_.restore(part.name, tuner, job_.progress);
    run_steps(part.name, tuner, static_cast<int>(trained.history.size()));
    try {
      take_stage(part, options, tuner, trained);
      if (in_int8()) judge_in_both(part, trained);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kCancelled) saved_.save(part.name, tuner);
      throw;
    }
  }

  /// Steps to the end, or to a stop; a checkpoint each so many seconds and each epoch. Epochs are
  /// logged behind those that went before.
  void run_steps(const std::string& phase, FineTuner& tuner, int before) {
    Stopwatch since_saved;
    std::size_t epochs = tuner.history().size();
    for (const EpochResult& epoch : tuner.history()) log_.add(epoch, before);
    show_.begin_tuning(tuner);
    while (!tuner.finished()) {
      if (job_.stop.stop_requested()) {
        saved_.save(phase, tuner);
        throw_if_stopped(job_.stop);
      }
      tuner.step();
      show_.step_done(tuner);
      const double seconds = since_saved.seconds();
      const bool epoch_over = tuner.history().size() > epochs;
      if (epoch_over) log_.add(tuner.history().back(), before);
      epochs = tuner.history().size();
      if (seconds < job_.request.checkpoint_seconds && !epoch_over) continue;
      if (seconds < job_.request.checkpoint_seconds / 4) continue;
      saved_.save(phase, tuner);
      since_saved = {};
    }
    show_.end_tuning(tuner);
  }

  void take_stage(const Part& part, const FineTuneOptions& options, FineTuner& tuner,
                  TrainedPart& trained) {
    const int before = static_cast<int>(trained.history.size());
    const int earlier_best = trained.best_epoch;
    trained.stages.push_back({.name = options.from, .first_epoch = before + 1});
    for (EpochResult epoch : tuner.history()) {
      epoch.epoch += before;
      trained.history.push_back(epoch);
    }
    const int best = tuner.best_epoch() + before;
    const auto result = [&](int epoch) -> const EpochResult& {
      return trained.history[static_cast<std::size_t>(epoch) - 1];
    };
    const bool chooses = part.keep == Keep::kBestEpoch && !part.validation.empty();
    const bool compares = chooses && earlier_best > 0;
    const bool earlier_is_better =
        compares && std::pair(result(earlier_best).val_accuracy, -result(earlier_best).val_loss) >
                        std::pair(result(best).val_accuracy, -result(best).val_loss);
    if (compares) trained.rival_epoch = earlier_is_better ? best : earlier_best;
    if (earlier_is_better) {
      trained.last = tuner.last_network();
      return;
    }
    trained.best_epoch = best;
    if (chooses && best != static_cast<int>(trained.history.size())) {
      trained.last = tuner.last_network();
    }
    trained.network = tuner.network();
    trained.ranges.clear();
    if (!part.judged.empty()) trained.probabilities = tuner.predict(part.judged);
  }

  void save_part(const Part& part, const TrainedPart& trained) {
    if (!job_.recipe.tuning) return;  // a head is trained again sooner than read
    saved_.save_result(part.name, {.history = trained.history,
                                   .probabilities = trained.probabilities,
                                   .in_floats = trained.in_floats});
  }

  [[nodiscard]] std::optional<TrainedPart> saved_part(const Part& part) {
    if (part.name == kModel) return std::nullopt;
    auto result =
        saved_.result(part.name, {.judged = part.judged.size(),
                                  .classes = static_cast<std::size_t>(classes_),
                                  .epochs = static_cast<std::size_t>(job_.recipe.epochs()),
                                  .precision = job_.request.precision});
    if (!result) return std::nullopt;
    TrainedPart trained;
    trained.history = std::move(result->history);
    trained.probabilities = std::move(result->probabilities);
    trained.in_floats = std::move(result->in_floats);
    return trained;
  }

  static constexpr const char* kModel = "model";

  const TrainingJob& job_;
  std::vector<std::filesystem::path> paths_;
  PictureSource source_;
  BoundaryCache boundaries_;
  int classes_;
  TrainingProgress show_;
  EventLog log_;
  SavedTrainings saved_;
};

}  // namespace

std::vector<std::size_t> held_out_samples(const Holdout& holdout) {
  if (!holdout.folds.empty()) return holdout.trained();
  std::vector<std::size_t> test = holdout.samples_in(Subset::kTest);
  return test.empty() ? holdout.samples_in(Subset::kValidation) : test;
}

std::vector<std::filesystem::path> paths_of(const Material& material) {
  std::vector<std::filesystem::path> paths;
  for (const Sample& sample : material.dataset.samples) paths.push_back(sample.path);
  return paths;
}

DecodeOptions decode_options_of(const TrainingJob& job) {
  DecodeOptions options = decode_options(job.preprocessing);
  options.orientation = job.request.orientation;
  return options;
}

TrainingResult run_training(const TrainingJob& job) {
  return TrainingRunner(job).run();
}

}  // namespace engraft
