#include "engraft/run/training_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/tiny_pictures.h"

namespace engraft::training_progress_test {

using test::TinyTraining;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Remembers what it was told.
class Recorder final : public Progress {
 public:
  void begin(std::string_view, std::int64_t steps, std::string_view) override { total = steps; }
  void update(std::int64_t steps, std::string_view text) override {
    done = steps;
    details.emplace_back(text);
  }
  void skip(std::int64_t steps) override { skipped += steps; }
  void end() override {}
  void note(std::string_view) override {}

  std::int64_t total = 0, done = 0, skipped = 0;
  std::vector<std::string> details;
};

class TrainingProgresses : public ::testing::Test {
 protected:
  /// A training of two epochs of 18 pictures in three batches.
  TrainingProgresses() {
    recipe_ = {.head_epochs = 5, .tuning = training_.spec.options, .reason = ""};
  }

  ThreadPool pool_{2};
  TinyTraining training_;
  Recipe recipe_;
  Recorder recorder_;
};

TEST_F(TrainingProgresses, ShowTheAccuracyFromTheFirstStepOn) {
  TrainingProgress show(recorder_, recipe_, {.trainings = 1, .pictures = 18});
  EXPECT_EQ(recorder_.total, 36);
  const auto tuner = training_.tuner(pool_);
  tuner->step();
  show.step_done(*tuner);
  EXPECT_EQ(recorder_.done, 8);
  EXPECT_THAT(recorder_.details.back(),
              AllOf(HasSubstr("loss "), HasSubstr("  accuracy "), Not(HasSubstr("val"))));
  tuner->step();
  tuner->step();
  show.step_done(*tuner);
  EXPECT_THAT(recorder_.details.back(),
              AllOf(HasSubstr("  accuracy "), HasSubstr("  val accuracy ")));
}

/// The last training of a cross-validation.
TEST_F(TrainingProgresses, ShowTheAccuracyWhereNothingIsHeldOut) {
  training_.spec.validation = {};
  TrainingProgress show(recorder_, recipe_, {.trainings = 1, .pictures = 18});
  const auto tuner = training_.tuner(pool_);
  while (!tuner->finished()) {
    tuner->step();
    show.step_done(*tuner);
    EXPECT_THAT(recorder_.details.back(), AllOf(HasSubstr("  accuracy "), Not(HasSubstr("val"))));
  }
}

TEST_F(TrainingProgresses, SkipWhatAnEarlierProcessDid) {
  TrainingProgress show(recorder_, recipe_, {.trainings = 2, .pictures = 36});
  show.skip_training(18);
  EXPECT_EQ(recorder_.skipped, 36);
  const auto tuner = training_.tuner(pool_);
  for (int i = 0; i < 4; ++i) tuner->step();  // an epoch, and a batch
  show.begin_tuning(*tuner);
  EXPECT_EQ(recorder_.skipped, 36 + 18 + 8);
  EXPECT_EQ(recorder_.done, recorder_.skipped);
  while (!tuner->finished()) tuner->step();
  show.end_tuning(*tuner);
  EXPECT_EQ(recorder_.skipped, 36 + 18 + 8);
  EXPECT_EQ(recorder_.done, recorder_.total);
}

TEST_F(TrainingProgresses, SkipWhatPatienceSaves) {
  training_.spec.options.epochs = recipe_.tuning->epochs = 50;
  training_.spec.options.patience = 1;
  training_.spec.options.learning_rate = 0.05f;
  TrainingProgress show(recorder_, recipe_, {.trainings = 1, .pictures = 18});
  const auto tuner = training_.tuner(pool_);
  while (!tuner->finished()) tuner->step();
  ASSERT_LT(tuner->history().size(), 50u);
  show.end_tuning(*tuner);
  EXPECT_EQ(recorder_.skipped, 18 * (50 - static_cast<std::int64_t>(tuner->history().size())));
  EXPECT_EQ(recorder_.done, recorder_.total);
}

TEST_F(TrainingProgresses, CountEpochsOfAHeadAlone) {
  recipe_.tuning.reset();
  TrainingProgress show(recorder_, recipe_, {.trainings = 2, .pictures = 18});
  EXPECT_EQ(recorder_.total, 10);
  show.head_epoch({.epoch = 1, .train_accuracy = 0.5f, .val_accuracy = 0.75f});
  EXPECT_THAT(recorder_.details.back(), HasSubstr("  accuracy 50.0 %  val accuracy 75.0 %"));
  show.head_done(2);
  EXPECT_EQ(recorder_.done, 5);
  EXPECT_EQ(recorder_.skipped, 3);
}

}  // namespace engraft::training_progress_test
