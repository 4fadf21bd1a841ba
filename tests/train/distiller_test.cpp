#include "engraft/train/distiller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "support/errors.h"
#include "train/tiny_distillation.h"

namespace engraft::distiller_test {

using test::expect_error;
using test::expect_same_state;
using test::TinyDistillation;
using ::testing::HasSubstr;

struct Variant {
  const char* name;
  std::function<void(TinyDistillation&)> change;
};

void PrintTo(const Variant& variant, std::ostream* out) {
  *out << variant.name;
}

class DistillerBits : public ::testing::TestWithParam<Variant> {};

TEST_P(DistillerBits, AreTheSameForAnyNumberOfThreads) {
  TinyDistillation tiny;
  GetParam().change(tiny);
  ThreadPool one(1), two(2), three(3);
  const DistillState expected = tiny.final_state(one);
  EXPECT_EQ(expected.step, 9);
  expect_same_state(tiny.final_state(two), expected);
  expect_same_state(tiny.final_state(three), expected);
}

TEST_P(DistillerBits, AreTheSameWhenInterruptedAfterEveryStep) {
  TinyDistillation tiny;
  GetParam().change(tiny);
  ThreadPool pool(2);
  const DistillState expected = tiny.final_state(pool);
  DistillState state = tiny.distiller(pool)->state();
  while (state.step < expected.step) {
    const auto distiller = tiny.distiller(pool);
    distiller->restore(state);
    distiller->step();
    state = distiller->state();
  }
  expect_same_state(state, expected);
}

INSTANTIATE_TEST_SUITE_P(
    Distiller, DistillerBits,
    ::testing::Values(Variant{"all_views_new", [](TinyDistillation&) {}},
                      Variant{"two_views_that_return",
                              [](TinyDistillation& tiny) { tiny.spec.options.views = 2; }},
                      Variant{"a_larger_view_for_the_teacher",
                              [](TinyDistillation& tiny) {
                                tiny.teacher = part_teacher(test::tiny_teacher(64));
                                tiny.spec.teacher_view = test::tiny_view(64);
                              }},
                      Variant{"a_teacher_with_a_hidden_layer",
                              [](TinyDistillation& tiny) {
                                tiny.teacher = part_teacher(test::tiny_mlp_teacher());
                              }},
                      Variant{"cutmix",
                              [](TinyDistillation& tiny) {
                                tiny.spec.options.augmentation.mixup = 0;
                                tiny.spec.options.augmentation.cutmix = 1;
                                tiny.spec.options.mixed = 1;
                              }},
                      Variant{"sgd_without_average",
                              [](TinyDistillation& tiny) {
                                tiny.spec.options.optimizer = OptimizerKind::kSgd;
                                tiny.spec.options.ema = 0;
                              }}),
    [](const auto& variant) { return std::string(variant.param.name); });

TEST(Distiller, TheStudentComesCloserToTheTeacher) {
  TinyDistillation tiny;
  tiny.spec.options.epochs = 60;
  tiny.spec.options.learning_rate = 3e-3f;
  tiny.spec.options.look_every = 1;
  ThreadPool pool(2);
  const auto history = tiny.final_state(pool).history;
  ASSERT_EQ(history.size(), 60u);
  EXPECT_LT(history.back().feature_error, history.front().feature_error / 2);
  EXPECT_LT(history.back().divergence, history.front().divergence / 2);
  EXPECT_LT(history.back().held_out_feature_error, history.front().held_out_feature_error / 2);
}

TEST(Distiller, TheAnswersOfAHiddenLayerAloneTeachTheStudent) {
  TinyDistillation tiny;
  tiny.teacher = part_teacher(test::tiny_mlp_teacher());
  tiny.spec.options.epochs = 60;
  tiny.spec.options.learning_rate = 3e-3f;
  tiny.spec.options.loss.feature_weight = 0;
  ThreadPool pool(2);
  const auto history = tiny.final_state(pool).history;
  EXPECT_GT(history.front().divergence, 0.01);
  EXPECT_LT(history.back().divergence, history.front().divergence / 2);
}

TEST(Distiller, AStudentThatIsTheTeacherHasNothingToLearn) {
  TinyDistillation tiny;
  tiny.student = tiny.teacher.features;
  tiny.spec.options.optimizer = OptimizerKind::kSgd;
  tiny.spec.options.weight_decay = 0;
  tiny.spec.options.epochs = 1;
  tiny.spec.options.look_every = 1;
  ThreadPool pool(1);
  const auto history = tiny.final_state(pool).history;
  EXPECT_LT(history[0].feature_error, 1e-9);
  EXPECT_LT(std::abs(history[0].divergence), 1e-6);
  EXPECT_EQ(history[0].agreement, 1);
  EXPECT_EQ(history[0].held_out_agreement, 1);
}

TEST(Distiller, AnEpochLeavesOutWhatDoesNotFillABatch) {
  const TinyDistillation tiny;
  ThreadPool pool(1);
  const auto distiller = tiny.distiller(pool);
  EXPECT_EQ(distiller->steps_per_epoch(), 3);  // 13 pictures by 4
  EXPECT_EQ(distiller->steps_in_all(), 9);
}

TEST(Distiller, FewerPicturesThanABatchMakeOneBatch) {
  TinyDistillation tiny;
  tiny.spec.options.batch = 64;
  ThreadPool pool(1);
  const auto distiller = tiny.distiller(pool);
  EXPECT_EQ(distiller->batch(), 13);
  EXPECT_EQ(distiller->steps_per_epoch(), 1);
  distiller->step();
  EXPECT_TRUE(std::isfinite(distiller->running_loss()));
}

TEST(Distiller, LooksAtTheChosenEpochsAndAtTheLast) {
  TinyDistillation tiny;
  int probes = 0;
  tiny.spec.probe = [&](const Network&) { return 0.25 + ++probes; };
  ThreadPool pool(1);
  const auto history = tiny.final_state(pool).history;
  EXPECT_TRUE(std::isnan(history[0].held_out_agreement));
  EXPECT_TRUE(std::isnan(history[0].probe));
  EXPECT_FALSE(std::isnan(history[1].held_out_agreement));
  EXPECT_EQ(history[1].probe, 1.25);
  EXPECT_EQ(history[2].probe, 2.25);
  EXPECT_EQ(probes, 2);
}

TEST(Distiller, HasAsManyLooksAsItSays) {
  const auto looks = [](const DistillOptions& options) {
    TinyDistillation tiny;
    tiny.spec.options = options;
    int probes = 0;
    tiny.spec.probe = [&](const Network&) { return ++probes; };
    ThreadPool pool(1);
    (void)tiny.final_state(pool);
    return probes;
  };
  for (const auto& [epochs, every] : {std::pair(5, 2), std::pair(4, 2), std::pair(3, 9),
                                      std::pair(3, 1), std::pair(50, 0), std::pair(51, 0)}) {
    const DistillOptions options{.epochs = epochs, .batch = 13, .look_every = every};
    EXPECT_EQ(looks(options), distill_looks(options, epochs)) << epochs << " by " << every;
  }
}

TEST(Distiller, JudgesTheStudentAsItIsInBetween) {
  const TinyDistillation tiny;
  ThreadPool pool(1);
  const auto distiller = tiny.distiller(pool);
  const double before = distiller->look().held_out_feature_error;
  for (int i = 0; i < 6; ++i) distiller->step();
  const DistillResult now = distiller->look();
  EXPECT_NE(now.held_out_feature_error, before);
  EXPECT_EQ(now.held_out_feature_error, distiller->history().at(1).held_out_feature_error);
  EXPECT_GT(distiller->seconds_looking(), 0);
}

TEST(Distiller, KeepsTheAverageOfWeightsAndStatistics) {
  TinyDistillation tiny;
  ThreadPool pool(1);
  const auto distiller = tiny.distiller(pool);
  distiller->step();
  const DistillState state = distiller->state();
  const Network student = distiller->student();
  EXPECT_EQ(distiller->parameters().gather(student.weights), state.average_parameters);
  EXPECT_EQ(distiller->statistics().gather(student.weights), state.average_statistics);
  EXPECT_NE(state.average_parameters, state.parameters);
  EXPECT_NE(state.average_statistics, state.statistics);
}

TEST(Distiller, ALongerRunIsTheSameUntilTheShorterOnesRateFalls) {
  TinyDistillation tiny;
  tiny.spec.options.decay = 0.34f;  // the last of three epochs
  ThreadPool pool(2);
  const auto lengthened = tiny.distiller(pool);
  for (int i = 0; i < 5; ++i) lengthened->step();
  lengthened->set_epochs(5);
  while (!lengthened->finished()) lengthened->step();
  tiny.spec.options.epochs = 5;
  expect_same_state(lengthened->state(), tiny.final_state(pool));
}

TEST(Distiller, TheLengthIsFixedOnceTheRateFalls) {
  TinyDistillation tiny;
  tiny.spec.options.decay = 0.34f;
  ThreadPool pool(1);
  const auto distiller = tiny.distiller(pool);
  for (int i = 0; i < 7; ++i) distiller->step();
  expect_error(ErrorKind::kUsage, HasSubstr("up to epoch 2"), [&] { distiller->set_epochs(9); });
  EXPECT_EQ(distiller->steps_in_all(), 9);
  distiller->set_epochs(3);  // what it is
}

TEST(Distiller, ALengthThatIsDoneAlreadyIsRefused) {
  TinyDistillation tiny;
  tiny.spec.options.decay = 0;
  ThreadPool pool(1);
  const auto distiller = tiny.distiller(pool);
  for (int i = 0; i < 3; ++i) distiller->step();
  expect_error(ErrorKind::kUsage, HasSubstr("1 epochs are done"),
               [&] { distiller->set_epochs(1); });
  distiller->set_epochs(2);
  while (!distiller->finished()) distiller->step();
  EXPECT_FALSE(std::isnan(distiller->history().back().held_out_agreement));
}

TEST(Distiller, ATeacherWhoseFeaturesAreNoNumbersIsNamedAsTheReason) {
  for (const int views : {0, 2}) {
    TinyDistillation tiny;
    tiny.spec.options.views = views;
    GraphBuilder g({test::kTinySide, test::kTinySide, 3});
    const ValueId x =
        g.conv("conv", g.input(), {.channels = test::kTinyFeatures, .kernel = 3, .stride = 2});
    Network& features = tiny.teacher.features;
    features.graph = g.finish(g.apply(Op::kGlobalAveragePool, std::string(kPooledValue), x));
    Tensor kernel = features.weights.at("conv/kernel");
    kernel.values()[0] = std::numeric_limits<float>::quiet_NaN();
    features.weights.set("conv/kernel", kernel);
    ThreadPool pool(1);
    expect_error(ErrorKind::kBadInput, HasSubstr("the teacher's features"),
                 [&] { (void)tiny.distiller(pool); });
  }
}

TEST(Distiller, ALossThatIsNoNumberIsAnErrorAndNamesTheRate) {
  TinyDistillation tiny;
  Tensor bad = tiny.student.weights.at("Conv1/kernel");
  bad.values()[0] = std::numeric_limits<float>::quiet_NaN();
  tiny.student.weights.set("Conv1/kernel", bad);
  ThreadPool pool(1);
  const auto distiller = tiny.distiller(pool);
  expect_error(ErrorKind::kBadInput, HasSubstr("0.0005"), [&] { distiller->step(); });
}

TEST(Distiller, RefusesAStepBehindTheEnd) {
  TinyDistillation tiny;
  tiny.spec.options.epochs = 1;
  ThreadPool pool(1);
  const auto distiller = tiny.distiller(pool);
  while (!distiller->finished()) distiller->step();
  expect_error(ErrorKind::kUsage, HasSubstr("over"), [&] { distiller->step(); });
}

TEST(Distiller, RefusesPartsThatDoNotFit) {
  ThreadPool pool(1);
  {
    TinyDistillation tiny;
    tiny.spec.student_view = test::tiny_view(64);
    expect_error(ErrorKind::kUsage, HasSubstr("student takes [32,32,3]"),
                 [&] { (void)tiny.distiller(pool); });
  }
  {
    TinyDistillation tiny;
    tiny.student.graph = mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = 0});
    expect_error(ErrorKind::kUsage, HasSubstr("[1280]"), [&] { (void)tiny.distiller(pool); });
  }
  {
    TinyDistillation tiny;
    tiny.spec.pictures = {};
    expect_error(ErrorKind::kUsage, HasSubstr("no pictures"), [&] { (void)tiny.distiller(pool); });
  }
  {
    TinyDistillation tiny;
    tiny.pictures[3].error = "is empty";
    expect_error(ErrorKind::kUsage, HasSubstr("could not be read"),
                 [&] { (void)tiny.distiller(pool); });
  }
}

