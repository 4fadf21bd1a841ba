#include "engraft/train/fine_tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engraft/graph/graph_builder.h"
#include "support/errors.h"
#include "train/saved_training.h"
#include "train/tiny_pictures.h"

namespace engraft::fine_tune_test {

using test::accuracy;
using test::expect_error;
using test::expect_same_bits;
using test::log_loss;
using test::run;
using test::same_bits;
using test::Seconds;
using test::tiny_network;
using test::TinyTraining;
using ::testing::HasSubstr;

TEST(FineTuner, LearnsFromScratchWithTrainableBatchNorm) {
  TinyTraining training;
  training.spec.options.batch_norm = BatchNormMode::kTrainable;
  training.spec.options.batch = 18;
  training.spec.options.epochs = 10;
  training.spec.options.learning_rate = 3e-3f;
  training.spec.options.keep = Keep::kLastEpoch;
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  run(*tuner);
  EXPECT_GT(tuner->history().front().train_loss, 0.8f);
  EXPECT_LT(tuner->history().back().train_loss, 0.1f);
  EXPECT_EQ(tuner->history().back().train_accuracy, 1);
  // With the moving statistics, too, which nothing above has used.
  EXPECT_EQ(accuracy(tuner->predict(training.spec.train.pictures), training.spec.train.labels), 1);
}

TEST(FineTuner, LearnsWithFrozenBatchNorm) {
  TinyTraining training;
  training.spec.options.epochs = 20;
  training.spec.options.learning_rate = 1e-3f;
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  run(*tuner);
  EXPECT_LT(tuner->history().back().train_loss, tuner->history().front().train_loss / 2);
  EXPECT_EQ(tuner->history().back().train_accuracy, 1);
}

TEST(FineTuner, CountsItsSteps) {
  TinyTraining training;
  ThreadPool pool(1);
  const auto tuner = training.tuner(pool);
  EXPECT_EQ(tuner->steps_per_epoch(), 3);  // 8, 8 and 2 pictures
  EXPECT_EQ(tuner->steps_in_all(), 6);
  EXPECT_EQ(tuner->pictures_per_epoch(), 18u);
  EXPECT_EQ(tuner->batch(), 8);
  EXPECT_TRUE(std::isnan(tuner->running_loss()));
  EXPECT_EQ(tuner->best_epoch(), 0);
  tuner->step();
  EXPECT_EQ(tuner->steps_done(), 1);
  EXPECT_TRUE(std::isfinite(tuner->running_loss()));
  EXPECT_EQ(tuner->state().pictures, 8u);
  tuner->step();
  tuner->step();
  EXPECT_TRUE(std::isnan(tuner->running_loss()));
  ASSERT_EQ(tuner->history().size(), 1u);
  EXPECT_EQ(tuner->history()[0].epoch, 1);
  run(*tuner);
  EXPECT_EQ(tuner->steps_done(), 6);
  EXPECT_EQ(tuner->history().size(), 2u);
  expect_error(ErrorKind::kUsage, HasSubstr("over"), [&] { tuner->step(); });
}

TEST(FineTuner, HasTheSameBitsForAnyNumberOfThreads) {
  for (const BatchNormMode mode : {BatchNormMode::kFrozen, BatchNormMode::kTrainable}) {
    TinyTraining training;
    training.spec.options.batch_norm = mode;
    training.spec.options.augmentation.mixup = 0.5f;
    training.spec.options.augmentation.mirror = 0.5f;
    training.spec.options.ema = 0.9f;
    training.spec.options.clip = 1;
    training.spec.options.from = "block_3";
    ThreadPool one(1);
    const FineTuneState expected = training.final_state(one);
    for (const int threads : {2, 3}) {
      ThreadPool pool(threads);
      expect_same_bits(training.final_state(pool), expected, Seconds::kIgnored);
    }
  }
}

TEST(FineTuner, AnotherSeedDrawsOtherwise) {
  TinyTraining training;
  ThreadPool pool(2);
  const FineTuneState first = training.final_state(pool);
  training.spec.options.seed = 4;
  EXPECT_FALSE(same_bits(first.parameters, training.final_state(pool).parameters));
}

TEST(FineTuner, TheFirstLossIsThatOfTheNetworkItWasGiven) {
  TinyTraining training;
  training.spec.options.batch = 18;
  training.spec.options.epochs = 1;
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  const auto& train = training.spec.train;
  const Tensor before = tuner->predict(train.pictures);
  const double expected = log_loss(before, train.labels);
  const double right = accuracy(before, train.labels);
  EXPECT_NEAR(tuner->step_at(0).loss, expected, 1e-4 * expected);
  EXPECT_FLOAT_EQ(tuner->history().front().train_accuracy, static_cast<float>(right));
}

TEST(FineTuner, ClassWeightsMakeClassesCountAlike) {
  TinyTraining training;
  const std::vector<std::size_t> pictures{0, 3, 6, 9, 12, 1, 4, 2};  // five, two, one
  const std::vector<int> labels{0, 0, 0, 0, 0, 1, 1, 2};
  training.spec.train = {.pictures = pictures, .labels = labels};
  training.spec.options.balance = Balance::kWeights;
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  const Tensor before = tuner->predict(pictures);
  double expected = 0;
  const double counts[] = {5, 2, 1};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    const double p = before.row(static_cast<std::int64_t>(i))[label];
    expected -= std::log(p) / (3 * counts[label]);
  }
  EXPECT_NEAR(tuner->step_at(0).loss, expected, 1e-4 * expected);
}

