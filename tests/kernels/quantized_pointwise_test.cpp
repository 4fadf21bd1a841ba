#include "engraft/kernels/quantized_pointwise.h"

#define HWY_WANT_AVX3_DL
#include <gtest/gtest.h>

#include <cmath>

#include "engraft/kernels/quantization.h"
#include "inverted_residual_cases.h"

namespace engraft::quantized_pointwise_test {

using test::CacheLines;
using test::Guarded;
using test::GuardedArray;
using test::kGates;
using test::same_bits;
using test::simd_test_name;

enum class Bias { kNone, kAdded };

struct Case {
  std::int64_t pixels = 1, in = 4, out = 1;
  Gate activation = Gate::kOpen;
  Bias bias = Bias::kAdded;
};

/// At which the scale of x is 1/64.
constexpr InputRange kRange{.low = -2, .high = 1.984375F};

struct Values {
  std::vector<float> x, w, b;

  explicit Values(const Case& c)
      : x(static_cast<std::size_t>(c.pixels * c.in)),
        w(test::random_values(static_cast<std::size_t>(c.in * c.out), 1)),
        b(c.bias == Bias::kNone ? std::vector<float>()
                                : test::random_values(static_cast<std::size_t>(c.out), 2)) {
    Rng rng(3);
    test::draw(x, -2.25, 2.25, 1. / 64, rng);
  }
};

/// Channels [first, last) at every pixel, all arrays guarded.
std::vector<float> outputs(const Case& c, const Values& v, Guarded side, std::int64_t first,
                           std::int64_t last) {
  const Pointwise layer{.in = c.in, .out = c.out, .activation = c.activation};
  const auto floats = [](std::size_t bytes) { return (bytes + 3) / 4; };
  CacheLines packed(floats(quantized_packed_size(layer)), side);
  CacheLines scratch(floats(quantized_scratch_size(layer, c.pixels)), side);
  GuardedArray x(v.x, side), w(v.w, side), b(v.b, side);
  GuardedArray y(static_cast<std::size_t>(c.pixels * c.out), side);
  auto* const weights = reinterpret_cast<std::byte*>(packed.data());
  pack(layer, w.data(), v.b.empty() ? nullptr : b.data(), kRange, weights);
  quantized_pointwise(layer, {.packed = weights,
                              .x = x.data(),
                              .y = y.data(),
                              .scratch = reinterpret_cast<std::byte*>(scratch.data()),
                              .pixels = c.pixels,
                              .first_channel = first,
                              .last_channel = last});
  EXPECT_TRUE(packed.rest_is_untouched());
  EXPECT_TRUE(scratch.rest_is_untouched());
  return {y.values().begin(), y.values().end()};
}

void check(const Case& c, Guarded side) {
  const Values v(c);
  const auto in = static_cast<std::size_t>(c.in), out = static_cast<std::size_t>(c.out);
  const std::vector<float> y = outputs(c, v, side, 0, c.out);
  const ByteRange x(kRange.low, kRange.high);
  for (std::size_t o = 0; o < out; ++o) {
    std::vector<float> column;
    for (std::size_t k = 0; k < in; ++k) column.push_back(v.w[k * out + o] * x.scale);
    const QuantizedChannel channel(column, 0);
    for (std::size_t p = 0; p < static_cast<std::size_t>(c.pixels); ++p) {
      double sum = 0;
      for (std::size_t k = 0; k < in; ++k) {
        const float byte =
            std::clamp(std::nearbyint(v.x[p * in + k] / x.scale + x.zero_point), 0.0F, 255.0F);
        sum += static_cast<double>(byte - x.zero_point) * channel.weight(k);
      }
      double expected = sum * channel.scale() + (v.b.empty() ? 0.0F : v.b[o]);
      if (c.activation != Gate::kOpen) expected = std::max(expected, 0.0);
      if (c.activation == Gate::kRelu6) expected = std::min(expected, 6.0);
      // The zero point's share and the sum may both be far greater than their difference.
      ASSERT_NEAR(y[p * out + o], expected,
                  2e-7 * 255 * 127 * static_cast<double>(in) * channel.scale())
          << p << ", " << o;
    }
  }
}

class QuantizedPointwiseKernel : public test::SimdTest {};
ENGRAFT_INSTANTIATE_SIMD_TESTS(QuantizedPointwiseKernel);

TEST_P(QuantizedPointwiseKernel, IsThePlainLoopsForEveryNumberOfChannels) {
  for (const std::int64_t in : {4, 8, 12, 20, 64, 68}) {
    for (std::int64_t out = 1; out <= 70; out += 3) {
      check({.pixels = 3, .in = in, .out = out}, side());
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(QuantizedPointwiseKernel, IsThePlainLoopsForEveryNumberOfPixelsActivationAndBias) {
  for (std::int64_t pixels = 1; pixels <= 30; ++pixels) {
    for (const Gate gate : kGates) {
      check({.pixels = pixels, .in = 8, .out = 17, .activation = gate}, side());
      check({.pixels = pixels, .in = 8, .out = 48, .activation = gate, .bias = Bias::kNone},
            side());
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(QuantizedPointwiseKernel, SomeChannelsForThemselvesHaveTheBitsOfAll) {
  const Case c{.pixels = 5, .in = 16, .out = 250};
  const Values v(c);
  const std::vector<float> all = outputs(c, v, side(), 0, c.out);
  for (std::int64_t first = 0; first < c.out; first += kPointwiseStep) {
    const std::vector<float> some =
        outputs(c, v, side(), first, std::min<std::int64_t>(first + kPointwiseStep, c.out));
    std::size_t computed = 0;
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (std::isnan(some[i])) continue;
      ++computed;
      ASSERT_EQ(some[i], all[i]);
    }
    EXPECT_GT(computed, 0u);
  }
}

TEST_P(QuantizedPointwiseKernel, ThePartsTogetherAreTheWhole) {
  for (const std::int64_t out : {1, 33, 48, 49, 64, 96, 100, 250}) {
    const Case c{.pixels = 2, .in = 8, .out = out};
    const Values v(c);
    std::vector<int> times(static_cast<std::size_t>(c.pixels * out));
    for (std::int64_t first = 0; first < out; first += kPointwiseStep) {
      const auto some = outputs(c, v, side(), first, std::min(first + kPointwiseStep, out));
      for (std::size_t i = 0; i < some.size(); ++i) times[i] += std::isnan(some[i]) ? 0 : 1;
    }
    for (const int n : times) ASSERT_EQ(n, 1) << out;
  }
}

TEST(QuantizedPointwise, IsThereForChannelsInFours) {
  EXPECT_TRUE(is_quantizable(Pointwise{.in = 1280, .out = 1000}));
  EXPECT_FALSE(is_quantizable(Pointwise{.in = 6, .out = 1000}));
}

}  // namespace engraft::quantized_pointwise_test
