#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "engraft/train/checkpoint_folder.h"
#include "engraft/train/fine_tune.h"
#include "support/errors.h"
#include "train/saved_training.h"
#include "train/tiny_pictures.h"

namespace engraft::fine_tune_resume_test {

using test::expect_error;
using test::expect_same_bits;
using test::Seconds;
using test::TemporaryFolder;
using test::TinyTraining;
using ::testing::HasSubstr;

struct Variant {
  const char* name;
  std::function<void(FineTuneOptions&)> change;
};

void PrintTo(const Variant& variant, std::ostream* out) {
  *out << variant.name;
}

class Resumed : public ::testing::TestWithParam<Variant> {};

TEST_P(Resumed, ATrainingInterruptedAfterEveryStepEndsInTheSameBits) {
  TinyTraining training;
  GetParam().change(training.spec.options);
  ThreadPool pool(2);
  const FineTuneState expected = training.final_state(pool);
  const TemporaryFolder folder;
  std::int64_t steps = 0;
  for (bool over = false; !over; ++steps) {
    CheckpointFolder checkpoints(folder.path());
    const auto tuner = training.tuner(pool);
    const CheckpointLayout layout{tuner->parameters(), tuner->statistics()};
    if (auto found = checkpoints.latest("final", layout)) {
      tuner->restore(std::move(found->checkpoint.state));
    }
    ASSERT_EQ(tuner->steps_done(), steps);
    tuner->step();
    checkpoints.save("final", {.state = tuner->state(), .metadata = {}}, layout);
    over = tuner->finished();
    if (over) expect_same_bits(tuner->state(), expected, Seconds::kIgnored);
  }
  EXPECT_EQ(steps, expected.step);
}

INSTANTIATE_TEST_SUITE_P(
    FineTuner, Resumed,
    ::testing::Values(
        Variant{"frozen_batch_norm_adamw", [](FineTuneOptions&) {}},
        Variant{"trainable_batch_norm_adamw",
                [](FineTuneOptions& o) { o.batch_norm = BatchNormMode::kTrainable; }},
        Variant{"sgd", [](FineTuneOptions& o) { o.optimizer = OptimizerKind::kSgd; }},
        Variant{"nesterov_one_cycle",
                [](FineTuneOptions& o) {
                  o.optimizer = OptimizerKind::kNesterov;
                  o.schedule = ScheduleKind::kOneCycle;
                }},
        Variant{"adam_step_schedule",
                [](FineTuneOptions& o) {
                  o.optimizer = OptimizerKind::kAdam;
                  o.schedule = ScheduleKind::kStep;
                }},
        Variant{"rmsprop_trainable_batch_norm",
                [](FineTuneOptions& o) {
                  o.optimizer = OptimizerKind::kRmsprop;
                  o.batch_norm = BatchNormMode::kTrainable;
                }},
        Variant{"average", [](FineTuneOptions& o) { o.ema = 0.9f; }},
        Variant{"average_trainable_batch_norm",
                [](FineTuneOptions& o) {
                  o.ema = 0.9f;
                  o.batch_norm = BatchNormMode::kTrainable;
                }},
        Variant{"mixup_and_cutmix",
                [](FineTuneOptions& o) { o.augmentation.mixup = o.augmentation.cutmix = 0.5f; }},
        Variant{"views",
                [](FineTuneOptions& o) {
                  o.augmentation = augmentation_of(AugmentationPreset::kStrong);
                }},
        Variant{"balanced_sampling", [](FineTuneOptions& o) { o.balance = Balance::kSampling; }},
        Variant{"from_a_block_clipped",
                [](FineTuneOptions& o) {
                  o.from = "block_14_project";
                  o.clip = 0.1f;
                  o.layer_decay = 0.8f;
                  o.keep = Keep::kLastEpoch;
                }},
        Variant{"early_stopping",
                [](FineTuneOptions& o) {
                  o.epochs = 4;
                  o.patience = 1;
                  o.learning_rate = 5e-3f;
                }}),
    [](const auto& one) { return std::string(one.param.name); });

class Restored : public ::testing::Test {
 protected:
  void SetUp() override {
    tuner = training.tuner(pool);
    for (int i = 0; i < 4; ++i) tuner->step();
  }

