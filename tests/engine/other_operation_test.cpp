// The operators without a kernel, as oneDNN computes them, against the double reference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/operation_harness.h"
#include "engraft/kernels/reference/elementwise.h"
#include "engraft/kernels/reference/vector.h"
#include "support/random_values.h"

namespace engraft::other_operation_test {

using test::random_values;
using test::run_step;

struct Case {
  Shape shape;
  int batch = 1;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.shape.to_string() << ", batch " << c.batch;
}

class EveryShape : public testing::TestWithParam<Case> {
 protected:
  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>(GetParam().shape.elements() * GetParam().batch);
  }
  [[nodiscard]] std::vector<float> run(Op op, std::span<const float> x,
                                       std::span<const float> addend = {},
                                       std::optional<Op> activation = {}) const {
    Step step{.op = op, .name = "step", .activation = activation};
    if (step.has_two_operands()) step.addend = 2;
    return run_step({.step = step,
                     .input = GetParam().shape,
                     .output = GetParam().shape,
                     .batch = GetParam().batch},
                    {}, x, addend);
  }
};

std::vector<double> widen(std::span<const float> values) {
  return {values.begin(), values.end()};
}

void expect_near(std::span<const float> y, std::span<const double> expected, double tolerance) {
  ASSERT_EQ(y.size(), expected.size());
  for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], tolerance) << i;
}

TEST_P(EveryShape, ReluAndRelu6AreExact) {
  auto x = random_values(size(), 1);
  for (float& value : x) value *= 5;
  const auto wide = widen(x);
  expect_near(run(Op::kRelu, x), reference::relu(std::span(wide)), 0);
  expect_near(run(Op::kRelu6, x), reference::relu6(std::span(wide)), 0);
}

TEST_P(EveryShape, SigmoidIsWithinAFewUnitsOfTheLastPlace) {
  auto x = random_values(size(), 2);
  for (float& value : x) value *= 20;
  const auto wide = widen(x);
  expect_near(run(Op::kSigmoid, x), reference::sigmoid(std::span(wide)), 5e-7);
}

TEST_P(EveryShape, HardSigmoidAndHardSwishAreWithinAFewUnitsOfTheLastPlace) {
  auto x = random_values(size(), 12);
  for (float& value : x) value *= 4;
  const auto wide = widen(x);
  expect_near(run(Op::kHardSigmoid, x), reference::hard_sigmoid(std::span(wide)), 2e-7);
  const auto swish = run(Op::kHardSwish, x);
  const auto expected = reference::hard_swish(std::span(wide));
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(swish[i], expected[i], 3e-7 * (1 + std::fabs(x[i]))) << i;
  }
}

TEST_P(EveryShape, HardActivationsAreExactBeyondThree) {
  std::vector<float> x(size()), gate(size()), swish(size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto far = static_cast<float>(3 + i);
    x[i] = i % 2 == 0 ? far : -far;
    gate[i] = i % 2 == 0 ? 1 : 0;
    swish[i] = i % 2 == 0 ? far : 0;
  }
  EXPECT_TRUE(run(Op::kHardSigmoid, x) == gate);
  EXPECT_TRUE(run(Op::kHardSwish, x) == swish);
}

TEST_P(EveryShape, MultiplyIsOneRoundingAndMayEndInAnActivation) {
  const auto a = random_values(size(), 13), b = random_values(size(), 14);
  std::vector<float> product(a.size()), cut(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    product[i] = a[i] * b[i];
    cut[i] = std::max(product[i], 0.0f);
  }
  EXPECT_TRUE(run(Op::kMultiply, a, b) == product);
  EXPECT_TRUE(run(Op::kMultiply, a, b, Op::kRelu) == cut);
  for (const Op end : {Op::kHardSigmoid, Op::kHardSwish}) {
    const auto wide = widen(product);
    const auto y = run(Op::kMultiply, a, b, end);
    expect_near(y,
                end == Op::kHardSwish ? reference::hard_swish(std::span(wide))
                                      : reference::hard_sigmoid(std::span(wide)),
                5e-6);
  }
}

TEST_P(EveryShape, AddIsOneRoundingAndMayEndInAnActivation) {
  const auto a = random_values(size(), 3), b = random_values(size(), 4);
  std::vector<float> sum(a.size()), cut(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum[i] = a[i] + b[i];
    cut[i] = std::max(sum[i], 0.0f);
  }
  EXPECT_TRUE(run(Op::kAdd, a, b) == sum);
  EXPECT_TRUE(run(Op::kAdd, a, b, Op::kRelu) == cut);
}

TEST_P(EveryShape, SoftmaxIsWithinAFewUnitsOfTheLastPlace) {
  auto x = random_values(size(), 5);
  for (float& value : x) value *= 30;
  const auto wide = widen(x);
  expect_near(run(Op::kSoftmax, x),
              reference::softmax(std::span(wide), static_cast<std::size_t>(GetParam().shape[-1])),
              2e-6);
}

