#include "engraft/kernels/channels.h"

#include <gtest/gtest.h>

#include "simd_fixture.h"
#include "support/random_values.h"

namespace engraft::channels_test {

using test::Guarded;
using test::is_open;
using test::random_values;
using test::simd_test_name;
using test::Sums;

constexpr Gate kGates[] = {Gate::kOpen, Gate::kRelu, Gate::kRelu6};

std::vector<double> random_doubles(std::size_t count, std::uint64_t seed) {
  return random_values<double>(count, seed);
}

/// Random values of a batch norm; scales and shifts are multiples of a quarter, as are the x that
/// quarters() gives, so that float finds exactly the values at a gate's edge.
struct Norm {
  std::vector<float> scale, shift, mean, inverse_deviation;

  explicit Norm(std::size_t channels)
      : scale(quarters(channels, 11)),
        shift(quarters(channels, 12)),
        mean(random_values(channels, 13)),
        inverse_deviation(random_values(channels, 14)) {}

  static std::vector<float> quarters(std::size_t count, std::uint64_t seed) {
    std::vector<float> values = random_values(count, seed);
    for (float& value : values) value = std::round(value * 8) / 4;
    return values;
  }

  [[nodiscard]] BatchNormStatistics pointers() const {
    return {scale.data(), shift.data(), mean.data(), inverse_deviation.data()};
  }
  [[nodiscard]] double before_activation(double x, std::size_t c) const {
    return scale[c] * x + shift[c];
  }
  [[nodiscard]] double normalised(double x, std::size_t c) const {
    return (x - static_cast<double>(mean[c])) * inverse_deviation[c];
  }
};

class Channels : public test::SimdTest {
 protected:
  /// Calls check(pixels, channels) for channel counts around vectors and some numbers of pixels.
  template <typename Check>
  static void for_each_shape(const Check& check) {
    for (std::int64_t channels = 1; channels <= 2 * test::kMostLanes + 1; ++channels) {
      check(static_cast<std::size_t>(1 + channels * 7 % 70), static_cast<std::size_t>(channels));
      if (HasFatalFailure()) return;
    }
    for (std::size_t pixels = 1; pixels <= 70; ++pixels) {
      check(pixels, 21);
      if (HasFatalFailure()) return;
    }
    for (const std::size_t pixels : {128, 129, 300}) {
      check(pixels, 24);
      check(pixels, 96);
    }
    check(49, 960);
    check(20, 1280);
  }

