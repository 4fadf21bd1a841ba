#include <gtest/gtest.h>

#include "engraft/kernels/elementwise.h"
#include "engraft/kernels/gate.h"
#include "simd_fixture.h"
#include "support/random_values.h"

namespace engraft::elementwise_kernels_test {

using test::Guarded;
using test::is_open;
using test::random_values;
using test::simd_test_name;
using test::Sums;

double hard_sigmoid_of(double x) {
  return std::clamp(x + 3, 0.0, 6.0) / 6;
}

/// Values around the corners of the hard activations: −3, −2.5 … 3 among random ones.
std::vector<float> around_corners(std::size_t count, std::uint64_t seed) {
  std::vector<float> values = random_values(count, seed);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] *= 3;
    if (i % 3 == 0) values[i] = std::clamp(std::round(values[i] * 2) / 2, -3.0F, 3.0F);
  }
  return values;
}

class Elementwise : public test::SimdTest {
 protected:
  using Unary = void (*)(std::span<const float>, std::span<float>);
  using Binary = void (*)(std::span<const float>, std::span<const float>, std::span<float>);

  /// y = f(x) for all sizes around vectors, and in place.
  template <typename Function>
  static void check(Unary kernel, const Function& function) {
    for (std::size_t size = 0; size <= 70; ++size) {
      auto x = guarded(around_corners(size, size)), y = poisoned(size);
      Sums expected(size);
      for (std::size_t i = 0; i < size; ++i) expected.add(i, function(x.data()[i]));
      kernel(x.values(), y.span());
      ASSERT_TRUE(expected.matches(y.values()));
      kernel(x.values(), x.span());
      ASSERT_TRUE(expected.matches(x.values()));
    }
  }

  /// y = f(a, b) likewise, in place of either.
  template <typename Function>
  static void check(Binary kernel, const Function& function) {
    for (std::size_t size = 0; size <= 70; ++size) {
      auto a = guarded(around_corners(size, size)), b = guarded(random_values(size, size + 100));
      auto y = poisoned(size), first = guarded(a.values()), second = guarded(b.values());
      Sums expected(size);
      for (std::size_t i = 0; i < size; ++i) {
        expected.add(i, function(double{a.data()[i]}, double{b.data()[i]}));
      }
      kernel(a.values(), b.values(), y.span());
      ASSERT_TRUE(expected.matches(y.values()));
      kernel(first.values(), b.values(), first.span());
      ASSERT_TRUE(expected.matches(first.values()));
      kernel(a.values(), second.values(), second.span());
      ASSERT_TRUE(expected.matches(second.values()));
    }
  }

  /// Calls check(pixels, channels) for rows around vectors.
  template <typename Check>
  static void for_each_shape(const Check& check) {
    for (std::size_t channels = 1; channels <= 2 * test::kMostLanes + 1; ++channels) {
      check(1 + channels * 7 % 70, channels);
      if (HasFatalFailure()) return;
    }
    for (std::size_t pixels = 1; pixels <= 70; ++pixels) check(pixels, 21);
    check(300, 72);
    check(49, 960);
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(Elementwise);

TEST_P(Elementwise, AddToAdds) {
  for (std::size_t size = 0; size <= 70; ++size) {
    auto x = guarded(random_values(size, 1)), y = guarded(random_values(size, 2));
    std::vector<float> expected(size);
    for (std::size_t i = 0; i < size; ++i) expected[i] = x.data()[i] + y.data()[i];
    add_to(x.values(), y.span());
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), y.data()));
  }
}

TEST_P(Elementwise, MultiplyIsTheProduct) {
  check(multiply, [](double a, double b) { return a * b; });
}

TEST_P(Elementwise, HardSigmoidIsItsFormula) {
  check(hard_sigmoid, hard_sigmoid_of);
}

TEST_P(Elementwise, HardSwishIsItsFormula) {
  check(hard_swish, [](double x) { return x * hard_sigmoid_of(x); });
}

TEST_P(Elementwise, HardSigmoidBackwardIsASixthInsideTheOpenInterval) {
  check(hard_sigmoid_backward, [](double x, double dy) { return x > -3 && x < 3 ? dy / 6 : 0.0; });
}

TEST_P(Elementwise, HardSwishBackwardIsTheSlope) {
  // The slope is a difference; its exactness is that of its terms.
  for (std::size_t size = 0; size <= 70; ++size) {
    auto x = guarded(around_corners(size, size)), dy = guarded(random_values(size, 2));
    auto dx = poisoned(size);
    Sums expected(size);
    for (std::size_t i = 0; i < size; ++i) {
      const double value = x.data()[i], gradient = dy.data()[i];
      if (value >= 3) expected.add(i, gradient);
      if (std::abs(value) >= 3) continue;
      expected.add(i, gradient * value / 3);
      expected.add(i, gradient / 2);
    }
    hard_swish_backward(x.values(), dy.values(), dx.span());
    ASSERT_TRUE(expected.matches(dx.values()));
  }
}