TEST_P(EveryShape, BatchNormIsWithinRoundingOfTheReference) {
  const auto channels = static_cast<std::size_t>(GetParam().shape[-1]);
  const auto gamma = random_values(channels, 6), beta = random_values(channels, 7);
  const auto mean = random_values(channels, 8);
  auto variance = random_values(channels, 9);
  for (float& value : variance) value = value * value;
  const auto x = random_values(size(), 10);
  Weights weights;
  const Shape vector{GetParam().shape[-1]};
  weights.set("gamma", Tensor(vector, gamma));
  weights.set("beta", Tensor(vector, beta));
  weights.set("mean", Tensor(vector, mean));
  weights.set("variance", Tensor(vector, variance));
  const Step step{.op = Op::kBatchNorm,
                  .name = "norm",
                  .parameters = {"gamma", "beta", "mean", "variance"},
                  .attributes = {.epsilon = 1e-3f}};
  const auto y = run_step({.step = step,
                           .input = GetParam().shape,
                           .output = GetParam().shape,
                           .batch = GetParam().batch},
                          weights, x);

  const auto wide_gamma = widen(gamma), wide_beta = widen(beta), wide_mean = widen(mean);
  const auto wide_variance = widen(variance), wide = widen(x);
  const auto expected = reference::batch_norm<double>({.gamma = wide_gamma,
                                                       .beta = wide_beta,
                                                       .mean = wide_mean,
                                                       .variance = wide_variance,
                                                       .epsilon = 1e-3f},
                                                      wide);
  for (std::size_t i = 0; i < y.size(); ++i) {
    // (x − mean) · gamma / deviation is at most 10 · 4 · 32 here, and some four roundings come.
    ASSERT_NEAR(y[i], expected[i], 4e-7 * (std::fabs(expected[i]) + 100)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Vectors, EveryShape,
                         testing::Values(Case{{1}}, Case{{2}, 3}, Case{{17}, 2}, Case{{1000}, 4},
                                         Case{{1001}}));
INSTANTIATE_TEST_SUITE_P(Pictures, EveryShape,
                         testing::Values(Case{{1, 1, 1}}, Case{{3, 5, 7}, 2}, Case{{7, 7, 24}, 4},
                                         Case{{2, 9, 33}}, Case{{14, 14, 96}}));

TEST(MultiplyOperation, TakesEachPicturesOwnFactorsForAnyNumberOfThreads) {
  for (const Case& c :
       {Case{{1, 1, 1}}, Case{{1, 1, 40}, 3}, Case{{7, 7, 960}, 4}, Case{{3, 5, 17}, 5},
        Case{{28, 28, 72}, 2}, Case{{2, 9, 1}, 3}, Case{{5, 1, 33}}, Case{{4, 4, 8}, 8}}) {
    const auto channels = static_cast<std::size_t>(c.shape[2]);
    const auto size = static_cast<std::size_t>(c.shape.elements());
    const auto x = random_values(size * static_cast<std::size_t>(c.batch), 15);
    const auto gate = random_values(channels * static_cast<std::size_t>(c.batch), 16);
    Step step{.op = Op::kMultiply, .name = "gate"};
    step.addend = 2;
    test::SingleStep single{.step = step,
                            .input = c.shape,
                            .output = c.shape,
                            .second = {c.shape[2]},
                            .batch = c.batch};
    std::vector<float> expected(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      expected[i] = x[i] * gate[i / size * channels + i % channels];
    }
    for (const int threads : {1, 2, 3}) {
      single.threads = threads;
      EXPECT_TRUE(run_step(single, {}, x, gate) == expected) << c.shape.to_string();
    }
  }
}

TEST(GlobalAveragePoolOperation, IsWithinRoundingOfTheReferenceForAnyNumberOfThreads) {
  for (const Case& c : {Case{{1, 1, 1}}, Case{{7, 7, 1280}, 4}, Case{{3, 5, 17}, 2},
                        Case{{4, 4, 8}}, Case{{10, 10, 33}, 3}}) {
    const auto size = static_cast<std::size_t>(c.shape.elements());
    const auto x = random_values(size * static_cast<std::size_t>(c.batch), 11);
    test::SingleStep single{.step = {.op = Op::kGlobalAveragePool, .name = "pool"},
                            .input = c.shape,
                            .output = {c.shape[2]},
                            .batch = c.batch};
    const auto y = run_step(single, {}, x);
    std::vector<double> expected;
    for (std::size_t i = 0; i < x.size(); i += size) {
      const auto wide = widen(std::span(x).subspan(i, size));
      const auto one = reference::global_average_pool(
          {.height = c.shape[0], .width = c.shape[1], .channels = c.shape[2]}, std::span(wide));
      expected.insert(expected.end(), one.begin(), one.end());
    }
    expect_near(y, expected, 1e-6);
    for (const int threads : {2, 3}) {
      single.threads = threads;
      EXPECT_TRUE(run_step(single, {}, x) == y) << c.shape.to_string();
    }
  }
}

}  // namespace engraft::other_operation_test