  template <typename Change>
  void expect_refused(const char* message, Change&& change) {
    FineTuneState state = tuner->state();
    change(state);
    const auto other = training.tuner(pool);
    const FineTuneState before = other->state();
    expect_error(ErrorKind::kBadInput,
                 ::testing::AllOf(HasSubstr("of another training"), HasSubstr(message)),
                 [&] { other->restore(std::move(state)); });
    expect_same_bits(other->state(), before, Seconds::kIgnored);
  }

  TinyTraining training;
  ThreadPool pool{2};
  std::unique_ptr<FineTuner> tuner;
};

TEST_F(Restored, TheStateIsTheOneThatWasTaken) {
  const auto other = training.tuner(pool);
  other->restore(tuner->state());
  expect_same_bits(other->state(), tuner->state());
  EXPECT_EQ(other->running_loss(), tuner->running_loss());
  EXPECT_EQ(other->best_epoch(), tuner->best_epoch());
}

TEST_F(Restored, AnEarlierStateOfTheSameTrainingIsGoneBackTo) {
  const FineTuneState state = tuner->state();
  while (!tuner->finished()) tuner->step();
  const FineTuneState end = tuner->state();
  tuner->restore(state);
  EXPECT_FALSE(tuner->finished());
  while (!tuner->finished()) tuner->step();
  expect_same_bits(tuner->state(), end, Seconds::kIgnored);
}

TEST_F(Restored, StatesOfOtherTrainingsAreRefused) {
  expect_refused("parameters", [](FineTuneState& s) { s.parameters.pop_back(); });
  expect_refused("statistics", [](FineTuneState& s) { s.statistics.push_back(0); });
  expect_refused("average", [](FineTuneState& s) { s.ema = s.parameters; });
  expect_refused("best parameters", [](FineTuneState& s) { s.best_parameters.clear(); });
  expect_refused("best statistics", [](FineTuneState& s) { s.best_statistics.clear(); });
  expect_refused("optimizer", [](FineTuneState& s) { s.optimizer.pop_back(); });
  expect_refused("first_moment", [](FineTuneState& s) { s.optimizer[0].second.pop_back(); });
  expect_refused("second_moment", [](FineTuneState& s) { s.optimizer[1].first = "momentum"; });
  expect_refused("negative", [](FineTuneState& s) { s.optimizer_steps = -1; });
  expect_refused("step -1", [](FineTuneState& s) { s.step = -1; });
  expect_refused("step 7 of 6", [](FineTuneState& s) { s.step = 7; });
  expect_refused("pictures seen", [](FineTuneState& s) { s.step = 5; });
  expect_refused("pictures seen", [](FineTuneState& s) { s.pictures = 9; });
  expect_refused("pictures seen", [](FineTuneState& s) { s.correct = 9; });
  expect_refused("history", [](FineTuneState& s) { s.history.clear(); });
  expect_refused("order", [](FineTuneState& s) { s.history[0].epoch = 2; });
  expect_refused("best epoch", [](FineTuneState& s) { s.best_epoch = 2; });
  expect_refused("best epoch", [](FineTuneState& s) { s.best_epoch = -1; });
  expect_refused("best epoch", [](FineTuneState& s) { s.best_epoch = 0; });
}

TEST_F(Restored, AnotherOptimizersStateIsNoSubstitute) {
  training.spec.options.optimizer = OptimizerKind::kSgd;
  const FineTuneState sgd = training.tuner(pool)->state();
  training.spec.options.optimizer = OptimizerKind::kRmsprop;
  const auto rmsprop = training.tuner(pool);
  expect_error(ErrorKind::kBadInput, HasSubstr("second_moment"), [&] { rmsprop->restore(sgd); });
}

}  // namespace engraft::fine_tune_resume_test