TEST(Distiller, RefusesTheStateOfAnother) {
  TinyDistillation tiny;
  ThreadPool pool(1);
  const auto distiller = tiny.distiller(pool);
  for (int i = 0; i < 4; ++i) distiller->step();
  const DistillState good = distiller->state();
  const auto refused = [&](const std::function<void(DistillState&)>& change) {
    DistillState state = good;
    change(state);
    expect_error(ErrorKind::kBadInput, HasSubstr("of another distillation"),
                 [&] { tiny.distiller(pool)->restore(state); });
  };
  refused([](DistillState& s) { s.parameters.pop_back(); });
  refused([](DistillState& s) { s.statistics.clear(); });
  refused([](DistillState& s) { s.average_parameters.clear(); });
  refused([](DistillState& s) { s.average_statistics.push_back(0); });
  refused([](DistillState& s) { s.optimizer.pop_back(); });
  refused([](DistillState& s) { s.optimizer[0].first = "other"; });
  refused([](DistillState& s) { s.optimizer_steps = 3; });
  refused([](DistillState& s) { s.step = s.optimizer_steps = 10; });
  refused([](DistillState& s) { s.seen = 3; });
  refused([](DistillState& s) { s.agreeing = 5; });
  refused([](DistillState& s) { s.history.clear(); });
  refused([](DistillState& s) { s.history[0].epoch = 2; });
}

