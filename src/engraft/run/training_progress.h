#pragma once

#include <cstdint>
#include <string>

#include "engraft/base/progress.h"
#include "engraft/run/recipe.h"
#include "engraft/train/fine_tune.h"

namespace engraft {

/// One progress line over all trainings of a run: epochs of the head where it alone is trained,
/// else pictures through back-propagation.
class TrainingProgress {
 public:
  struct Spec {
    int trainings = 1;
    std::size_t pictures = 0;  ///< that all trainings together see in an epoch
  };
  TrainingProgress(Progress& progress, const Recipe& recipe, const Spec& spec);
  ~TrainingProgress();
  TrainingProgress(const TrainingProgress&) = delete;
  TrainingProgress& operator=(const TrainingProgress&) = delete;

  void head_epoch(const EpochResult& epoch);
  /// A training may stop before its last epoch.
  void head_done(int epochs);
  /// Of a training that goes on, only the rest takes time.
  void begin_tuning(const FineTuner& tuner);
  void step_done(const FineTuner& tuner);
  void end_tuning(const FineTuner& tuner);
  /// A training whose result was there already, of so many pictures.
  void skip_training(std::size_t pictures);

 private:
  [[nodiscard]] bool tunes() const { return recipe_.tuning.has_value(); }
  void skip(std::int64_t steps);
  void show(std::int64_t done);

  Progress& progress_;
  const Recipe& recipe_;
  Spec spec_;
  std::int64_t finished_ = 0;  ///< by earlier trainings
  std::string detail_;
};

}  // namespace engraft
