#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engraft/train/optimizer.h"
#include "support/random_values.h"

namespace engraft::optimizer_steps_test {

using test::random_values;
using testing::ElementsAre;

template <typename T>
BasicOptimizer<T> make(OptimizerKind kind, std::size_t size, float momentum = 0.9f) {
  return BasicOptimizer<T>({.kind = kind, .size = size, .momentum = momentum});
}

/// w after each of `steps` steps from 0 with gradient 1 at rate ¼ and momentum ½.
std::vector<double> walk(OptimizerKind kind, int steps) {
  auto optimizer = make<double>(kind, 1, 0.5f);
  std::vector<double> w{0.0}, path;
  for (int t = 0; t < steps; ++t) {
    optimizer.step(w, std::vector<double>{1.0}, {.learning_rate = 0.25f});
    path.push_back(w[0]);
  }
  return path;
}

TEST(Sgd, WithMomentumTakesTheStepsWorkedOutByHand) {
  EXPECT_THAT(walk(OptimizerKind::kSgd, 3), ElementsAre(-0.25, -0.625, -1.0625));
}

TEST(Nesterov, TakesTheStepsWorkedOutByHand) {
  // u: -0.25, -0.375, -0.4375; each step 0.5u - 0.25.
  EXPECT_THAT(walk(OptimizerKind::kNesterov, 3), ElementsAre(-0.375, -0.8125, -1.28125));
}

TEST(Nesterov, IsTheMethodThatTakesItsGradientAhead) {
  // Sutskever et al. 2013: v ← µv - rate·∇f(θ + µv), θ ← θ + v; here w = θ + µv, f = 2w².
  auto optimizer = make<double>(OptimizerKind::kNesterov, 1, 0.75f);
  std::vector<double> w{1.0};
  double theta = 1, v = 0;
  for (int t = 0; t < 30; ++t) {
    optimizer.step(w, std::vector<double>{4 * w[0]}, {.learning_rate = 0.0625f});
    v = 0.75 * v - 0.0625 * 4 * (theta + 0.75 * v);
    theta += v;
    ASSERT_NEAR(w[0], theta + 0.75 * v, 1e-14) << t;
  }
}

TEST(Sgd, WithoutMomentumIsTheGradientTimesTheRate) {
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kNesterov}) {
    auto optimizer = make<float>(kind, 4, 0);
    std::vector<float> w{1, 2, 3, 4};
    optimizer.step(w, std::vector<float>{1, 6, 7, 2}, {.learning_rate = 0.5f});
    EXPECT_THAT(w, ElementsAre(0.5f, -1, -0.5f, 3));
  }
}

TEST(Adam, FirstStepIsTheRateWhateverTheGradientsSize) {
  for (const double g : {1e-3, 1.0, -1e4}) {
    auto adam = make<double>(OptimizerKind::kAdam, 1);
    std::vector<double> w{2.0};
    adam.step(w, std::vector<double>{g}, {.learning_rate = 0.125f});
    // ε stands beside √v, not √v̂: its share is ε/(|g|·√0.001) of the step.
    EXPECT_NEAR(w[0], 2.0 - std::copysign(0.125, g), 0.125 * 1e-7 / (std::abs(g) * 0.0316) * 1.1);
  }
}

TEST(Adam, TakesTheCorrectionFromTheCountOfSteps) {
  // As if it were step 3 with moments of 0: √(1-0.999³)/(1-0.9³) · 0.1/√0.001 of the rate.
  auto adam = make<double>(OptimizerKind::kAdam, 1);
  adam.set_steps(2);
  std::vector<double> w{0.0};
  adam.step(w, std::vector<double>{1.0}, {.learning_rate = 0.5f});
  EXPECT_NEAR(w[0], -0.5 * std::sqrt(0.002997001) / 0.271 * 0.1 / (std::sqrt(0.001) + 1e-7), 1e-12);
}

