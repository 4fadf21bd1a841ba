#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engraft/train/fine_tune.h"
#include "support/errors.h"
#include "train/saved_training.h"
#include "train/tiny_pictures.h"

namespace engraft::fine_tune_epochs_test {

using test::accuracy;
using test::expect_error;
using test::expect_same_bits;
using test::log_loss;
using test::run;
using test::same_bits;
using test::Seconds;
using test::TinyTraining;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(FineTuner, TheBestEpochIsThatOfTheLowestValidationLoss) {
  TinyTraining training;
  training.spec.options.epochs = 5;
  training.spec.options.learning_rate = 5e-3f;
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  run(*tuner);
  const auto& history = tuner->history();
  const auto best = std::ranges::min_element(history, {}, &EpochResult::val_loss);
  EXPECT_EQ(tuner->best_epoch(), best->epoch);
  const auto& validation = training.spec.validation;
  EXPECT_NEAR(log_loss(tuner->predict(validation.pictures), validation.labels), best->val_loss,
              1e-4 * best->val_loss);
  EXPECT_FLOAT_EQ(
      static_cast<float>(accuracy(tuner->predict(validation.pictures), validation.labels)),
      best->val_accuracy);
}

/// Validation pictures whose labels are wrong: the better the training, the higher their loss.
struct Misled : TinyTraining {
  Misled() {
    for (const int label : spec.train.labels) wrong.push_back((label + 1) % test::kTinyClasses);
    spec.validation = {.pictures = spec.train.pictures, .labels = wrong};
    spec.options.epochs = 6;
    spec.options.learning_rate = 3e-3f;
    spec.options.schedule = ScheduleKind::kConstant;
    spec.options.warmup = 0;
  }
  std::vector<int> wrong;
};

TEST(FineTuner, TheLastEpochIsKeptOnRequestAndWithoutValidation) {
  Misled training;
  ThreadPool pool(2);
  training.spec.options.patience = 1;
  training.spec.options.keep = Keep::kLastEpoch;
  auto tuner = training.tuner(pool);
  run(*tuner);
  EXPECT_EQ(tuner->best_epoch(), 6);
  EXPECT_TRUE(same_bits(tuner->state().best_parameters, tuner->state().parameters));
  training.spec.options.keep = Keep::kBestEpoch;
  training.spec.validation = {};
  tuner = training.tuner(pool);
  run(*tuner);
  EXPECT_EQ(tuner->best_epoch(), 6);
  EXPECT_TRUE(std::isnan(tuner->history().back().val_loss));
  EXPECT_TRUE(std::isnan(tuner->history().back().val_accuracy));
}

TEST(FineTuner, StopsWhenTheValidationLossNoLongerFalls) {
  Misled training;
  training.spec.options.patience = 2;
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  run(*tuner);
  EXPECT_EQ(static_cast<int>(tuner->history().size()), tuner->best_epoch() + 2);
  EXPECT_LT(tuner->steps_done(), tuner->steps_in_all());
  expect_error(ErrorKind::kUsage, HasSubstr("over"), [&] { tuner->step(); });
  // What is restored has stopped, too.
  const auto again = training.tuner(pool);
  again->restore(tuner->state());
  EXPECT_TRUE(again->finished());
}

/// ReLU6 keeps a network from blowing up by itself.
void scale_head(Network& network, float factor) {
  Tensor kernel = network.weights.at("predictions/kernel");
  for (float& w : kernel.values()) w *= factor;
  network.weights.set("predictions/kernel", std::move(kernel));
}

TEST(FineTuner, ARateThatIsTooHighIsAnErrorWithAWayOut) {
  for (const bool validated : {true, false}) {
    for (const int epochs : {1, 3}) {
      TinyTraining training;
      training.spec.options.optimizer = OptimizerKind::kSgd;
      training.spec.options.learning_rate = 100;
      training.spec.options.weight_decay = 0;
      training.spec.options.schedule = ScheduleKind::kConstant;
      training.spec.options.epochs = epochs;
      if (!validated) training.spec.validation = {};
      scale_head(training.network, 1e30f);
      ThreadPool pool(2);
      const auto tuner = training.tuner(pool);
      expect_error(
          ErrorKind::kBadInput,
          AllOf(HasSubstr("in epoch 1"), HasSubstr("learning rate of 100"), HasSubstr("a tenth")),
          [&] { run(*tuner); });
    }
  }
}

TEST(FineTuner, WeightsThatTheLastStepRuinedAreAnErrorAndNoResult) {
  for (const bool validated : {true, false}) {
    TinyTraining training;
    training.spec.options.optimizer = OptimizerKind::kSgd;
    training.spec.options.learning_rate = 100;
    training.spec.options.weight_decay = 0;
    training.spec.options.schedule = ScheduleKind::kConstant;
    training.spec.options.epochs = 1;
    training.spec.options.batch = 18;
    if (!validated) training.spec.validation = {};
    // So that its only step leads to infinity: the gradient grows with the last layer's weights.
    scale_head(training.network, 4e36f);
    ThreadPool pool(2);
    const auto tuner = training.tuner(pool);
    expect_error(ErrorKind::kBadInput,
                 AllOf(HasSubstr(validated ? "validation loss" : "weights"),
                       HasSubstr("in epoch 1"), HasSubstr("a tenth")),
                 [&] { run(*tuner); });
  }
}

TEST(FineTuner, AStepThatComesToNothingLeavesTheStateAsItWas) {
  for (const BatchNormMode mode : {BatchNormMode::kFrozen, BatchNormMode::kTrainable}) {
    TinyTraining training;
    training.spec.options.batch_norm = mode;
    training.spec.options.ema = 0.9f;
    Tensor bias = training.network.weights.at("predictions/bias");
    bias.data()[0] = std::numeric_limits<float>::infinity();
    training.network.weights.set("predictions/bias", std::move(bias));
    ThreadPool pool(2);
    const auto tuner = training.tuner(pool);
    const FineTuneState before = tuner->state();
    EXPECT_FALSE(tuner->step_at(1e-3f).finite());
    expect_same_bits(tuner->state(), before, Seconds::kIgnored);
    expect_error(ErrorKind::kBadInput, HasSubstr("loss became infinite or no number in epoch 1"),
                 [&] { tuner->step(); });
    expect_same_bits(tuner->state(), before, Seconds::kIgnored);
  }
}

TEST(FineTuner, AValidationThatIsNoNumberIsAnError) {
  TinyTraining training;
  training.spec.options.batch_norm = BatchNormMode::kTrainable;  // trains without these
  training.spec.options.statistics_momentum = 0.99f;
  Tensor mean = training.network.weights.at("Conv_1_bn/moving_mean");
  mean.data()[0] = std::numeric_limits<float>::infinity();
  training.network.weights.set("Conv_1_bn/moving_mean", std::move(mean));
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  expect_error(ErrorKind::kBadInput, HasSubstr("epoch 1"), [&] { run(*tuner); });
}

}  // namespace engraft::fine_tune_epochs_test
