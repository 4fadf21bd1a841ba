#include "engraft/train/head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engraft/base/error.h"
#include "train/head_problem.h"

namespace engraft::head_test {

using test::accuracy_of;
using test::Clouds;
using test::parameters_of;
using testing::HasSubstr;

const LabelledFeatures kNone;

struct HeadCase {
  HeadKind head;
  LossKind loss;
  OptimizerKind optimizer;
  int classes;
};

class EveryHead : public testing::TestWithParam<HeadCase> {
 protected:
  [[nodiscard]] static TrainOptions options() {
    TrainOptions options;
    options.head = GetParam().head;
    options.loss = GetParam().loss;
    options.optimizer = GetParam().optimizer;
    options.hidden = 16;
    const bool momentum = GetParam().optimizer == OptimizerKind::kSgd ||
                          GetParam().optimizer == OptimizerKind::kNesterov;
    options.learning_rate = momentum ? 0.05f : 0.01f;
    if (GetParam().optimizer == OptimizerKind::kAdam) options.weight_decay = 0.01f;
    options.epochs = 30;
    return options;
  }
};

TEST_P(EveryHead, LearnsClassesThatCanBeTold) {
  const int classes = GetParam().classes;
  const Clouds train({.classes = classes, .pictures = 90, .seed = 1});
  const Clouds fresh({.classes = classes, .pictures = 60, .seed = 2});
  const TrainedHead trained = train_head(train.all(), kNone, classes, options());
  const Tensor p = apply_head(trained.head, fresh.values);
  EXPECT_EQ(p.shape(), (Shape{60, classes}));
  EXPECT_GE(accuracy_of(p, fresh.labels), 0.9);
  EXPECT_LT(trained.history.back().train_loss, trained.history.front().train_loss);
}

TEST_P(EveryHead, GivesTheSameBitsTwice) {
  const Clouds train({.classes = GetParam().classes, .pictures = 37, .features = 21});
  const auto run = [&] {
    return train_head(train.all(), train.all(), GetParam().classes, options());
  };
  const TrainedHead a = run(), b = run();
  EXPECT_EQ(parameters_of(a.head), parameters_of(b.head));
  for (std::size_t i = 0; i < a.history.size(); ++i) {
    EXPECT_EQ(a.history[i].train_loss, b.history[i].train_loss);
    EXPECT_EQ(a.history[i].val_loss, b.history[i].val_loss);
  }
}

TEST_P(EveryHead, GivesProbabilities) {
  const Clouds train({.classes = GetParam().classes});
  const TrainedHead trained = train_head(train.all(), kNone, GetParam().classes, options());
  const Tensor p = apply_head(trained.head, train.values);
  const bool sums_to_one = GetParam().loss == LossKind::kSoftmax || GetParam().classes == 2;
  for (std::int64_t i = 0; i < p.shape()[0]; ++i) {
    float sum = 0;
    for (const float value : p.row(i)) {
      EXPECT_GE(value, 0);
      EXPECT_LE(value, 1);
      sum += value;
    }
    if (sums_to_one) {
      EXPECT_NEAR(sum, 1, 1e-6);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Heads, EveryHead,
    testing::Values(HeadCase{HeadKind::kLinear, LossKind::kSoftmax, OptimizerKind::kAdamw, 2},
                    HeadCase{HeadKind::kLinear, LossKind::kSigmoid, OptimizerKind::kAdamw, 2},
                    HeadCase{HeadKind::kLinear, LossKind::kSoftmax, OptimizerKind::kSgd, 3},
                    HeadCase{HeadKind::kLinear, LossKind::kSigmoid, OptimizerKind::kAdamw, 3},
                    HeadCase{HeadKind::kMlp, LossKind::kSoftmax, OptimizerKind::kAdamw, 3},
                    HeadCase{HeadKind::kMlp, LossKind::kSigmoid, OptimizerKind::kSgd, 2},
                    HeadCase{HeadKind::kMlp, LossKind::kSoftmax, OptimizerKind::kNesterov, 3},
                    HeadCase{HeadKind::kLinear, LossKind::kSoftmax, OptimizerKind::kAdam, 3},
                    HeadCase{HeadKind::kMlp, LossKind::kSoftmax, OptimizerKind::kRmsprop, 2}));

TEST(TrainHead, IsNotMovedByTheScaleAndPlaceOfTheFeatures) {
  const Clouds train({.spread = 1.0f});
  Clouds moved = train;
  // A power of two and no shift: standardisation then gives equal bits.
  for (float& x : moved.values.values()) x *= 1024;
  const TrainedHead a = train_head(train.all(), kNone, 2, {});
  const TrainedHead b = train_head(moved.all(), kNone, 2, {});
  EXPECT_EQ(a.history.back().train_loss, b.history.back().train_loss);
  const Tensor p = apply_head(a.head, train.values), q = apply_head(b.head, moved.values);
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(p.data()[i], q.data()[i], 1e-5);
}

TEST(TrainHead, TheGraphGivesWhatValidationSaw) {
  const Clouds train({.spread = 2}), validation({.pictures = 41, .spread = 2, .seed = 5});
  for (const HeadKind kind : {HeadKind::kLinear, HeadKind::kMlp}) {
    for (const LossKind loss : {LossKind::kSoftmax, LossKind::kSigmoid}) {
      TrainOptions options;
      options.head = kind;
      options.loss = loss;
      options.hidden = 8;
      options.epochs = 5;
      const TrainedHead trained = train_head(train.all(), validation.all(), 2, options);
      const Tensor p = apply_head(trained.head, validation.values);
      double surprise = 0;
      for (std::size_t i = 0; i < validation.labels.size(); ++i) {
        surprise -= std::log(static_cast<double>(
            p.row(static_cast<std::int64_t>(i))[static_cast<std::size_t>(validation.labels[i])]));
      }
      const EpochResult& row = trained.history[static_cast<std::size_t>(trained.best_epoch - 1)];
      EXPECT_NEAR(row.val_loss, surprise / 41, 1e-4);
      EXPECT_NEAR(row.val_accuracy, accuracy_of(p, validation.labels), 1e-6);
    }
  }
}

/// Labels of chance: the longer a head learns them, the worse it does on others.
struct Overlearnt {
  Overlearnt() {
    Rng rng(3);
    for (int& label : train.labels) label = static_cast<int>(rng.below(2));
    options.epochs = 40;
    options.dropout = 0;
    options.learning_rate = 0.02f;
  }
  [[nodiscard]] TrainedHead run() const {
    return train_head(train.all(), validation.all(), 2, options);
  }

  Clouds train{{.pictures = 40, .features = 60, .spread = 3}};
  Clouds validation{{.features = 60, .spread = 3, .seed = 7}};
  TrainOptions options;
};

int epoch_of_lowest_loss(const TrainedHead& trained) {
  return std::ranges::min_element(trained.history, {}, &EpochResult::val_loss)->epoch;
}

TEST(TrainHead, KeepsTheEpochOfTheLowestValidationLoss) {
  Overlearnt problem;
  const TrainedHead trained = problem.run();
  ASSERT_EQ(trained.history.size(), 40u);
  EXPECT_EQ(trained.best_epoch, epoch_of_lowest_loss(trained));
  EXPECT_LT(trained.best_epoch, 40);

  problem.options.patience = 3;
  const TrainedHead stopped = problem.run();
  EXPECT_EQ(static_cast<int>(stopped.history.size()), stopped.best_epoch + 3);
}

TEST(TrainHead, KeepsTheLastEpochWhereThatIsAskedFor) {
  Overlearnt problem;
  const TrainedHead chosen = problem.run();
  problem.options.keep = Keep::kLastEpoch;
  const TrainedHead last = problem.run();
  ASSERT_LT(epoch_of_lowest_loss(last), 40);
  EXPECT_EQ(last.best_epoch, 40);
  const auto right = [&](const TrainedHead& trained) {
    const Tensor p = apply_head(trained.head, problem.validation.values);
    return static_cast<float>(accuracy_of(p, problem.validation.labels));
  };
  EXPECT_EQ(right(last), last.history.back().val_accuracy);
  ASSERT_NE(chosen.history.back().val_accuracy, right(chosen)) << "the data tells them apart";
  EXPECT_EQ(parameters_of(last.head),
            parameters_of(train_head(problem.train.all(), kNone, 2, problem.options).head));

  problem.options.patience = 1;
  const TrainedHead patient = problem.run();
  EXPECT_EQ(patient.history.size(), 40u) << "stopping early would choose an epoch too";
  EXPECT_EQ(parameters_of(patient.head), parameters_of(last.head));
}

TEST(TrainHead, WithoutValidationRunsAllEpochsAndKeepsTheLast) {
  const Clouds train({});
  TrainOptions options;
  options.epochs = 7;
  options.patience = 1;
  const TrainedHead trained = train_head(train.all(), kNone, 2, options);
  EXPECT_EQ(trained.history.size(), 7u);
  EXPECT_EQ(trained.best_epoch, 7);
  EXPECT_TRUE(std::isnan(trained.history[0].val_loss));
  EXPECT_TRUE(std::isnan(trained.history[0].val_accuracy));
}

TEST(TrainHead, ValidationDoesNotChangeWhatIsLearnt) {
  const Clouds train({.spread = 2}), validation({.seed = 4});
  const TrainedHead without = train_head(train.all(), kNone, 2, {});
  const TrainedHead with = train_head(train.all(), validation.all(), 2, {});
  for (std::size_t i = 0; i < with.history.size(); ++i) {
    EXPECT_EQ(with.history[i].train_loss, without.history[i].train_loss);
  }
}

TEST(TrainHead, SeedsDifferButAgreeWithThemselves) {
  const Clouds train({.spread = 2});
  TrainOptions one, other;
  one.seed = 1;
  other.seed = 2;
  const auto bits = [&](const TrainOptions& options) {
    return parameters_of(train_head(train.all(), kNone, 2, options).head);
  };
  EXPECT_EQ(bits(one), bits(one));
  EXPECT_NE(bits(one), bits(other));
}

TEST(TrainHead, BalanceRaisesTheRareClass) {
  Clouds train({.pictures = 120, .features = 4, .spread = 2});
  // One picture in twelve of class 1; the rest of class 0.
  std::vector<std::size_t> pictures;
  std::vector<int> labels;
  for (std::size_t p = 0; p < 120; ++p) {
    if (p % 2 == 1 && p % 12 != 1) continue;
    pictures.push_back(p);
    labels.push_back(train.labels[p]);
  }
  const LabelledFeatures uneven{.values = &train.values, .pictures = pictures, .labels = labels};
  const Clouds fresh({.pictures = 200, .features = 4, .spread = 2, .seed = 8});
  const auto predicted_ones = [&](bool balance) {
    TrainOptions options;
    options.balance = balance;
    options.learning_rate = 0.01f;
    const Tensor p = apply_head(train_head(uneven, kNone, 2, options).head, fresh.values);
    int ones = 0;
    for (std::int64_t i = 0; i < 200; ++i) ones += p.row(i)[1] > 0.5f;
    return ones;
  };
  EXPECT_GT(predicted_ones(true), predicted_ones(false) + 10);
}

TEST(TrainHead, SmoothingKeepsItFromBeingSure) {
  const Clouds train({.spread = 0.1f});
  TrainOptions options;
  options.learning_rate = 0.05f;
  options.epochs = 200;
  options.dropout = 0;
  options.label_smoothing = 0.2f;
  const TrainedHead trained = train_head(train.all(), kNone, 2, options);
  const Tensor probabilities = apply_head(trained.head, train.values);
  for (const float p : probabilities.values()) {
    EXPECT_GT(p, 0.05f);  // the target is 0.1
    EXPECT_LT(p, 0.95f);
  }
}

TEST(TrainHead, LearnsFromViews) {
  const Clouds train({.views = 3});
  const Clouds plain({});
  TrainOptions options;
  options.epochs = 12;
  options.learning_rate = 0.02f;
  const TrainedHead trained = train_head(train.all(), kNone, 2, options);
  EXPECT_GE(accuracy_of(apply_head(trained.head, plain.values), plain.labels), 0.95);
  EXPECT_EQ(parameters_of(trained.head),
            parameters_of(train_head(train.all(), kNone, 2, options).head));
}

TEST(TrainHead, UsesEveryViewOfEveryPictureOverAsManyEpochs) {
  // One view of one picture is no number: it must be met in one of the first three epochs.
  for (std::int64_t row = 0; row < 6; ++row) {
    Clouds train({.views = 3});
    train.values.row(row)[0] = std::numeric_limits<float>::infinity();
    TrainOptions options;
    options.epochs = 3;
    EXPECT_THROW((void)train_head(train.all(), kNone, 2, options), Error);
  }
}

TEST(TrainHead, TakesOnlyThePicturesItIsTold) {
  Clouds poisoned({.pictures = 60});
  for (float& x : poisoned.values.row(59)) x = std::numeric_limits<float>::quiet_NaN();
  LabelledFeatures most = poisoned.all();
  most.pictures = most.pictures.first(59);
  most.labels = most.labels.first(59);
  EXPECT_NO_THROW((void)train_head(most, most, 2, {}));
}

TEST(TrainHead, AFeatureThatNeverVariesIsIgnored) {
  Clouds train({});
  for (std::int64_t p = 0; p < 60; ++p) train.values.row(p)[3] = 6;
  const TrainedHead trained = train_head(train.all(), kNone, 2, {});
  Tensor changed = train.values;
  for (std::int64_t p = 0; p < 60; ++p) changed.row(p)[3] = -1000;
  const Tensor p = apply_head(trained.head, train.values), q = apply_head(trained.head, changed);
  EXPECT_TRUE(std::ranges::equal(p.values(), q.values()));
}

TEST(TrainHead, ReportsEveryEpochAsItEnds) {
  const Clouds train({});
  TrainOptions options;
  options.epochs = 4;
  options.batch = 32;
  options.learning_rate = 0.5f;
  std::vector<int> epochs;
  const TrainedHead trained = train_head(
      train.all(), kNone, 2, options, [&](const EpochResult& row) { epochs.push_back(row.epoch); });
  EXPECT_THAT(epochs, testing::ElementsAre(1, 2, 3, 4));
  // Eight steps, the first of them warm-up's whole share rounded to none: a cosine from the peak.
  EXPECT_NEAR(trained.history[3].learning_rate, 0.25 * (1 + std::cos(std::acos(-1) * 7 / 8)), 1e-6);
}

TEST(TrainHead, StopsWhenAsked) {
  const Clouds train({});
  std::stop_source source;
  int epochs = 0;
  try {
    (void)train_head(
        train.all(), kNone, 2, {},
        [&](const EpochResult&) {
          if (++epochs == 3) source.request_stop();
        },
        source.get_token());
    FAIL() << "not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
  EXPECT_EQ(epochs, 3);
}

TEST(TrainHead, OnePictureInAClassIsEnoughToRun) {
  Clouds train({.pictures = 2});
  TrainOptions options;
  options.learning_rate = 0.02f;
  const TrainedHead trained = train_head(train.all(), train.all(), 2, options);
  EXPECT_EQ(accuracy_of(apply_head(trained.head, train.values), train.labels), 1);
}

template <typename Run>
void expect_error(ErrorKind kind, const std::string& part, const Run& run) {
  try {
    run();
    ADD_FAILURE() << "no error; expected: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(TrainHead, SaysEpochAndRateWhenTheLossIsNoNumber) {
  Clouds train({});
  train.values.row(5)[2] = std::numeric_limits<float>::quiet_NaN();
  expect_error(ErrorKind::kBadInput, "in epoch 1 at learning rate",
               [&] { (void)train_head(train.all(), kNone, 2, {}); });
  const Clouds sound({.spread = 3});
  TrainOptions options;
  options.optimizer = OptimizerKind::kSgd;
  options.learning_rate = 1e38f;
  expect_error(ErrorKind::kBadInput, "try a smaller one",
               [&] { (void)train_head(sound.all(), kNone, 2, options); });
}

TEST(TrainHead, RunsTheRateAlongTheScheduleThatIsAskedFor) {
  const Clouds train({});  // 60 pictures: two batches an epoch
  for (const ScheduleKind kind : kScheduleKinds) {
    TrainOptions options;
    options.schedule = kind;
    options.epochs = 10;
    const Schedule schedule{
        .kind = kind, .peak = options.learning_rate, .warmup = options.warmup, .total = 20};
    const TrainedHead trained = train_head(train.all(), kNone, 2, options);
    for (const EpochResult& row : trained.history) {
      EXPECT_EQ(row.learning_rate, schedule.rate(2 * row.epoch - 1)) << name_of(kind);
    }
  }
}

TEST(TrainHead, RefusesOptionsOutOfRange) {
  const Clouds train({});
  const auto refused = [&](const std::string& part, const auto& change) {
    TrainOptions options;
    change(options);
    expect_error(ErrorKind::kUsage, part,
                 [&] { (void)train_head(train.all(), kNone, 2, options); });
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  refused("learning rate", [](TrainOptions& o) { o.learning_rate = 0; });
  refused("learning rate", [nan](TrainOptions& o) { o.learning_rate = nan; });
  refused("dropout", [](TrainOptions& o) { o.dropout = 1; });
  refused("dropout", [nan](TrainOptions& o) { o.dropout = nan; });
  refused("label smoothing", [](TrainOptions& o) { o.label_smoothing = -0.1f; });
  refused("momentum", [](TrainOptions& o) { o.momentum = 1; });
  refused("weight decay", [](TrainOptions& o) { o.weight_decay = -1; });
  refused("warm-up", [](TrainOptions& o) { o.warmup = 1; });
  refused("epochs", [](TrainOptions& o) { o.epochs = 0; });
  refused("batch", [](TrainOptions& o) { o.batch = 0; });
  refused("hidden", [](TrainOptions& o) { o.hidden = 0; });
  refused("patience", [](TrainOptions& o) { o.patience = -1; });
}

TEST(TrainHead, RefusesFeaturesThatDoNotFit) {
  const Clouds train({});
  const auto refused = [&](const std::string& part, const LabelledFeatures& a,
                           const LabelledFeatures& b, int classes) {
    expect_error(ErrorKind::kUsage, part, [&] { (void)train_head(a, b, classes, {}); });
  };
  refused("two classes", train.all(), kNone, 1);
  refused("no picture", kNone, kNone, 2);
  const Clouds three({.classes = 3});
  refused("label 2 is not one of the 2 classes", three.all(), kNone, 2);
  LabelledFeatures broken = train.all();
  broken.labels = broken.labels.first(5);
  refused("60 training pictures have 5 labels", broken, kNone, 2);
  const std::vector<std::size_t> beyond{60};
  const std::vector<int> label{0};
  refused("validation picture 60 has no features", train.all(),
          {.values = &train.values, .pictures = beyond, .labels = label}, 2);
  refused("training features are no table", {.pictures = beyond, .labels = label}, kNone, 2);
  const Clouds wide({.features = 21});
  refused("differ in size", train.all(), wide.all(), 2);
  LabelledFeatures viewless = train.all();
  viewless.views = 0;
  refused("views", viewless, kNone, 2);
}

}  // namespace engraft::head_test