TEST(Adam, TakesWeightDecayIntoTheGradient) {
  // A penalty of any strength is normalised away: the first step is the rate.
  for (const float decay : {0.01f, 5.0f}) {
    auto adam = make<double>(OptimizerKind::kAdam, 1);
    std::vector<double> w{8.0};
    adam.step(w, std::vector<double>{0.0}, {.learning_rate = 0.5f, .weight_decay = decay});
    EXPECT_NEAR(w[0], 7.5, 1e-4);
  }
  auto penalised = make<double>(OptimizerKind::kAdam, 1), told = penalised;
  std::vector<double> a{1.0}, b{1.0};
  for (int t = 0; t < 10; ++t) {
    const double g = std::cos(t);
    penalised.step(a, std::vector<double>{g}, {.learning_rate = 0.1f, .weight_decay = 0.25f});
    told.step(b, std::vector<double>{g + 0.25 * b[0]}, {.learning_rate = 0.1f});
    ASSERT_NEAR(a[0], b[0], 1e-14);
  }
}

TEST(Adam, WithoutDecayIsAdamw) {
  auto adam = make<float>(OptimizerKind::kAdam, 9), adamw = make<float>(OptimizerKind::kAdamw, 9);
  std::vector<float> a = random_values(9, 8), b = a;
  for (std::uint64_t t = 0; t < 9; ++t) {
    adam.step(a, random_values(9, t), {.learning_rate = 0.1f});
    adamw.step(b, random_values(9, t), {.learning_rate = 0.1f});
  }
  EXPECT_EQ(a, b);
}

// The next three are values of Keras' own documentation and tests.
TEST(Adamw, TakesKerasFirstStep) {
  auto adamw = make<float>(OptimizerKind::kAdamw, 4);
  std::vector<float> w{1, 2, 3, 4};
  adamw.step(w, std::vector<float>{1, 6, 7, 2}, {.learning_rate = 0.5f, .weight_decay = 0.004f});
  const float expected[] = {0.498f, 1.496f, 2.494f, 3.492f};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(w[i], expected[i], 4e-6);
}

TEST(Rmsprop, TakesKerasFirstStep) {
  auto rmsprop = make<float>(OptimizerKind::kRmsprop, 4);
  std::vector<float> w{1, 2, 3, 4};
  rmsprop.step(w, std::vector<float>{1, 6, 7, 2}, {.learning_rate = 0.5f});
  const float expected[] = {-0.5811f, 0.4189f, 1.4189f, 2.4189f};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(w[i], expected[i], 1e-4);

  auto one = make<double>(OptimizerKind::kRmsprop, 1);
  std::vector<double> v{10.0};  // of the loss v²/2
  one.step(v, std::vector<double>{10.0}, {.learning_rate = 0.1f});
  EXPECT_NEAR(v[0], 9.683772, 1e-6);
}

TEST(Optimizers, DecayTheWeightsOutsideTheGradient) {
  for (const OptimizerKind kind : kOptimizerKinds) {
    if (kind == OptimizerKind::kAdam) continue;
    auto optimizer = make<double>(kind, 1);
    std::vector<double> w{2.0};
    for (int t = 0; t < 3; ++t) {  // no momentum of its own
      optimizer.step(w, std::vector<double>{0.0}, {.learning_rate = 1, .weight_decay = 0.004f});
    }
    EXPECT_NEAR(w[0], 1.9760959, 1e-7) << name_of(kind);
  }
}

TEST(Rmsprop, TakesShortStepsForGradientsFarBelowItsEpsilon) {
  // √ε = 3.2e-4 stands under the gradient: 1e-6 moves the weight by 1e-6/3.2e-4 of the rate.
  auto rmsprop = make<double>(OptimizerKind::kRmsprop, 1);
  std::vector<double> w{0.0};
  rmsprop.step(w, std::vector<double>{1e-6}, {.learning_rate = 1});
  EXPECT_NEAR(w[0], -1e-6 / std::sqrt(1e-7), 1e-7);
}

}  // namespace engraft::optimizer_steps_test
