#include "engraft/kernels/pointwise.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <ostream>

#include "inverted_residual_cases.h"

namespace engraft::pointwise_test {

using test::CacheLines;
using test::ExactSums;
using test::Guarded;
using test::GuardedArray;
using test::kGates;
using test::kPoison;
using test::random_values;
using test::same_bits;
using test::simd_test_name;

enum class Bias { kNone, kAdded };

struct Case {
  std::int64_t pixels = 1, in = 1, out = 1;
  Gate activation = Gate::kOpen;
  Bias bias = Bias::kAdded;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.pixels << " pixels, channels " << c.in << "," << c.out << ", gate "
             << static_cast<int>(c.activation) << (c.bias == Bias::kNone ? ", no bias" : "");
}

Pointwise layer_of(const Case& c) {
  return {.in = c.in, .out = c.out, .activation = c.activation};
}

struct Numbers {
  std::vector<float> x, w, b;  ///< b: empty for none
};

/// Steps of the numbers that exact_numbers() draws.
constexpr double kStepX = 1. / 4, kStepW = 1. / 8, kStepY = kStepX * kStepW;

/// So coarse and so small that float sums of their products are exact in any order. Of few
/// channels, many sums are exactly 0 or 6.
Numbers exact_numbers(const Case& c) {
  Rng rng(static_cast<std::uint64_t>(c.pixels * 1000000 + c.in * 1000 + c.out));
  Numbers n{.x = std::vector<float>(static_cast<std::size_t>(c.pixels * c.in)),
            .w = std::vector<float>(static_cast<std::size_t>(c.in * c.out)),
            .b = std::vector<float>(c.bias == Bias::kAdded ? static_cast<std::size_t>(c.out) : 0)};
  test::draw(n.x, -2, 2, kStepX, rng);
  test::draw(n.w, -1, 1, kStepW, rng);
  test::draw(n.b, -2, 8, kStepY, rng);
  return n;
}

/// As they are in earnest: every sum is rounded, so that its bits depend on its order.
Numbers rounded_numbers(const Case& c) {
  Numbers n = exact_numbers(c);
  std::uint64_t seed = 0;
  for (std::vector<float>* values : {&n.x, &n.w, &n.b}) {
    *values = random_values(values->size(), ++seed);
  }
  return n;
}

/// The plain loops of the header's formula.
ExactSums expected_of(const Case& c, const Numbers& n) {
  const auto in = static_cast<std::size_t>(c.in), out = static_cast<std::size_t>(c.out);
  ExactSums y(static_cast<std::size_t>(c.pixels) * out, kStepY);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t p = i / out, o = i % out;
    if (!n.b.empty()) y.add(i, n.b[o]);
    for (std::size_t k = 0; k < in; ++k) {
      y.add(i, static_cast<double>(n.x[p * in + k]) * n.w[k * out + o]);
    }
    y.clamp(i, c.activation);
  }
  return y;
}

/// Which part of y a call computes.
struct Part {
  std::int64_t first_pixel = 0, last_pixel = 0;
  std::int64_t first_channel = 0, last_channel = 0;
};

/// A layer with its weights and input, all of them guarded.
class PackedLayer {
 public:
  PackedLayer(const Case& c, const Numbers& n, Guarded side)
      : case_(c), layer_(layer_of(c)), packed_(packed_size(layer_), side), x_(n.x, side) {
    GuardedArray w(n.w, side), b(n.b, side);
    pack(layer_, w.data(), n.b.empty() ? nullptr : b.data(), packed_.data());
  }

  void run(float* y, const Part& part) {
    pointwise(layer_, {.packed = packed_.data(),
                       .x = x_.data() + part.first_pixel * case_.in,
                       .y = y + part.first_pixel * case_.out,
                       .pixels = part.last_pixel - part.first_pixel,
                       .first_channel = part.first_channel,
                       .last_channel = part.last_channel});
    ASSERT_TRUE(packed_.rest_is_untouched());
  }
  void run(float* y) { run(y, {.last_pixel = case_.pixels, .last_channel = case_.out}); }

 private:
  Case case_;
  Pointwise layer_;
  CacheLines packed_;
  GuardedArray x_;
};

std::size_t y_size(const Case& c) {
  return static_cast<std::size_t>(c.pixels * c.out);
}

/// All of y, on memory that held NaN.
std::vector<float> outputs(const Case& c, const Numbers& n, Guarded side) {
  PackedLayer packed(c, n, side);
  GuardedArray y(y_size(c), side);
  packed.run(y.data());
  return {y.values().begin(), y.values().end()};
}

