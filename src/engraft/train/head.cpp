#include "engraft/train/head.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "engraft/base/error.h"
#include "engraft/base/progress.h"
#include "engraft/train/head_network.h"
#include "engraft/train/head_trainer.h"

namespace engraft {
namespace {

using Clock = std::chrono::steady_clock;

/// A share: low ≤ value < 1 (NaN is in no range).
void require_share(float value, const char* name) {
  require(value >= 0 && value < 1, fmt::format("{} must be in [0, 1), not {}", name, value));
}

void require_positive(int value, const char* name) {
  require(value >= 1, fmt::format("{} must be at least 1, not {}", name, value));
}

void check_options(const TrainOptions& options) {
  Schedule{.kind = options.schedule, .peak = options.learning_rate, .warmup = options.warmup}
      .check();
  require(options.weight_decay >= 0 && std::isfinite(options.weight_decay),
          fmt::format("weight decay must not be negative, not {}", options.weight_decay));
  require_share(options.dropout, "dropout");
  require_share(options.label_smoothing, "label smoothing");
  require_share(options.momentum, "momentum");
  require_positive(options.epochs, "epochs");
  require_positive(options.batch, "the batch");
  require_positive(options.hidden, "the number of hidden units");
  require(options.patience >= 0,
          fmt::format("patience must not be negative, not {}", options.patience));
}

void check_features(const LabelledFeatures& features, int classes, const char* which) {
  require(features.pictures.size() == features.labels.size(),
          fmt::format("{} {} pictures have {} labels", features.pictures.size(), which,
                      features.labels.size()));
  if (features.pictures.empty()) return;
  require(features.values != nullptr && features.values->shape().rank() == 2,
          fmt::format("the {} features are no table", which));
  require_positive(features.views, "views");
  const auto groups = static_cast<std::size_t>(features.values->shape()[0] / features.views);
  for (const std::size_t picture : features.pictures) {
    require(picture < groups,
            fmt::format("{} picture {} has no features; there are {}", which, picture, groups));
  }
  for (const int label : features.labels) {
    require(label >= 0 && label < classes,
            fmt::format("label {} is not one of the {} classes", label, classes));
  }
}

void check_all(const LabelledFeatures& train, const LabelledFeatures& validation, int classes,
               const TrainOptions& options) {
  check_options(options);
  require(classes >= 2, fmt::format("training needs two classes or more, not {}", classes));
  require(!train.pictures.empty(), "there is no picture to train on");
  check_features(train, classes, "training");
  check_features(validation, classes, "validation");
  require(train.values->shape()[1] >= 1, "the training features are empty");
  require(validation.pictures.empty() || validation.values->shape()[1] == train.values->shape()[1],
          "training and validation features differ in size");
}

void require_finite_loss(const EpochResult& result) {
  if (std::isfinite(result.train_loss)) return;
  throw Error(ErrorKind::kBadInput,
              fmt::format("the loss is no number any more in epoch {} at learning rate {}: try a "
                          "smaller one",
                          result.epoch, result.learning_rate));
}

}  // namespace

TrainedHead train_head(const LabelledFeatures& train, const LabelledFeatures& validation,
                       int classes, const TrainOptions& options,
                       const std::function<void(const EpochResult&)>& on_epoch,
                       const std::stop_token& stop) {
  check_all(train, validation, classes, options);
  HeadTrainer trainer(train, validation, classes, options);
  TrainedHead result;
  // The epoch is chosen only where that was asked for and can be done; else the last one counts.
  const bool choose = options.keep == Keep::kBestEpoch && !validation.pictures.empty();
  HeadLayers<float> best;
  float best_loss = std::numeric_limits<float>::infinity();
  for (int epoch = 1; epoch <= options.epochs; ++epoch) {
    throw_if_stopped(stop);
    const auto begin = Clock::now();
    EpochResult row = trainer.run_epoch(epoch);
    require_finite_loss(row);
    row.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    result.history.push_back(row);
    if (on_epoch) on_epoch(row);
    if (!choose) continue;
    if (row.val_loss < best_loss || best.empty()) {
      best_loss = row.val_loss;
      best = trainer.layers();
      result.best_epoch = epoch;
    } else if (options.patience > 0 && epoch - result.best_epoch >= options.patience) {
      break;
    }
  }
  if (!choose) {
    best = trainer.layers();
    result.best_epoch = options.epochs;
  }
  result.head = head_network(best, {.loss = options.loss, .dropout = options.dropout});
  return result;
}

}  // namespace engraft
