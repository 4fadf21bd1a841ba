#include "engraft/run/holdout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "engraft/data/split.h"
#include "engraft/eval/metrics.h"

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

Rows training_rows(const Material& material, const TrainingRows& rows,
                   std::span<const std::size_t> samples) {
  return {rows.row_groups(samples), labels_of(material, samples), &rows.values(), rows.views()};
}

Rows plain_rows(const Material& material, std::span<const std::size_t> samples) {
  return {{samples.begin(), samples.end()}, labels_of(material, samples), &material.features, 1};
}

Tensor features_of(const Material& material, std::span<const std::size_t> samples) {
  Tensor features(Shape{static_cast<std::int64_t>(samples.size()), material.features.shape()[1]});
  for (std::size_t i = 0; i < samples.size(); ++i) {
    std::ranges::copy(material.features.row(static_cast<std::int64_t>(samples[i])),
                      features.row(static_cast<std::int64_t>(i)).begin());
  }
  return features;
}

/// Counts epochs over one or several trainings for the progress line.
class EpochCounter {
 public:
  EpochCounter(Progress& progress, int trainings, int epochs)
      : progress_(progress), epochs_(epochs) {
    progress_.begin("Training the head", static_cast<std::int64_t>(trainings) * epochs, "epochs");
  }
  void operator()(const EpochResult& epoch) {
    std::string detail = fmt::format("loss {:.4f}", epoch.train_loss);
    if (!std::isnan(epoch.val_accuracy))
      detail += fmt::format("  val accuracy {:.1f} %", 100 * epoch.val_accuracy);
    detail_ = std::move(detail);
    progress_.update(finished_ + epoch.epoch, detail_);
  }
  /// A training may stop before its last epoch.
  void training_done() { progress_.update(finished_ += epochs_, detail_); }
  ~EpochCounter() { progress_.end(); }
  EpochCounter(const EpochCounter&) = delete;
  EpochCounter& operator=(const EpochCounter&) = delete;

 private:
  Progress& progress_;
  std::string detail_;
  std::int64_t finished_ = 0;
  int epochs_;
};

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

double accuracy(const Tensor& probabilities, std::span<const int> labels) {
  int right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = probabilities.row(static_cast<std::int64_t>(i));
    right += best_class(row) == labels[i] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

HeadResult cross_validate(const Material& material, const TrainingRows& rows,
                          const Holdout& holdout, const TrainRequest& request, Progress& progress,
                          const std::stop_token& stop) {
  const int classes = static_cast<int>(material.dataset.class_names.size());
  const std::size_t n = material.dataset.samples.size();
  TrainOptions options = request.training;
  options.keep = Keep::kLastEpoch;  // a held-out fold must not choose the epoch that it then judges
  options.patience = 0;
  HeadResult result;
  result.probabilities = Tensor(Shape{static_cast<std::int64_t>(n), classes});
  const int folds = holdout.fold_count();
  EpochCounter counter(progress, folds + 1, options.epochs);
  for (int fold = 0; fold < folds; ++fold) {
    std::vector<std::size_t> inside, outside;
    for (std::size_t i = 0; i < n; ++i) (holdout.folds[i] == fold ? outside : inside).push_back(i);
    const Rows train = training_rows(material, rows, inside),
               validation = plain_rows(material, outside);
    const TrainedHead head =
        train_head(train.borrow(), validation.borrow(), classes, options, std::ref(counter), stop);
    const Tensor probabilities = apply_head(head.head, features_of(material, outside));
    for (std::size_t i = 0; i < outside.size(); ++i) {
      std::ranges::copy(probabilities.row(static_cast<std::int64_t>(i)),
                        result.probabilities.row(static_cast<std::int64_t>(outside[i])).begin());
    }
    result.fold_accuracies.push_back(accuracy(probabilities, validation.labels));
    accumulate(result.history, head.history, folds);
    counter.training_done();
  }
  result.held_out.resize(n);
  std::iota(result.held_out.begin(), result.held_out.end(), std::size_t{0});
  const Rows everything = training_rows(material, rows, result.held_out);
  result.head = train_head(everything.borrow(), {}, classes, options, std::ref(counter), stop);
  return result;
}

HeadResult train_once(const Material& material, const TrainingRows& rows, const Holdout& holdout,
                      const TrainRequest& request, Progress& progress,
                      const std::stop_token& stop) {
  const int classes = static_cast<int>(material.dataset.class_names.size());
  const auto train_samples = holdout.samples_in(Subset::kTrain);
  const auto validation_samples = holdout.samples_in(Subset::kValidation);
  const auto test_samples = holdout.samples_in(Subset::kTest);
  const Rows train = training_rows(material, rows, train_samples);
  const Rows validation = plain_rows(material, validation_samples);
  HeadResult result;
  EpochCounter counter(progress, 1, request.training.epochs);
  result.head = train_head(train.borrow(), validation.borrow(), classes, request.training,
                           std::ref(counter), stop);
  counter.training_done();
  result.history = result.head.history;
  result.held_out = test_samples.empty() ? validation_samples : test_samples;
  result.probabilities = apply_head(result.head.head, features_of(material, result.held_out));
  return result;
}

/// The final model of a cross-validation is trained on every picture; those put aside for a test
/// must not be.
void require_no_test_pictures(const Dataset& dataset) {
  const bool any = std::ranges::any_of(
      dataset.samples, [](const Sample& sample) { return sample.subset == Subset::kTest; });
  if (!any) return;
  throw Error(
      ErrorKind::kUsage,
      fmt::format(
          "{}: has a test folder, which --folds would train on; leave --folds away, or move the "
          "test pictures elsewhere",
          dataset.folder.string()));
}

}  // namespace

std::vector<std::size_t> Holdout::samples_in(Subset subset) const {
  std::vector<std::size_t> samples;
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    if (subsets[i] == subset) samples.push_back(i);
  }
  return samples;
}

int Holdout::fold_count() const {
  return folds.empty() ? 0 : *std::ranges::max_element(folds) + 1;
}

std::string holdout_csv(const Holdout& holdout, const Dataset& dataset) {
  return holdout.folds.empty() ? split_csv(dataset.samples, dataset.class_names, holdout.subsets)
                               : folds_csv(dataset.samples, dataset.class_names, holdout.folds);
}

Holdout hold_out(const Material& material, const TrainRequest& request) {
  const Dataset& dataset = material.dataset;
  Holdout holdout;
  if (!request.split.empty()) {
    if (holds_folds(request.split)) {
      holdout.folds = read_folds(request.split, dataset.samples);
    } else {
      holdout.subsets = read_split(request.split, dataset.samples, dataset.class_names);
    }
  } else if (request.folds != 0) {
    require_no_test_pictures(dataset);
    holdout.folds = stratified_folds(dataset.samples, dataset.class_names, material.groups,
                                     request.folds, request.training.seed);
  } else {
    holdout.subsets =
        stratified_split(dataset.samples, dataset.class_names, material.groups,
                         {.validation = request.validation, .seed = request.training.seed});
  }
  return holdout;
}

HeadResult train_with_holdout(const Material& material, const TrainingRows& rows,
                              const Holdout& holdout, const TrainRequest& request,
                              Progress& progress, const std::stop_token& stop) {
  return holdout.folds.empty() ? train_once(material, rows, holdout, request, progress, stop)
                               : cross_validate(material, rows, holdout, request, progress, stop);
}

}  // namespace engraft