class PointwiseKernel : public test::SimdTest {
 protected:
  static void check(const Case& c) {
    if (HasFatalFailure()) return;
    SCOPED_TRACE(testing::PrintToString(c));
    const Numbers numbers = exact_numbers(c);
    ASSERT_TRUE(expected_of(c, numbers).equal(outputs(c, numbers, side())));
  }
  /// Every activation, with and without a bias, in turn.
  static void check_in_turn(Case c) {
    static int turn = 0;
    c.activation = kGates[turn % 3];
    c.bias = turn / 3 % 2 == 0 ? Bias::kAdded : Bias::kNone;
    ++turn;
    check(c);
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(PointwiseKernel);

TEST_P(PointwiseKernel, IsExactlyThePlainLoopsForEveryShape) {
  for (const std::int64_t pixels : {0, 1, 2, 7, 8, 12, 13, 49, 100}) {
    for (const std::int64_t in : {1, 3, 16, 24}) {
      for (const std::int64_t out : {1, 5, 8, 16, 17, 24, 47, 48, 49, 96, 100}) {
        check_in_turn({.pixels = pixels, .in = in, .out = out});
      }
    }
  }
}

TEST_P(PointwiseKernel, IsExactlyThePlainLoopsForEveryNumberOfPixels) {
  for (std::int64_t pixels = 0; pixels <= 60; ++pixels) {
    for (const std::int64_t out : {test::kMostLanes / 2, 2 * test::kMostLanes, std::int64_t{48}}) {
      check_in_turn({.pixels = pixels, .in = 2, .out = out});
    }
  }
}

TEST_P(PointwiseKernel, IsExactlyThePlainLoopsForEveryNumberOfChannels) {
  for (std::int64_t out = 1; out <= 2 * kPointwiseStep + 1; ++out) {
    check_in_turn({.pixels = 3, .in = 1 + out % 5, .out = out});
  }
}

TEST_P(PointwiseKernel, IsExactlyThePlainLoopsForManyChannels) {
  for (const std::int64_t pixels : {0, 1, 2}) {
    for (const std::int64_t out : {1, 17, 100, 1000}) {
      check_in_turn({.pixels = pixels, .in = 320, .out = out});
    }
  }
  check({.pixels = 49, .in = 320, .out = 96, .activation = Gate::kRelu6});
}

TEST_P(PointwiseKernel, IsExactlyThePlainLoopsForMorePixelsThanTheCacheHolds) {
  for (const std::int64_t pixels : {63, 64, 65, 130}) {
    check_in_turn({.pixels = pixels, .in = 1600, .out = 5});
  }
  check({.pixels = 700, .in = 320, .out = 3});
}

TEST_P(PointwiseKernel, IsExactlyThePlainLoopsForEveryActivationWithAndWithoutABias) {
  for (const Gate gate : kGates) {
    for (const Bias bias : {Bias::kNone, Bias::kAdded}) {
      for (const std::int64_t out : {3, 16, 50}) {
        check({.pixels = 26, .in = 2, .out = out, .activation = gate, .bias = bias});
      }
    }
  }
}

/// Layers that panels, tiles and the cache cut in different ways, and their y, rounded.
class PointwiseParts : public PointwiseKernel {
 protected:
  template <typename Check>
  static void for_each_layer(const Check& check) {
    for (const Case& c :
         {Case{.pixels = 49, .in = 24, .out = 100, .activation = Gate::kRelu6},
          Case{.pixels = 13, .in = 33, .out = 96, .bias = Bias::kNone},
          Case{.pixels = 7, .in = 16, .out = 49, .activation = Gate::kRelu},
          Case{.pixels = 70, .in = 1600, .out = 17}, Case{.pixels = 2, .in = 40, .out = 1000}}) {
      SCOPED_TRACE(testing::PrintToString(c));
      const Numbers numbers = rounded_numbers(c);
      PackedLayer packed(c, numbers, side());
      check(c, packed, outputs(c, numbers, side()));
      if (HasFatalFailure()) return;
    }
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(PointwiseParts);

TEST_P(PointwiseParts, HaveTheSameBitsPixelByPixelAndPanelByPanel) {
  for_each_layer([](const Case& c, PackedLayer& packed, const std::vector<float>& whole) {
    auto y = poisoned(whole.size());
    for (std::int64_t channel = 0; channel < c.out; channel += kPointwiseStep) {
      for (std::int64_t p = c.pixels - 1; p >= 0; --p) {
        packed.run(y.data(), {.first_pixel = p,
                              .last_pixel = p + 1,
                              .first_channel = channel,
                              .last_channel = std::min(channel + kPointwiseStep, c.out)});
      }
    }
    ASSERT_TRUE(same_bits(whole, y.values()));
  });
}

TEST_P(PointwiseParts, HaveTheSameBitsInEveryRangeOfChannelsAndLeaveTheOthersAlone) {
  for_each_layer([](const Case& c, PackedLayer& packed, const std::vector<float>& whole) {
    const auto end = [&](std::int64_t channel) { return std::min(channel, c.out); };
    for (std::int64_t first = 0; first < c.out; first += kPointwiseStep) {
      for (std::int64_t last = first; last < c.out + kPointwiseStep; last += kPointwiseStep) {
        std::vector<float> expected(whole.size(), kPoison);
        for (std::size_t i = 0; i < whole.size(); ++i) {
          const std::int64_t channel = static_cast<std::int64_t>(i) % c.out;
          if (channel >= first && channel < end(last)) expected[i] = whole[i];
        }
        auto y = poisoned(whole.size());
        packed.run(y.data(),
                   {.last_pixel = c.pixels, .first_channel = first, .last_channel = end(last)});
        ASSERT_TRUE(same_bits(expected, y.values())) << "[" << first << "," << end(last) << ")";
      }
    }
  });
}

TEST_P(PointwiseParts, HaveTheSameBitsInEveryRangeOfPixelsAndLeaveTheOthersAlone) {
  for_each_layer([](const Case& c, PackedLayer& packed, const std::vector<float>& whole) {
    for (std::int64_t first = 0; first <= c.pixels; first += 1 + c.pixels / 8) {
      for (std::int64_t last = first; last <= c.pixels; last += 1 + c.pixels / 8) {
        std::vector<float> expected(whole.size(), kPoison);
        std::copy(whole.begin() + first * c.out, whole.begin() + last * c.out,
                  expected.begin() + first * c.out);
        auto y = poisoned(whole.size());
        packed.run(y.data(), {.first_pixel = first, .last_pixel = last, .last_channel = c.out});
        ASSERT_TRUE(same_bits(expected, y.values())) << "[" << first << "," << last << ")";
      }
    }
  });
}

TEST_P(PointwiseParts, HaveTheSameBitsWhereverTheArraysLie) {
  const Guarded other = side() == Guarded::kBefore ? Guarded::kBehind : Guarded::kBefore;
  for_each_layer([&](const Case& c, PackedLayer&, const std::vector<float>& whole) {
    ASSERT_TRUE(same_bits(whole, outputs(c, rounded_numbers(c), other)));
  });
}

TEST_P(PointwiseKernel, WithoutABiasIsWithABiasOfZeros) {
  Case c{.pixels = 15, .in = 12, .out = 53, .bias = Bias::kNone};
  Numbers numbers = rounded_numbers(c);
  const auto without = outputs(c, numbers, side());
  numbers.b.assign(static_cast<std::size_t>(c.out), 0.0F);
  EXPECT_TRUE(same_bits(without, outputs(c, numbers, side())));
}

/// Whether exactly those values of y are NaN, and the others as they were.
template <typename IsSpoilt>
::testing::AssertionResult shows_nan(std::span<const float> sound, std::span<const float> y,
                                     const IsSpoilt& is_spoilt) {
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (is_spoilt(i) ? std::isnan(y[i]) : y[i] == sound[i]) continue;
    return ::testing::AssertionFailure() << "y[" << i << "]: " << y[i] << ", was " << sound[i];
  }
  return ::testing::AssertionSuccess();
}

TEST_P(PointwiseKernel, ANanInTheInputShowsAtItsPixelAndNowhereElse) {
  for (const Gate gate : kGates) {
    const Case c{.pixels = 15, .in = 3, .out = 53, .activation = gate};
    const Numbers numbers = rounded_numbers(c);
    const auto sound = outputs(c, numbers, side());
    for (std::size_t spoilt = 0; spoilt < numbers.x.size(); ++spoilt) {
      Numbers with_nan = numbers;
      with_nan.x[spoilt] = kPoison;
      ASSERT_TRUE(shows_nan(sound, outputs(c, with_nan, side()),
                            [&](std::size_t i) { return i / 53 == spoilt / 3; }));
    }
  }
}

TEST_P(PointwiseKernel, ANanInAWeightOrBiasShowsInItsChannelAndNowhereElse) {
  for (const Gate gate : kGates) {
    const Case c{.pixels = 5, .in = 2, .out = 53, .activation = gate};
    const Numbers numbers = rounded_numbers(c);
    const auto sound = outputs(c, numbers, side());
    for (const auto member : {&Numbers::w, &Numbers::b}) {
      for (std::size_t spoilt = 0; spoilt < (numbers.*member).size(); ++spoilt) {
        Numbers with_nan = numbers;
        (with_nan.*member)[spoilt] = kPoison;
        ASSERT_TRUE(shows_nan(sound, outputs(c, with_nan, side()),
                              [&](std::size_t i) { return i % 53 == spoilt % 53; }));
      }
    }
  }
}

}  // namespace engraft::pointwise_test
