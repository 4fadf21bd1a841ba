#include "engraft/run/training_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace engraft {
namespace {

std::string accuracy_text(const char* what, float accuracy) {
  return std::isnan(accuracy) ? std::string() : fmt::format("  {} {:.1f} %", what, 100 * accuracy);
}

std::string text_of(const EpochResult& epoch) {
  return fmt::format("loss {:.4f}", epoch.train_loss) +
         accuracy_text("accuracy", epoch.train_accuracy) +
         accuracy_text("val accuracy", epoch.val_accuracy);
}

/// Pictures that so many steps see.
std::int64_t pictures_of(const FineTuner& tuner, std::int64_t steps) {
  const std::int64_t epochs = steps / tuner.steps_per_epoch();
  const std::int64_t more = (steps % tuner.steps_per_epoch()) * tuner.batch();
  return epochs * static_cast<std::int64_t>(tuner.pictures_per_epoch()) + more;
}

}  // namespace

TrainingProgress::TrainingProgress(Progress& progress, const Recipe& recipe, const Spec& spec)
    : progress_(progress), recipe_(recipe), spec_(spec) {
  if (tunes()) {
    const auto pictures = static_cast<std::int64_t>(spec_.pictures) * recipe_.tuning->epochs;
    progress_.begin("Fine-tuning", pictures, "pictures");
  } else {
    progress_.begin("Training the head",
                    static_cast<std::int64_t>(spec_.trainings) * recipe_.head_epochs, "epochs");
  }
}

TrainingProgress::~TrainingProgress() {
  progress_.end();
}

void TrainingProgress::show(std::int64_t done) {
  progress_.update(finished_ + done, detail_);
}

void TrainingProgress::skip(std::int64_t steps) {
  progress_.skip(steps);
}

void TrainingProgress::head_epoch(const EpochResult& epoch) {
  if (tunes()) return;
  detail_ = text_of(epoch);
  show(epoch.epoch);
}

void TrainingProgress::head_done(int epochs) {
  if (tunes()) return;
  skip(recipe_.head_epochs - epochs);
  finished_ += recipe_.head_epochs;
  show(0);
}

void TrainingProgress::begin_tuning(const FineTuner& tuner) {
  if (tuner.steps_done() == 0) return;
  skip(pictures_of(tuner, tuner.steps_done()));
  show(pictures_of(tuner, tuner.steps_done()));
}

void TrainingProgress::step_done(const FineTuner& tuner) {
  const bool between = std::isnan(tuner.running_loss());
  const EpochResult* last = tuner.history().empty() ? nullptr : &tuner.history().back();
  if (between && last) {
    detail_ = text_of(*last);
  } else if (!between) {
    detail_ = fmt::format("loss {:.4f}", tuner.running_loss()) +
              accuracy_text("accuracy", tuner.running_accuracy()) +
              (last ? accuracy_text("val accuracy", last->val_accuracy) : std::string());
  }
  show(pictures_of(tuner, tuner.steps_done()));
}

void TrainingProgress::end_tuning(const FineTuner& tuner) {
  const std::int64_t all = pictures_of(tuner, tuner.steps_in_all());
  skip(all - pictures_of(tuner, tuner.steps_done()));
  finished_ += all;
  show(0);
}

void TrainingProgress::skip_training(std::size_t pictures) {
  const std::int64_t steps =
      tunes() ? static_cast<std::int64_t>(pictures) * recipe_.tuning->epochs : recipe_.head_epochs;
  skip(steps);
  finished_ += steps;
  show(0);
}

}  // namespace engraft
