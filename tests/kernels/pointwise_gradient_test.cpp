#include "engraft/kernels/pointwise_gradient.h"

#include <gtest/gtest.h>

#include "simd_fixture.h"
#include "support/random_values.h"

namespace engraft::pointwise_gradient_test {

using test::Guarded;
using test::random_values;
using test::simd_test_name;
using test::Sums;

struct Expected {
  Sums dw, db;
};

class PointwiseGradient : public test::SimdTest {
 protected:
  /// Runs the kernel on random values and compares with a plain loop.
  static void check(const PointwiseGradientShape& shape) {
    const auto pixels = static_cast<std::size_t>(shape.pixels);
    const auto in = static_cast<std::size_t>(shape.in), out = static_cast<std::size_t>(shape.out);
    auto x = guarded(random_values(pixels * in, 1)), dy = guarded(random_values(pixels * out, 2));
    auto dw = guarded(random_values(in * out, 3)), db = guarded(random_values(out, 4));
    Expected expected{Sums(dw.values()), Sums(db.values())};
    for (std::size_t p = 0; p < pixels; ++p) {
      for (std::size_t o = 0; o < out; ++o) {
        const double gradient = dy.data()[p * out + o];
        expected.db.add(o, gradient);
        for (std::size_t i = 0; i < in; ++i) {
          expected.dw.add(i * out + o, x.data()[p * in + i] * gradient);
        }
      }
    }
    pointwise_weight_gradient(shape, x.data(), dy.data(), dw.data(), db.data());
    SCOPED_TRACE(testing::Message() << shape.pixels << ": " << shape.in << " to " << shape.out);
    ASSERT_TRUE(expected.dw.matches(dw.values()));
    ASSERT_TRUE(expected.db.matches(db.values()));
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(PointwiseGradient);

TEST_P(PointwiseGradient, IsRightForEveryNumberOfChannelsAroundAVector) {
  for (std::int64_t in = 1; in <= 2 * test::kMostLanes + 1; ++in) {
    for (std::int64_t out = 1; out <= 2 * test::kMostLanes + 1; ++out) {
      check({.pixels = 1 + (in * 5 + out * 3) % 23, .in = in, .out = out});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(PointwiseGradient, IsRightForEveryNumberOfPixels) {
  for (std::int64_t pixels = 1; pixels <= 70; ++pixels) {
    check({.pixels = pixels, .in = 24, .out = 37});
    check({.pixels = pixels, .in = 19, .out = 7});
    if (HasFatalFailure()) return;
  }
}

TEST_P(PointwiseGradient, IsRightForTheShapesOfMobileNetV2) {
  for (const auto& [in, out] :
       {std::pair{32, 16}, std::pair{16, 96}, std::pair{96, 24}, std::pair{24, 144},
        std::pair{144, 24}, std::pair{144, 32}, std::pair{64, 384}, std::pair{160, 80}}) {
    check({.pixels = 49, .in = in, .out = out});
    if (HasFatalFailure()) return;
  }
}

TEST_P(PointwiseGradient, IsRightAcrossSeveralBlocksOfPixels) {
  for (const std::int64_t pixels : {127, 128, 129, 257, 400}) {
    check({.pixels = pixels, .in = 40, .out = 56});
    check({.pixels = pixels, .in = 96, .out = 8});
    if (HasFatalFailure()) return;
  }
  check({.pixels = 120, .in = 1500, .out = 17});
}

TEST_P(PointwiseGradient, AddsToWhatIsThereAndNothingWithoutPixels) {
  std::vector<float> dw{1, 2}, db{3, 4};
  pointwise_weight_gradient({.pixels = 0, .in = 1, .out = 2}, nullptr, nullptr, dw.data(),
                            db.data());
  EXPECT_EQ(dw, (std::vector<float>{1, 2}));
  const std::vector<float> x{2, 3}, dy{1, 10, 100, 1000};
  pointwise_weight_gradient({.pixels = 2, .in = 1, .out = 2}, x.data(), dy.data(), dw.data(),
                            db.data());
  EXPECT_EQ(dw, (std::vector<float>{1 + 302, 2 + 3020}));
  EXPECT_EQ(db, (std::vector<float>{3 + 101, 4 + 1010}));
}

TEST_P(PointwiseGradient, ALayerWithoutBiasGivesTheSameWeights) {
  const auto x = random_values(50 * 20, 1), dy = random_values(50 * 30, 2);
  std::vector<float> with(600), without(600), db(30);
  pointwise_weight_gradient({.pixels = 50, .in = 20, .out = 30}, x.data(), dy.data(), with.data(),
                            db.data());
  pointwise_weight_gradient({.pixels = 50, .in = 20, .out = 30}, x.data(), dy.data(),
                            without.data(), nullptr);
  EXPECT_EQ(with, without);
}

TEST_P(PointwiseGradient, HasTheSameBitsEachRun) {
  const auto x = random_values(300 * 40, 1), dy = random_values(300 * 50, 2);
  std::vector<float> first(2000), second(2000);
  for (auto* dw : {&first, &second}) {
    pointwise_weight_gradient({.pixels = 300, .in = 40, .out = 50}, x.data(), dy.data(), dw->data(),
                              nullptr);
  }
  EXPECT_EQ(first, second);
}

TEST_P(PointwiseGradient, AThousandthOffWouldBeNoticed) {
  // All values positive, as a sum that cancels out says little about a thousandth.
  constexpr std::size_t kPixels = 60, kIn = 24, kOut = 35;
  const auto x = test::activations(kPixels * kIn, 1), dy = test::activations(kPixels * kOut, 2);
  std::vector<float> dw(kIn * kOut);
  Sums expected{dw};
  for (std::size_t p = 0; p < kPixels; ++p) {
    for (std::size_t k = 0; k < kIn * kOut; ++k) {
      expected.add(k, static_cast<double>(x[p * kIn + k / kOut]) * dy[p * kOut + k % kOut]);
    }
  }
  pointwise_weight_gradient({.pixels = kPixels, .in = kIn, .out = kOut}, x.data(), dy.data(),
                            dw.data(), nullptr);
  EXPECT_TRUE(expected.matches<float>(dw));
  EXPECT_TRUE(expected.notices_a_thousandth(dw));
}

}  // namespace engraft::pointwise_gradient_test
