#include "engraft/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

namespace engraft {
namespace {

TEST(Adam, FirstStepIsTheRateWhateverTheGradientsSize) {
  for (const double g : {1e-3, 1.0, -1e4}) {
    Adam<double> adam(1);
    std::vector<double> w{2.0};
    adam.step(w, std::vector<double>{g}, {.learning_rate = 0.125f});
    // ε stands beside √v, not √v̂: its share is ε/(|g|·√0.001) of the step.
    EXPECT_NEAR(w[0], 2.0 - std::copysign(0.125, g), 0.125 * 1e-7 / (std::abs(g) * 0.0316) * 1.1);
  }
}

TEST(Adam, FollowsThePublishedRecurrence) {
  Adam<double> adam(1);
  std::vector<double> w{1.0};
  double expected = 1.0, m = 0, v = 0;
  for (int t = 1; t <= 20; ++t) {
    const double g = std::sin(t) + 0.1 * expected;
    adam.step(w, std::vector<double>{g}, {.learning_rate = 0.5f});
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const double rate = 0.5 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    expected -= rate * m / (std::sqrt(v) + 1e-7);
    ASSERT_NEAR(w[0], expected, 1e-12);
  }
}

TEST(Adam, AFeatureWithoutGradientStaysWhereItIs) {
  Adam<float> adam(2);
  std::vector<float> w{1, 1};
  for (int t = 0; t < 5; ++t) adam.step(w, std::vector<float>{0, 1}, {.learning_rate = 0.1f});
  EXPECT_EQ(w[0], 1);
  EXPECT_LT(w[1], 1);
}

TEST(Sgd, WithMomentumFollowsKerasForm) {
  Sgd<double> sgd(1, 0.5);
  std::vector<double> w{0.0};
  sgd.step(w, std::vector<double>{1.0}, {.learning_rate = 0.25f});
  EXPECT_NEAR(w[0], -0.25, 1e-15);
  sgd.step(w, std::vector<double>{1.0}, {.learning_rate = 0.25f});
  EXPECT_NEAR(w[0], -0.25 - 0.375, 1e-15);
}

TEST(Optimizers, DecayTheWeightsOutsideTheGradient) {
  const StepOptions options{.learning_rate = 0.5f, .weight_decay = 0.25f};
  std::vector<double> w{8.0};
  Adam<double> adam(1);
  adam.step(w, std::vector<double>{0.0}, options);
  EXPECT_NEAR(w[0], 8.0 * (1 - 0.125), 1e-12);
  Sgd<double> sgd(1, 0.9);
  sgd.step(w, std::vector<double>{0.0}, options);
  sgd.step(w, std::vector<double>{0.0}, options);
  EXPECT_NEAR(w[0], 8.0 * std::pow(1 - 0.125, 3), 1e-12);  // no momentum of its own
}

TEST(Optimizers, FindTheMinimumOfABowl) {
  std::vector<double> a{3.0, -2.0}, b = a;
  Adam<double> adam(2);
  Sgd<double> sgd(2, 0.9);
  for (int t = 0; t < 400; ++t) {
    const float rate = 0.1f * static_cast<float>(400 - t) / 400;
    adam.step(a, std::vector<double>{a[0], 10 * a[1]}, {.learning_rate = rate});
    sgd.step(b, std::vector<double>{b[0], 10 * b[1]}, {.learning_rate = 0.1f * rate});
  }
  for (const double w : {a[0], a[1], b[0], b[1]}) EXPECT_NEAR(w, 0, 0.02);
}

}  // namespace
}  // namespace engraft