TEST(DistillOptions, OutOfRangeAreRefusedByName) {
  const auto refused = [](const char* what, const std::function<void(DistillOptions&)>& change) {
    DistillOptions options;
    check(options);
    change(options);
    expect_error(ErrorKind::kUsage, HasSubstr(what), [&] { check(options); });
  };
  refused("epochs", [](DistillOptions& o) { o.epochs = 0; });
  refused("batch of", [](DistillOptions& o) { o.batch = 1; });
  refused("micro-batch", [](DistillOptions& o) { o.micro_batch = 0; });
  refused("learning rate", [](DistillOptions& o) { o.learning_rate = 0; });
  refused("weight decay", [](DistillOptions& o) { o.weight_decay = 1000; });
  refused("warm-up", [](DistillOptions& o) { o.warmup_steps = -1; });
  refused("decay", [](DistillOptions& o) { o.decay = 1.5f; });
  refused("norm", [](DistillOptions& o) { o.clip = -1; });
  refused("averaging", [](DistillOptions& o) { o.ema = 1; });
  refused("statistics", [](DistillOptions& o) { o.statistics_momentum = 1; });
  refused("mixed", [](DistillOptions& o) { o.mixed = 2; });
  refused("views", [](DistillOptions& o) { o.views = -1; });
  refused("look", [](DistillOptions& o) { o.look_every = -1; });
  refused("temperature", [](DistillOptions& o) { o.loss.temperature = 0; });
  refused("feature weight", [](DistillOptions& o) { o.loss.feature_weight = -1; });
  refused("answer weight", [](DistillOptions& o) { o.loss.answer_weight = -1; });
  refused("nothing to learn",
          [](DistillOptions& o) { o.loss.feature_weight = o.loss.answer_weight = 0; });
}