TEST_P(Elementwise, SigmoidBackwardIsTheSlopeAtItsOutput) {
  for (std::size_t size = 0; size <= 70; ++size) {
    auto y = guarded(test::activations(size, size)), dy = guarded(random_values(size, 2));
    for (float& value : y.span()) value /= 6;
    auto dx = poisoned(size);
    Sums expected(size);
    for (std::size_t i = 0; i < size; ++i) {
      expected.add(i, double{dy.data()[i]} * y.data()[i] * (1.0 - y.data()[i]));
    }
    sigmoid_backward(y.values(), dy.values(), dx.span());
    ASSERT_TRUE(expected.matches(dx.values()));
  }
}

TEST_P(Elementwise, MultiplyRowsMultipliesEachPixelByTheRow) {
  for_each_shape([](std::size_t pixels, std::size_t channels) {
    auto a = guarded(random_values(pixels * channels, 1)),
         row = guarded(random_values(channels, 2));
    auto y = poisoned(pixels * channels);
    std::vector<float> expected(pixels * channels);
    for (std::size_t k = 0; k < expected.size(); ++k) {
      expected[k] = a.data()[k] * row.data()[k % channels];
    }
    multiply_rows(a.values(), row.values(), y.span());
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), y.data()));
    multiply_rows(a.values(), row.values(), a.span());
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), a.data()));
  });
}

TEST_P(Elementwise, MultiplyRowsBackwardAddsUpTheProducts) {
  for_each_shape([](std::size_t pixels, std::size_t channels) {
    auto a = guarded(random_values(pixels * channels, 1));
    auto dy = guarded(random_values(pixels * channels, 2));
    auto drow = guarded(random_values(channels, 3));
    Sums expected(drow.values());
    for (std::size_t k = 0; k < pixels * channels; ++k) {
      expected.add(k % channels, double{a.data()[k]} * dy.data()[k]);
    }
    multiply_rows_backward(a.values(), dy.values(), drow.span());
    ASSERT_TRUE(expected.matches(drow.values()));
  });
}

TEST_P(Elementwise, MeanOverPixelsBackwardSharesTheGradientOut) {
  for_each_shape([](std::size_t pixels, std::size_t channels) {
    auto dy = guarded(random_values(channels, 1)), dx = poisoned(pixels * channels);
    mean_over_pixels_backward(dy.values(), dx.span());
    for (std::size_t k = 0; k < pixels * channels; ++k) {
      ASSERT_EQ(dx.data()[k], dy.data()[k % channels] / static_cast<float>(pixels));
    }
  });
}

TEST_P(Elementwise, GatesPassTheGradientInsideTheirOpenIntervalOnly) {
  for (const Gate gate : {Gate::kOpen, Gate::kRelu, Gate::kRelu6}) {
    for (std::size_t size = 0; size <= 70; ++size) {
      auto y = guarded(test::activations(size, size)), dy = guarded(random_values(size, 1));
      std::vector<float> expected(size);
      for (std::size_t i = 0; i < size; ++i) {
        expected[i] = is_open(gate, y.data()[i]) ? dy.data()[i] : 0;
      }
      gate_gradient(gate, y.values(), dy.span());
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), dy.data()));
    }
  }
}

TEST_P(Elementwise, GatesAreClosedAtZeroAndSixAndJustInsideOpen) {
  const float inside = std::nextafter(6.0F, 0.0F), tiny = std::numeric_limits<float>::min();
  const std::vector<float> y{0.0F, -0.0F, tiny, inside, 6.0F, 7.0F, -1.0F};
  std::vector<float> relu(7, 1.0F), relu6(7, 1.0F);
  gate_gradient(Gate::kRelu, y, relu);
  gate_gradient(Gate::kRelu6, y, relu6);
  EXPECT_EQ(relu, (std::vector<float>{0, 0, 1, 1, 1, 1, 0}));
  EXPECT_EQ(relu6, (std::vector<float>{0, 0, 1, 1, 0, 0, 0}));
}

TEST_P(Elementwise, AClosedGateStopsNanAndInfinity) {
  const std::vector<float> y(20, 0.0F);
  std::vector<float> dy(20, test::kPoison);
  dy[3] = std::numeric_limits<float>::infinity();
  gate_gradient(Gate::kRelu6, y, dy);
  EXPECT_EQ(dy, std::vector<float>(20, 0.0F));
}

}  // namespace engraft::elementwise_kernels_test
