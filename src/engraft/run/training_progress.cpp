#include "engraft/run/training_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace engraft {
namespace {

int epochs_of(const Recipe& recipe) {
  int epochs = 0;
  for (const FineTuneOptions& stage : recipe.stages) epochs += stage.epochs;
  return epochs;
}

std::string accuracy_text(float accuracy) {
  return std::isnan(accuracy) ? std::string()
                              : fmt::format("  val accuracy {:.1f} %", 100 * accuracy);
}

/// Pictures that a stage sees in all.
std::int64_t pictures_of(const FineTuner& tuner, std::int64_t steps) {
  const std::int64_t epochs = steps / tuner.steps_per_epoch();
  const std::int64_t more = (steps % tuner.steps_per_epoch()) * tuner.batch();
  return epochs * static_cast<std::int64_t>(tuner.pictures_per_epoch()) + more;
}

}  // namespace

TrainingProgress::TrainingProgress(Progress& progress, const Recipe& recipe, const Spec& spec)
    : progress_(progress), recipe_(recipe), spec_(spec) {
  if (tunes()) {
    const auto pictures = static_cast<std::int64_t>(spec_.pictures) * epochs_of(recipe_);
    progress_.begin("Fine-tuning", pictures, "pictures");
  } else {
    progress_.begin("Training the head",
                    static_cast<std::int64_t>(spec_.trainings) * spec_.head_epochs, "epochs");
  }
}

TrainingProgress::~TrainingProgress() {
  progress_.end();
}

void TrainingProgress::show(std::int64_t done) {
  progress_.update(finished_ + done, detail_);
}

void TrainingProgress::head_epoch(const EpochResult& epoch) {
  if (tunes()) return;
  detail_ = fmt::format("loss {:.4f}", epoch.train_loss) + accuracy_text(epoch.val_accuracy);
  show(epoch.epoch);
}

void TrainingProgress::head_done() {
  if (tunes()) return;
  finished_ += spec_.head_epochs;
  show(0);
}

void TrainingProgress::begin_stage(const FineTuner& tuner) {
  stage_total_ = pictures_of(tuner, tuner.steps_in_all());
  if (tuner.steps_done() > 0) show(pictures_of(tuner, tuner.steps_done()));
}

void TrainingProgress::step_done(const FineTuner& tuner) {
  const bool between = std::isnan(tuner.running_loss());
  const EpochResult* last = tuner.history().empty() ? nullptr : &tuner.history().back();
  if (between && last) {
    detail_ = fmt::format("loss {:.4f}", last->train_loss) + accuracy_text(last->val_accuracy);
  } else if (!between) {
    detail_ = fmt::format("loss {:.4f}", tuner.running_loss()) +
              (last ? accuracy_text(last->val_accuracy) : std::string());
  }
  show(pictures_of(tuner, tuner.steps_done()));
}

void TrainingProgress::end_stage(const FineTuner& /*tuner*/) {
  finished_ += stage_total_;
  show(0);
}

void TrainingProgress::skip_training(std::size_t pictures) {
  finished_ +=
      tunes() ? static_cast<std::int64_t>(pictures) * epochs_of(recipe_) : spec_.head_epochs;
  show(0);
}

}  // namespace engraft