  static ChannelShape shape(std::size_t pixels, std::size_t channels) {
    return {static_cast<std::int64_t>(pixels), static_cast<std::int64_t>(channels)};
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(Channels);

TEST_P(Channels, SumsAddToWhatIsThere) {
  for_each_shape([](std::size_t pixels, std::size_t channels) {
    auto x = guarded(random_values(pixels * channels, 1));
    auto sums = guarded(random_values(channels, 2));
    Sums expected(sums.values());
    for (std::size_t k = 0; k < pixels * channels; ++k) expected.add(k % channels, x.data()[k]);
    channel_sums(shape(pixels, channels).pixels, shape(pixels, channels).channels, x.data(),
                 sums.data());
    ASSERT_TRUE(expected.matches(sums.values()));
  });
}

TEST_P(Channels, MomentsAddToWhatIsThere) {
  for_each_shape([](std::size_t pixels, std::size_t channels) {
    auto x = guarded(random_values(pixels * channels, 1));
    auto pivot = guarded(random_values(channels, 2));
    std::vector<double> sum = random_doubles(channels, 3), squares = random_doubles(channels, 4);
    Sums expected_sum(channels), expected_squares(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      expected_sum.add(c, sum[c]);
      expected_squares.add(c, squares[c]);
    }
    for (std::size_t k = 0; k < pixels * channels; ++k) {
      const double difference = static_cast<double>(x.data()[k]) - pivot.data()[k % channels];
      expected_sum.add(k % channels, difference);
      expected_squares.add(k % channels, difference * difference);
    }
    channel_moments(shape(pixels, channels), x.data(), pivot.data(), sum.data(), squares.data());
    ASSERT_TRUE(expected_sum.matches<double>(sum));
    ASSERT_TRUE(expected_squares.matches<double>(squares));
  });
}

TEST_P(Channels, MomentsOfManyPixelsAreAddedUpInDouble) {
  // A float would stop counting ones at 2²⁴.
  constexpr std::int64_t kPixels = 1000;
  const std::vector<float> x(kPixels, 1.0F), pivot{0.0F};
  std::vector<double> sum{16777216.0}, squares{16777216.0};
  channel_moments({.pixels = kPixels, .channels = 1}, x.data(), pivot.data(), sum.data(),
                  squares.data());
  EXPECT_EQ(sum[0], 16777216.0 + kPixels);
  EXPECT_EQ(squares[0], 16777216.0 + kPixels);
}

TEST_P(Channels, APivotNearTheMeanKeepsASmallVarianceExact) {
  std::vector<float> x;
  for (int p = 0; p < 1000; ++p) x.push_back(p % 2 == 0 ? 10000.125F : 9999.875F);
  const std::vector<float> pivot{10000.0F};
  std::vector<double> sum{0}, squares{0};
  channel_moments({.pixels = 1000, .channels = 1}, x.data(), pivot.data(), sum.data(),
                  squares.data());
  EXPECT_EQ(sum[0], 0);
  EXPECT_EQ(squares[0] / 1000, 0.125 * 0.125);
}

TEST_P(Channels, ScaleShiftGateIsTheActivationOfALine) {
  for (const Gate gate : kGates) {
    for_each_shape([gate](std::size_t pixels, std::size_t channels) {
      const Norm norm(channels);
      auto x = guarded(Norm::quarters(pixels * channels, 1));
      auto scale = guarded(norm.scale), shift = guarded(norm.shift);
      auto y = poisoned(pixels * channels);
      std::vector<float> expected(pixels * channels);
      for (std::size_t k = 0; k < expected.size(); ++k) {
        const double line = norm.before_activation(x.data()[k], k % channels);
        const double positive = gate == Gate::kOpen ? line : std::max(line, 0.0);
        expected[k] = static_cast<float>(gate == Gate::kRelu6 ? std::min(positive, 6.0) : positive);
      }
      scale_shift_gate(Channels::shape(pixels, channels), x.data(), scale.data(), shift.data(),
                       gate, y.data());
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), y.data()));
      scale_shift_gate(Channels::shape(pixels, channels), x.data(), scale.data(), shift.data(),
                       gate, x.data());
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), x.data()));
    });
  }
}

TEST_P(Channels, ScaleShiftGateLetsNanThrough) {
  const std::vector<float> x(40, test::kPoison), ones(40, 1.0F);
  for (const Gate gate : kGates) {
    std::vector<float> y(40);
    scale_shift_gate({.pixels = 1, .channels = 40}, x.data(), ones.data(), ones.data(), gate,
                     y.data());
    for (const float value : y) EXPECT_TRUE(std::isnan(value));
  }
}

TEST_P(Channels, BatchNormBackwardSumsAddToWhatIsThere) {
  for (const Gate gate : kGates) {
    for_each_shape([gate](std::size_t pixels, std::size_t channels) {
      const Norm norm(channels);
      auto x = guarded(Norm::quarters(pixels * channels, 1));
      auto dy = guarded(random_values(pixels * channels, 2));
      auto scale = guarded(norm.scale), shift_ = guarded(norm.shift), mean = guarded(norm.mean),
           deviation = guarded(norm.inverse_deviation);
      std::vector<double> sum = random_doubles(channels, 3), product = random_doubles(channels, 4);
      Sums expected_sum(channels), expected_product(channels);
      for (std::size_t c = 0; c < channels; ++c) {
        expected_sum.add(c, sum[c]);
        expected_product.add(c, product[c]);
      }
      for (std::size_t k = 0; k < pixels * channels; ++k) {
        const std::size_t c = k % channels;
        if (!is_open(gate, norm.before_activation(x.data()[k], c))) continue;
        expected_sum.add(c, dy.data()[k]);
        expected_product.add(c, dy.data()[k] * norm.normalised(x.data()[k], c));
      }
      batch_norm_backward_sums(Channels::shape(pixels, channels), x.data(), dy.data(),
                               {scale.data(), shift_.data(), mean.data(), deviation.data()}, gate,
                               sum.data(), product.data());
      ASSERT_TRUE(expected_sum.matches<double>(sum));
      ASSERT_TRUE(expected_product.matches<double>(product));
    });
  }
}