TEST(DistillRate, RisesStaysAndFallsToNearlyNothing) {
  const DistillOptions options{.learning_rate = 2, .warmup_steps = 4, .decay = 0.25f};
  EXPECT_FLOAT_EQ(distill_rate(options, 0, 100), 0.5f);
  EXPECT_FLOAT_EQ(distill_rate(options, 3, 100), 2);
  EXPECT_FLOAT_EQ(distill_rate(options, 74, 100), 2);
  EXPECT_FLOAT_EQ(distill_rate(options, 75, 100), 2);
  EXPECT_FLOAT_EQ(distill_rate(options, 81, 100), 2 * (1 - std::sqrt(6.f / 25)));
  for (std::int64_t step = 76; step < 100; ++step) {
    EXPECT_LT(distill_rate(options, step, 100), distill_rate(options, step - 1, 100));
  }
  EXPECT_GT(distill_rate(options, 99, 100), 0);
  EXPECT_LT(distill_rate(options, 99, 100), 0.05f);
}

TEST(DistillRate, DoesNotDependOnTheLengthBeforeItFalls) {
  const DistillOptions options{.learning_rate = 1, .warmup_steps = 10, .decay = 0.2f};
  for (std::int64_t step = 0; step < 80; ++step) {
    EXPECT_EQ(distill_rate(options, step, 100), distill_rate(options, step, 1000));
  }
}

TEST(DistillRate, AWarmupLongerThanTheRunEndsWhereItFalls) {
  const DistillOptions options{.learning_rate = 1, .warmup_steps = 500, .decay = 0.5f};
  EXPECT_FLOAT_EQ(distill_rate(options, 4, 10), 1);
  EXPECT_FLOAT_EQ(distill_rate(options, 0, 10), 0.2f);
}

}  // namespace engraft::distiller_test
