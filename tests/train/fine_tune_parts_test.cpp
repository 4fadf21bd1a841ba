#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "engraft/train/ema.h"
#include "engraft/train/fine_tune.h"
#include "train/saved_training.h"
#include "train/tiny_pictures.h"

namespace engraft::fine_tune_parts_test {

using test::distance;
using test::expect_same_bits;
using test::run;
using test::same_bits;
using test::Seconds;
using test::tiny_network;
using test::TinyTraining;
using test::values;

TEST(FineTuner, WhatLiesBeforeTheBoundaryKeepsEveryBit) {
  TinyTraining training;
  training.spec.options.from = "block_13";
  training.spec.options.batch_norm = BatchNormMode::kTrainable;
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  run(*tuner);
  const Network after = tuner->network();
  bool trained = false;
  for (const Node& node : after.graph.nodes()) {
    trained = trained || node.name.starts_with("block_13");
    for (const std::string& name : node.parameters) {
      EXPECT_EQ(same_bits(values(after, name), values(training.network, name)), !trained) << name;
    }
  }
}

TEST(FineTuner, HeldParametersKeepEveryBit) {
  // Block 14 is bridged by an addition, so the boundary lies before it.
  for (const OptimizerKind optimizer : kOptimizerKinds) {
    TinyTraining training;
    training.network.weights.set("block_14_expand/kernel", [&] {
      Tensor kernel = training.network.weights.at("block_14_expand/kernel");
      kernel.data()[0] = -0.0f;
      return kernel;
    }());
    training.spec.options.from = "block_14_project";
    training.spec.options.optimizer = optimizer;
    training.spec.options.ema = 0.9f;
    training.spec.options.epochs = 1;
    ThreadPool pool(2);
    const auto tuner = training.tuner(pool);
    run(*tuner);
    const Network after = tuner->network();
    for (const char* name : {"block_14_expand/kernel", "block_14_expand_BN/gamma",
                             "block_14_depthwise/depthwise_kernel", "block_14_depthwise_BN/beta"}) {
      EXPECT_TRUE(tuner->parameters().contains(name)) << name;
      EXPECT_TRUE(same_bits(values(after, name), values(training.network, name))) << name;
    }
    EXPECT_FALSE(same_bits(values(after, "block_14_project/kernel"),
                           values(training.network, "block_14_project/kernel")));
    std::size_t held = 0;
    for (const auto& slot : tuner->parameters().slots()) {
      if (slot.name.starts_with("block_14_e") || slot.name.starts_with("block_14_d")) {
        held += slot.size;
      }
    }
    EXPECT_EQ(tuner->trained_parameters(), tuner->parameters().size() - held);
  }
}

TEST(FineTuner, HeldParametersHaveNoSayInTheGradientsNorm) {
  TinyTraining training;
  training.spec.options.optimizer = OptimizerKind::kSgd;
  training.spec.options.momentum = 0;
  training.spec.options.weight_decay = 0;
  training.spec.options.from = "block_14_project";
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  const FineTuneState before = tuner->state();
  const BatchResult result = tuner->step_at(1);
  EXPECT_NEAR(distance(before.parameters, tuner->state().parameters), result.gradient_norm,
              1e-4 * result.gradient_norm);
}

TEST(FineTuner, ClippedStepsAreNoLongerThanTheRateAllows) {
  TinyTraining training;
  training.spec.options.optimizer = OptimizerKind::kSgd;
  training.spec.options.momentum = 0;
  training.spec.options.weight_decay = 0;
  training.spec.options.clip = 0.01f;
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  const FineTuneState before = tuner->state();
  EXPECT_GT(tuner->step_at(10).gradient_norm, 0.1);
  EXPECT_NEAR(distance(before.parameters, tuner->state().parameters), 0.1, 1e-3);
}

TEST(FineTuner, LayerDecaySlowsEarlyLayersDown) {
  TinyTraining training;
  training.spec.options.optimizer = OptimizerKind::kSgd;
  training.spec.options.momentum = 0;
  training.spec.options.weight_decay = 0;
  ThreadPool pool(2);
  const auto step_of = [&](const std::string& name) {
    const auto tuner = training.tuner(pool);
    tuner->step_at(1);
    const Network after = tuner->last_network();
    return distance(values(after, name), values(training.network, name));
  };
  const double head = step_of("predictions/kernel"), late = step_of("block_16_project/kernel"),
               early = step_of("Conv1/kernel");
  training.spec.options.layer_decay = 0.9f;
  EXPECT_NEAR(step_of("predictions/kernel"), head, 1e-4 * head);
  EXPECT_NEAR(step_of("block_16_project/kernel"), late, 1e-3 * late);
  // 17 depthwise convolutions lie between the first one and the output.
  EXPECT_NEAR(step_of("Conv1/kernel"), early * std::pow(0.9, 17), 1e-3 * early);
}

TEST(FineTuner, TheKeptWeightsAreTheirMovingAverage) {
  TinyTraining training;
  training.spec.options.ema = 0.8f;
  training.spec.options.keep = Keep::kLastEpoch;
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  Ema expected(tuner->state().parameters, 0.8f);
  while (!tuner->finished()) {
    tuner->step();
    expected.step(tuner->state().parameters);
  }
  EXPECT_TRUE(same_bits(tuner->state().ema, std::as_const(expected).average()));
  EXPECT_TRUE(same_bits(tuner->parameters().gather(tuner->network().weights),
                        std::as_const(expected).average()));
}

TEST(FineTuner, TheBoundaryCacheChangesNoBit) {
  for (const float mirror : {0.0f, 0.5f}) {
    for (const float mixup : {0.0f, 0.5f}) {
      TinyTraining training;
      training.spec.options.from = "block_6";
      training.spec.options.augmentation.mirror = mirror;
      training.spec.options.augmentation.mixup = mixup;
      ThreadPool pool(2);
      const FineTuneState expected = training.final_state(pool);
      BoundaryCache cache(std::size_t{1} << 26);
      training.spec.boundaries = &cache;
      training.spec.views_return = true;
      expect_same_bits(training.final_state(pool), expected, Seconds::kIgnored);
      expect_same_bits(training.final_state(pool), expected, Seconds::kIgnored);
    }
  }
}

TEST(FineTuner, OnlyViewsThatReturnTakeRoomInTheBoundaryCache) {
  ThreadPool pool(2);
  const auto used = [&](float mirror, bool views_return) {
    TinyTraining training;
    training.spec.options.from = "block_15";
    training.spec.options.epochs = 2;
    training.spec.options.augmentation.mirror = mirror;
    BoundaryCache cache(std::size_t{1} << 26);
    training.spec.boundaries = &cache;
    training.spec.views_return = views_return;
    static_cast<void>(training.final_state(pool));
    return cache.used();
  };
  const std::size_t validation = used(0.5f, false);
  EXPECT_GT(validation, 0u);
  EXPECT_GT(used(0, false), validation);  // the plain views of training pictures return each epoch
  EXPECT_GT(used(0.5f, true), used(0, true));
}

TEST(FineTuner, OneBoundaryCacheServesTrainingsOfEveryKind) {
  BoundaryCache cache(std::size_t{1} << 26);
  ThreadPool pool(2);
  const auto expect_unchanged = [&](const char* what, auto&& change) {
    SCOPED_TRACE(what);
    TinyTraining training;
    training.spec.options.from = "block_15";  // as large at its boundary as block_14
    training.spec.options.epochs = 1;
    training.spec.options.augmentation.mirror = 0.5f;
    change(training);
    const FineTuneState expected = training.final_state(pool);
    training.spec.boundaries = &cache;
    training.spec.views_return = true;
    expect_same_bits(training.final_state(pool), expected, Seconds::kIgnored);
  };
  expect_unchanged("nothing", [](TinyTraining&) {});
  expect_unchanged("boundary", [](TinyTraining& t) { t.spec.options.from = "block_14"; });
  expect_unchanged("weights", [](TinyTraining& t) { t.network = tiny_network(2); });
  expect_unchanged("seed", [](TinyTraining& t) { t.spec.options.seed = 9; });
  expect_unchanged("views", [](TinyTraining& t) { t.spec.options.augmentation.mirror = 1; });
  expect_unchanged("no views", [](TinyTraining& t) { t.spec.options.augmentation = {}; });
  expect_unchanged("pixels", [](TinyTraining& t) { t.spec.preprocessing.offset[1] = -0.5f; });
}

TEST(FineTuner, PredictionsAreThoseOfTheNetworkItReturns) {
  TinyTraining training;
  training.spec.options.from = "block_6";
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  run(*tuner);
  const Tensor in_parts = tuner->predict(training.spec.validation.pictures);
  TinyTraining whole(tuner->network());
  const Tensor at_once = whole.tuner(pool)->predict(training.spec.validation.pictures);
  for (std::size_t i = 0; i < in_parts.size(); ++i) {
    EXPECT_NEAR(in_parts.data()[i], at_once.data()[i], 1e-5) << i;
  }
}

}  // namespace engraft::fine_tune_parts_test
