#include "engraft/train/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/errors.h"
#include "support/random_values.h"

namespace engraft::optimizer_test {

using test::expect_error;
using test::random_values;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

template <typename T>
BasicOptimizer<T> make(OptimizerKind kind, std::size_t size, float momentum = 0.9f) {
  return BasicOptimizer<T>({.kind = kind, .size = size, .momentum = momentum});
}

/// One weight, all in double, as the formulas stand.
struct Recurrence {
  OptimizerKind kind;
  double w = 1, u = 0, m = 0, v = 0;
  int t = 0;

  void step(double g, double rate, double decay) {
    constexpr double kMomentum = 0.9f;
    ++t;
    const double shrunk = w - rate * decay * w;
    if (kind == OptimizerKind::kSgd || kind == OptimizerKind::kNesterov) {
      u = kMomentum * u - rate * g;
      w = shrunk + (kind == OptimizerKind::kSgd ? u : kMomentum * u - rate * g);
    } else if (kind == OptimizerKind::kRmsprop) {
      v = 0.9 * v + 0.1 * g * g;
      w = shrunk - rate * g / std::sqrt(v + 1e-7);
    } else {
      const bool decoupled = kind == OptimizerKind::kAdamw;
      if (!decoupled) g += decay * w;
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      const double root = std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
      w = (decoupled ? shrunk : w) - rate * root * m / (std::sqrt(v) + 1e-7);
    }
  }
};

std::string name_of_case(const testing::TestParamInfo<OptimizerKind>& info) {
  return std::string(name_of(info.param));
}

class EveryOptimizer : public testing::TestWithParam<OptimizerKind> {
 protected:
  template <typename T>
  [[nodiscard]] static BasicOptimizer<T> optimizer(std::size_t size) {
    return make<T>(GetParam(), size);
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, EveryOptimizer, testing::ValuesIn(kOptimizerKinds), name_of_case);

TEST_P(EveryOptimizer, FollowsItsRecurrence) {
  auto doubles = optimizer<double>(1);
  auto floats = optimizer<float>(1);
  Recurrence expected{.kind = GetParam()};
  std::vector<double> w{1.0};
  std::vector<float> narrow{1.0f};
  for (int t = 1; t <= 50; ++t) {
    const float rate = 0.01f * static_cast<float>(1 + t % 3);
    const double g = std::sin(t) + 0.1 * expected.w;
    doubles.step(w, std::vector<double>{g}, {.learning_rate = rate, .weight_decay = 0.25f});
    floats.step(narrow, std::vector<float>{static_cast<float>(g)},
                {.learning_rate = rate, .weight_decay = 0.25f});
    expected.step(g, rate, 0.25);
    ASSERT_NEAR(w[0], expected.w, 1e-12) << t;
    ASSERT_NEAR(narrow[0], expected.w, 1e-5) << t;  // 1-β₂ has 1.3e-5 of error in float
    ASSERT_EQ(floats.steps(), t);
  }
}

TEST_P(EveryOptimizer, GivesAnElementTheSameBitsAloneAndAmongOthers) {
  for (std::size_t size = 0; size <= 35; ++size) {
    auto whole = optimizer<float>(size);
    std::vector<BasicOptimizer<float>> single(size, optimizer<float>(1));
    std::vector<float> w = random_values(size, 1), alone = w;
    for (std::uint64_t t = 0; t < 5; ++t) {
      const StepOptions options{.learning_rate = 0.05f, .weight_decay = 0.5f};
      const std::vector<float> g = random_values(size, 100 + t);
      whole.step(w, g, options);
      for (std::size_t i = 0; i < size; ++i) {
        single[i].step(std::span(alone).subspan(i, 1), std::span(g).subspan(i, 1), options);
      }
    }
    EXPECT_EQ(w, alone) << size;
  }
}

TEST_P(EveryOptimizer, GivesTheSameBitsInPiecesOfAnySizeAndOrder) {
  constexpr std::size_t kSize = 1003;
  const StepOptions options{.learning_rate = 0.01f, .weight_decay = 0.1f};
  auto whole = optimizer<float>(kSize), pieces = optimizer<float>(kSize);
  std::vector<float> w = random_values(kSize, 2), v = w;
  for (std::uint64_t t = 0; t < 10; ++t) {
    const std::vector<float> g = random_values(kSize, 20 + t);
    whole.step(w, g, options);
    pieces.begin_step();
    const std::size_t cuts[] = {0, 1, 1, 18, 500, 501, kSize};
    for (std::size_t i = std::size(cuts) - 1; i > 0; --i) {
      pieces.update({.begin = cuts[i - 1], .end = cuts[i]}, v, g, options);
    }
  }
  EXPECT_EQ(w, v);
}

TEST_P(EveryOptimizer, GoesOnFromARestoredStateWithTheSameBits) {
  constexpr std::size_t kSize = 77;
  const StepOptions options{.learning_rate = 0.02f, .weight_decay = 0.1f};
  const auto run = [&](BasicOptimizer<float>& optimizer, std::vector<float>& w, std::uint64_t from,
                       std::uint64_t to) {
    for (std::uint64_t t = from; t < to; ++t) optimizer.step(w, random_values(kSize, t), options);
  };
  auto undisturbed = optimizer<float>(kSize), first = optimizer<float>(kSize);
  std::vector<float> w = random_values(kSize, 99), v = w;
  run(undisturbed, w, 0, 12);
  run(first, v, 0, 5);

  auto second = optimizer<float>(kSize);
  for (const auto& [name, values] : second.state()) {
    std::ranges::fill(values, std::numeric_limits<float>::quiet_NaN());
  }
  const auto saved = std::as_const(first).state();
  const auto restored = second.state();
  ASSERT_EQ(saved.size(), restored.size());
  for (std::size_t i = 0; i < saved.size(); ++i) {
    EXPECT_EQ(saved[i].first, restored[i].first);
    std::ranges::copy(saved[i].second, restored[i].second.begin());
  }
  second.set_steps(first.steps());
  run(second, v, 5, 12);
  EXPECT_EQ(w, v);
  EXPECT_EQ(second.steps(), 12);
}

TEST_P(EveryOptimizer, AtARateOfZeroChangesNoWeight) {
  auto optimizer = EveryOptimizer::optimizer<float>(50);
  const std::vector<float> before = random_values(50, 3);
  std::vector<float> w = before;
  for (std::uint64_t t = 0; t < 3; ++t) {
    optimizer.step(w, random_values(50, t), {.learning_rate = 0, .weight_decay = 3});
  }
  EXPECT_EQ(w, before);
}

TEST_P(EveryOptimizer, LeavesAWeightWithoutGradientAndDecayWhereItIs) {
  auto optimizer = EveryOptimizer::optimizer<float>(2);
  std::vector<float> w{1, 1};
  for (int t = 0; t < 5; ++t) optimizer.step(w, std::vector<float>{0, 1}, {.learning_rate = 0.1f});
  EXPECT_EQ(w[0], 1);
  EXPECT_LT(w[1], 1);
}

TEST_P(EveryOptimizer, CarriesANotANumberToItsOwnWeightAlone) {
  auto optimizer = EveryOptimizer::optimizer<float>(33);
  std::vector<float> w = random_values(33, 4), g = random_values(33, 5);
  g[7] = std::numeric_limits<float>::quiet_NaN();
  optimizer.step(w, g, {.learning_rate = 0.1f});
  for (std::size_t i = 0; i < w.size(); ++i) EXPECT_EQ(std::isnan(w[i]), i == 7) << i;
}

TEST_P(EveryOptimizer, FindsTheMinimumOfABowl) {
  auto optimizer = EveryOptimizer::optimizer<double>(2);
  std::vector<double> w{3.0, -2.0};
  const bool adaptive = optimizer.state().back().first == "second_moment";
  for (int t = 0; t < 600; ++t) {
    const float rate = (adaptive ? 0.1f : 0.01f) * static_cast<float>(600 - t) / 600;
    optimizer.step(w, std::vector<double>{w[0], 10 * w[1]}, {.learning_rate = rate});
  }
  EXPECT_NEAR(w[0], 0, 1e-2);
  EXPECT_NEAR(w[1], 0, 1e-2);
}

TEST_P(EveryOptimizer, FollowsACurvedValleyToItsEnd) {
  // Rosenbrock 1960: (1-x)² + 100(y-x²)², least at (1, 1).
  auto optimizer = EveryOptimizer::optimizer<double>(2);
  std::vector<double> w{-1.2, 1.0};
  const bool adaptive = optimizer.state().back().first == "second_moment";
  constexpr int kSteps = 20000;
  for (int t = 0; t < kSteps; ++t) {
    const double x = w[0], bend = w[1] - x * x;
    const float rate = (adaptive ? 1e-2f : 3e-4f) * static_cast<float>(kSteps - t) / kSteps;
    optimizer.step(w, std::vector<double>{2 * (x - 1) - 400 * x * bend, 200 * bend},
                   {.learning_rate = rate});
  }
  EXPECT_NEAR(w[0], 1, 0.02);
  EXPECT_NEAR(w[1], 1, 0.04);
}

TEST_P(EveryOptimizer, TrainsEachGroupAtItsOwnRateAndDecay) {
  const StepOptions options{.learning_rate = 0.125f, .weight_decay = 0.5f};
  const std::vector<ParameterGroup> groups{{.begin = 0, .end = 20},
                                           {.begin = 20, .end = 40, .decay_scale = 0},
                                           {.begin = 45, .end = 50, .rate_scale = 0.25f},
                                           {.begin = 50, .end = 60, .rate_scale = 0}};
  auto grouped = optimizer<float>(60);
  const std::vector<float> before = random_values(60, 6);
  std::vector<float> w = before;
  auto plain = optimizer<float>(60), undecayed = plain, slow = plain;
  std::vector<float> a = before, b = before, c = before;
  for (std::uint64_t t = 0; t < 6; ++t) {
    const std::vector<float> g = random_values(60, 60 + t);
    grouped.begin_step();
    for (const std::size_t cut : {0u, 15u, 30u, 45u}) {  // through the groups, not along them
      grouped.update(groups, {.begin = cut, .end = cut + 15}, w, g, options);
    }
    plain.step(a, g, options);
    undecayed.step(b, g, {.learning_rate = 0.125f});
    slow.step(c, g, {.learning_rate = 0.03125f, .weight_decay = 0.5f});
  }
  for (std::size_t i = 0; i < 60; ++i) {
    const bool stays = (i >= 40 && i < 45) || i >= 50;
    EXPECT_EQ(w[i], stays ? before[i] : i < 20 ? a[i] : i < 40 ? b[i] : c[i]) << i;
  }
}

TEST_P(EveryOptimizer, NamesItsState) {
  const auto optimizer = EveryOptimizer::optimizer<float>(7);
  const auto state = optimizer.state();
  std::set<std::string_view> names;
  for (const auto& [name, values] : state) {
    EXPECT_THAT(values, SizeIs(7));
    EXPECT_THAT(values, testing::Each(0.0f));
    names.insert(name);
  }
  EXPECT_EQ(names.size(), state.size());
  EXPECT_EQ(optimizer.kind(), GetParam());
  EXPECT_EQ(optimizer.size(), 7u);
}

TEST_P(EveryOptimizer, RefusesMisuseAsADefectOfTheCaller) {
  auto optimizer = EveryOptimizer::optimizer<float>(4);
  std::vector<float> w(4);
  const std::vector<float> g(4), shorter(3);
  const auto refused = [&](const std::string& part, const auto& action) {
    expect_error(ErrorKind::kInternal, HasSubstr(part), action);
  };
  refused("before its first step", [&] { optimizer.update({.begin = 0, .end = 4}, w, g, {}); });
  optimizer.begin_step();
  refused("[0, 5)", [&] { optimizer.update({.begin = 0, .end = 5}, w, g, {}); });
  refused("[3, 2)", [&] { optimizer.update({.begin = 3, .end = 2}, w, g, {}); });
  refused("3 gradients", [&] { optimizer.update({.begin = 0, .end = 3}, w, shorter, {}); });
  expect_error(ErrorKind::kUsage, HasSubstr("must not be negative"),
               [&] { optimizer.set_steps(-1); });
}

TEST(OptimizerKind, HasAWordAndATitleOfItsOwn) {
  std::set<std::string_view> titles;
  std::vector<std::string_view> names;
  for (const OptimizerKind kind : kOptimizerKinds) {
    names.push_back(name_of(kind));
    titles.insert(title_of(kind));
  }
  EXPECT_THAT(names, ElementsAre("sgd", "nesterov", "adam", "adamw", "rmsprop"));
  EXPECT_EQ(titles.size(), names.size());
}

TEST(OptimizerSpec, RefusesAMomentumOutOfRange) {
  for (const float momentum : {-0.1f, 1.0f, std::numeric_limits<float>::quiet_NaN()}) {
    expect_error(ErrorKind::kUsage, HasSubstr("0.9 is the usual one"),
                 [&] { (void)make<float>(OptimizerKind::kSgd, 1, momentum); });
  }
}

TEST(Optimizer, KeepsOnlyTheStateItsKindNeeds) {
  const auto names = [](OptimizerKind kind) {
    std::vector<std::string_view> all;
    for (const auto& [name, values] : make<float>(kind, 1).state()) all.push_back(name);
    return all;
  };
  EXPECT_THAT(names(OptimizerKind::kSgd), ElementsAre("momentum"));
  EXPECT_THAT(names(OptimizerKind::kNesterov), ElementsAre("momentum"));
  EXPECT_THAT(names(OptimizerKind::kAdam), ElementsAre("first_moment", "second_moment"));
  EXPECT_THAT(names(OptimizerKind::kAdamw), ElementsAre("first_moment", "second_moment"));
  EXPECT_THAT(names(OptimizerKind::kRmsprop), ElementsAre("second_moment"));
}

}  // namespace engraft::optimizer_test