TEST_P(Channels, BatchNormBackwardIsItsFormula) {
  for (const Gate gate : kGates) {
    for_each_shape([gate](std::size_t pixels, std::size_t channels) {
      const Norm norm(channels);
      auto x = guarded(Norm::quarters(pixels * channels, 1));
      auto dy = guarded(random_values(pixels * channels, 2));
      auto mean_dy = guarded(random_values(channels, 3));
      auto mean_dy_xhat = guarded(random_values(channels, 4));
      auto dx = poisoned(pixels * channels);
      Sums expected(pixels * channels);
      for (std::size_t k = 0; k < pixels * channels; ++k) {
        const std::size_t c = k % channels;
        const double scale = norm.scale[c];
        if (is_open(gate, norm.before_activation(x.data()[k], c))) {
          expected.add(k, scale * dy.data()[k]);
        }
        expected.add(k, -scale * mean_dy.data()[c]);
        expected.add(k, -scale * norm.normalised(x.data()[k], c) * mean_dy_xhat.data()[c]);
      }
      const ChannelShape extents = Channels::shape(pixels, channels);
      batch_norm_backward(extents, x.data(), dy.data(), norm.pointers(), mean_dy.data(),
                          mean_dy_xhat.data(), gate, dx.data());
      ASSERT_TRUE(expected.matches(dx.values()));
      batch_norm_backward(extents, x.data(), dy.data(), norm.pointers(), mean_dy.data(),
                          mean_dy_xhat.data(), gate, dy.data());
      ASSERT_TRUE(std::equal(dx.data(), dx.data() + pixels * channels, dy.data()));
    });
  }
}

TEST_P(Channels, BatchNormBackwardIsTheDerivativeOfBatchNorm) {
  // The gradient of Σ dy·(x−mean)/deviation by finite differences in double, one channel.
  constexpr std::size_t kPixels = 20;
  const auto x = random_values(kPixels, 1), dy = random_values(kPixels, 2);
  const auto moments = [](const std::vector<double>& values) {
    double mean = 0, variance = 0;
    for (const double value : values) mean += value / kPixels;
    for (const double value : values) variance += (value - mean) * (value - mean) / kPixels;
    return std::pair{mean, 1 / std::sqrt(variance + 1e-3)};
  };
  const auto objective = [&](const std::vector<double>& values) {
    const auto [mean, inverse] = moments(values);
    double sum = 0;
    for (std::size_t p = 0; p < kPixels; ++p) sum += dy[p] * (values[p] - mean) * inverse;
    return sum;
  };
  const std::vector<double> values(x.begin(), x.end());
  const auto [mean_, inverse_] = moments(values);
  const auto mean = static_cast<float>(mean_), inverse = static_cast<float>(inverse_);
  const float shift = -mean * inverse;
  const BatchNormStatistics statistics{&inverse, &shift, &mean, &inverse};
  const ChannelShape extents{.pixels = kPixels, .channels = 1};
  double sum = 0, product = 0;
  batch_norm_backward_sums(extents, x.data(), dy.data(), statistics, Gate::kOpen, &sum, &product);
  const auto mean_dy = static_cast<float>(sum / kPixels);
  const auto mean_dy_xhat = static_cast<float>(product / kPixels);
  std::vector<float> dx(kPixels);
  batch_norm_backward(extents, x.data(), dy.data(), statistics, &mean_dy, &mean_dy_xhat,
                      Gate::kOpen, dx.data());
  for (std::size_t p = 0; p < kPixels; ++p) {
    std::vector<double> up = values, down = values;
    up[p] += 1e-5;
    down[p] -= 1e-5;
    EXPECT_NEAR(dx[p], (objective(up) - objective(down)) / 2e-5, 1e-5);
  }
}

TEST_P(Channels, AThousandthOffWouldBeNoticed) {
  constexpr std::size_t kPixels = 60, kCount = 35;
  const auto x = test::activations(kPixels * kCount, 1);
  std::vector<float> sums(kCount);
  Sums expected(kCount);
  for (std::size_t k = 0; k < x.size(); ++k) expected.add(k % kCount, x[k]);
  channel_sums(kPixels, kCount, x.data(), sums.data());
  EXPECT_TRUE(expected.matches<float>(sums));
  EXPECT_TRUE(expected.notices_a_thousandth(sums));
}

}  // namespace engraft::channels_test