TEST(FineTuner, ASigmoidHeadLearns) {
  TinyTraining training;
  const Network softmax = tiny_network();
  const ValueId logits = softmax.graph.nodes().back().inputs[0];
  GraphBuilder builder(Shape{test::kTinyClasses});
  const Graph sigmoid =
      builder.finish(builder.apply(Op::kSigmoid, "probabilities", builder.input()));
  training.network = graft({.graph = cut_at(softmax.graph, logits), .weights = softmax.weights},
                           {.graph = sigmoid, .weights = {}});
  ThreadPool pool(2);
  expect_error(ErrorKind::kUsage, HasSubstr("sigmoid"), [&] { training.tuner(pool); });
  training.spec.options.loss = LossKind::kSigmoid;
  training.spec.options.epochs = 12;
  const auto tuner = training.tuner(pool);
  run(*tuner);
  EXPECT_LT(tuner->history().back().train_loss, tuner->history().front().train_loss / 2);
  EXPECT_EQ(tuner->history().back().train_accuracy, 1);
  EXPECT_TRUE(std::isfinite(tuner->history().back().val_loss));
}

TEST(FineTuner, ASigmoidHeadForTwoClassesIsTrainedAsTheSoftmaxThatItIs) {
  TinyTraining training;
  training.network.graph = mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = 2});
  training.network.weights = test::random_weights(training.network.graph);
  std::vector<int> labels(training.spec.train.labels.begin(), training.spec.train.labels.end());
  for (int& label : labels) label = label > 0 ? 1 : 0;
  training.spec.train.labels = labels;
  training.spec.validation = {};
  ThreadPool pool(2);
  const FineTuneState softmax = training.final_state(pool);
  training.spec.options.loss = LossKind::kSigmoid;
  expect_same_bits(training.final_state(pool), softmax, Seconds::kIgnored);
}

TEST(FineTuner, MemoryGrowsWithTheBatchAndShrinksWithTheFrozenPart) {
  TinyTraining training;
  ThreadPool pool(2);
  FineTuneOptions options = training.spec.options;
  const std::size_t all = training_memory(training.network, options, pool);
  options.batch = 64;
  const std::size_t more = training_memory(training.network, options, pool);
  options.from = "last";
  EXPECT_GT(more, all);
  EXPECT_LT(training_memory(training.network, options, pool), more);
}

}  // namespace engraft::fine_tune_test
