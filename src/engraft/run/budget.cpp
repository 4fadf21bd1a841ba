#include "engraft/run/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engraft/base/error.h"
#include "engraft/run/stopwatch.h"

namespace engraft {
namespace {

/// The report, checkpoints, and what a machine does beside, take their part of the time.
constexpr double kUsable = 0.9;
/// Of the time left, for measuring.
constexpr double kForMeasuring = 0.1;
/// As many batches are measured, twice: the first time their pictures are decoded.
constexpr std::size_t kBatches = 3;
constexpr int kFewestHeadEpochs = 3;
/// What is shorter is measured again with more epochs.
constexpr double kHeadSeconds = 0.25;
/// Head trainings in head_accuracy().
constexpr int kTrials = 5;

/// Some of them, from everywhere.
std::vector<std::size_t> spread(const std::vector<std::size_t>& samples, std::size_t count) {
  count = std::min(count, samples.size());
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(samples[i * samples.size() / count]);
  return chosen;
}

/// Of steps from here to the end of the epoch, or of as many as the limit allows.
double seconds_per_picture(FineTuner& tuner, double limit, const std::stop_token& stop) {
  const Stopwatch watch;
  std::size_t pictures = 0;
  do {
    throw_if_stopped(stop);
    tuner.step();
    pictures += static_cast<std::size_t>(tuner.batch());
  } while (tuner.steps_done() % tuner.steps_per_epoch() != 0 && watch.seconds() < limit);
  return watch.seconds() / static_cast<double>(std::min(pictures, tuner.pictures_per_epoch()));
}

/// Whether all decoded pictures of a run stay in memory.
bool fit_into(std::size_t memory, PictureSource& source, std::span<const std::size_t> some,
              std::size_t all) {
  std::size_t bytes = 0;
  for (const std::size_t i : some) bytes += source.picture(i)->image.pixels.size();
  return static_cast<double>(bytes) / static_cast<double>(some.size()) * static_cast<double>(all) <=
         static_cast<double>(memory);
}

}  // namespace

BudgetMeter::BudgetMeter(const TrainingJob& job, std::function<double()> left)
    : job_(job), left_(std::move(left)) {}

double BudgetMeter::head_epoch() {
  if (head_epoch_) return *head_epoch_;
  TrainOptions options = job_.request.training;
  options.keep = Keep::kLastEpoch;
  options.patience = 0;
  const std::vector<std::size_t> samples = job_.holdout.trained();
  const std::vector<std::size_t> groups = job_.rows.row_groups(samples);
  const std::vector<int> labels = labels_of(job_.material, samples);
  const std::size_t looked_at = std::min(
      samples.size(), job_.holdout.validated_in_an_epoch() /
                          static_cast<std::size_t>(std::max(1, job_.holdout.fold_count())));
  const std::span plain = std::span(samples).first(looked_at);
  const double enough = std::min(kHeadSeconds, kForMeasuring / 2 * left_());
  const int wanted = options.epochs;
  double seconds = 0;
  for (options.epochs = std::min(wanted, kFewestHeadEpochs);;
       options.epochs = std::min(wanted, 4 * options.epochs)) {
    const Stopwatch watch;
    (void)train_head({.values = &job_.rows.values(),
                      .pictures = groups,
                      .labels = labels,
                      .views = job_.rows.views()},
                     {.values = &job_.material.features,
                      .pictures = plain,
                      .labels = std::span(labels).first(looked_at)},
                     static_cast<int>(job_.material.dataset.class_names.size()), options, {},
                     job_.stop);
    seconds = watch.seconds();
    if (seconds >= enough || options.epochs == wanted) break;
  }
  head_epoch_ = seconds / options.epochs;
  return *head_epoch_;
}

bool BudgetMeter::may_try_head() {
  constexpr double kShare = 0.25;
  return head_epoch() * job_.request.training.epochs * kTrials < kShare * left_();
}

void BudgetMeter::measure_tuning(const FineTuneOptions& given, const Network& start,
                                 const MemoryPlan& memory, Budget& budget) const {
  const double limit = kForMeasuring / 2 * left_();
  FineTuneOptions options = given;
  options.epochs = std::max(options.epochs, 2);
  const std::vector<std::size_t> samples =
      spread(job_.holdout.trained(), kBatches * static_cast<std::size_t>(options.batch));
  const std::vector<int> labels = labels_of(job_.material, samples);
  const std::vector<std::filesystem::path> paths = paths_of(job_.material);
  PictureSource source(paths, {.decode = decode_options_of(job_), .memory = memory.pictures});
  BoundaryCache boundaries(memory.boundaries);
  const Stopwatch watch;
  FineTuner tuner({.network = &start,
                   .preprocessing = job_.preprocessing,
                   .source = &source,
                   .train = {samples, labels},
                   .validation = {},
                   .options = options,
                   .boundaries = &boundaries,
                   .stop = job_.stop},
                  job_.pool);
  const double made = watch.seconds();
  const double cold = seconds_per_picture(tuner, limit, job_.stop);
  const bool again = tuner.steps_done() % tuner.steps_per_epoch() == 0 && !tuner.finished();
  const double warm = again ? std::min(cold, seconds_per_picture(tuner, limit, job_.stop)) : cold;
  const std::span seen =
      std::span(samples).first(std::min(samples.size(), static_cast<std::size_t>(options.batch)));
  const Stopwatch look;
  (void)tuner.predict(seen);
  const double look_each = look.seconds() / static_cast<double>(seen.size());

  const std::size_t all = job_.material.labels.size();
  const bool kept = fit_into(memory.pictures, source, seen, all);
  const double decode = cold - warm, again_each = kept ? 0 : decode;
  const auto judged = static_cast<double>(job_.holdout.validated_in_an_epoch());
  budget.tuning_set_up = made * job_.holdout.trainings() + judged * (look_each + again_each) +
                         (kept ? decode * static_cast<double>(all) : 0);
  budget.tuning_epoch =
      static_cast<double>(job_.holdout.trained_in_an_epoch()) * (warm + again_each) +
      judged * (look_each + again_each);
}

Recipe BudgetMeter::fitted(const Recipe& recipe, const Network& start, const MemoryPlan& memory) {
  Budget budget;
  if (recipe.head_epochs > 0) budget.head_epoch = head_epoch() * job_.holdout.trainings();
  if (recipe.tuning && left_() * kUsable > budget.head_epoch * recipe.head_epochs) {
    measure_tuning(*recipe.tuning, start, memory, budget);
  }
  budget.seconds = left_() * kUsable;
  const Recipe result = fit_to_budget(recipe, budget);
  if (recipe.head_epochs == 0 && !result.tuning) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--budget: {:g} s are too short for a network from random weights",
                            job_.request.budget));
  }
  return result;
}

}  // namespace engraft
