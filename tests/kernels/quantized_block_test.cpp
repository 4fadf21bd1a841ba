#include "engraft/kernels/quantized_block.h"

#define HWY_WANT_AVX3_DL
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engraft/kernels/quantization.h"
#include "inverted_residual_cases.h"

namespace engraft::quantized_block_test {

using test::block_of;
using test::CacheLines;
using test::Extent;
using test::for_each_padding;
using test::for_each_tap;
using test::Guarded;
using test::GuardedArray;
using test::GuardedWeights;
using test::kPoison;
using test::Numbers;
using test::same_bits;
using test::Shape;
using test::simd_test_name;
using test::y_row;
using test::y_size;

/// At which the scale of x is 1/64: inputs that are multiples of it are bytes without rounding.
constexpr BlockRanges kRanges{
    .x_low = -2, .x_high = 1.984375F, .expanded_high = 6, .depthwise_high = 6};

std::size_t floats(std::size_t bytes) {
  return (bytes + sizeof(float) - 1) / sizeof(float);
}
std::byte* bytes_of(float* data) {
  return reinterpret_cast<std::byte*>(data);
}

/// Rounding is part of the function: x is drawn on the grid of its bytes, and a little outside.
Numbers numbers_of(const InvertedResidual& block, int pictures = 1) {
  Numbers n = test::rounded_numbers(block, pictures);
  Rng rng(7);
  test::draw(n.x, -2.25, 2.25, 1. / 64, rng);
  return n;
}

std::uint8_t byte_of(float value) {
  return static_cast<std::uint8_t>(std::clamp(std::nearbyint(value), 0.0F, 255.0F));
}

/// One output channel's weights, gathered from where the kernels' layouts have them.
std::vector<float> column_of(std::span<const float> weights, std::size_t channels,
                             std::size_t channel, float scale) {
  std::vector<float> column;
  for (std::size_t k = channel; k < weights.size(); k += channels) {
    column.push_back(weights[k] * scale);
  }
  return column;
}

/// The plain loops: integers multiplied and added one by one.
class Reference {
 public:
  Reference(const InvertedResidual& b, const Numbers& n, const BlockRanges& r)
      : x_(r.x_low, r.x_high), e_(0, r.expanded_high), d_(0, r.depthwise_high) {
    const std::vector<std::uint8_t> x = bytes(n.x);
    const std::vector<std::uint8_t> e = expansion(b, n, x);
    const std::vector<std::uint8_t> d = filtered(b, n, e);
    project(b, n, d);
  }

  [[nodiscard]] testing::AssertionResult matches(std::span<const float> y) const {
    if (y.size() != y_.size()) return testing::AssertionFailure() << "size";
    for (std::size_t i = 0; i < y.size(); ++i) {
      // What a fused multiply-add and an addition may round otherwise than two operations.
      if (!(std::abs(y[i] - y_[i]) <= 1e-6 * size_of_terms_[i])) {
        return testing::AssertionFailure() << "[" << i << "] is " << y[i] << ", expected " << y_[i];
      }
    }
    return testing::AssertionSuccess();
  }

 private:
  [[nodiscard]] std::vector<std::uint8_t> bytes(std::span<const float> values) const {
    std::vector<std::uint8_t> result;
    for (const float v : values) result.push_back(byte_of(v / x_.scale + x_.zero_point));
    return result;
  }
  [[nodiscard]] std::vector<std::uint8_t> expansion(const InvertedResidual& b, const Numbers& n,
                                                    std::span<const std::uint8_t> x) const {
    const auto in = static_cast<std::size_t>(b.in), expanded = static_cast<std::size_t>(b.expanded);
    std::vector<std::uint8_t> e(x.size() / in * expanded);
    for (std::size_t c = 0; c < expanded; ++c) {
      const auto column = column_of(n.expand, expanded, c, x_.scale);
      const QuantizedChannel channel(column, n.expand_bias[c]);
      for (std::size_t pixel = 0; pixel < x.size() / in; ++pixel) {
        std::int64_t sum = channel.whole_begin(x_.zero_point);
        for (std::size_t k = 0; k < in; ++k) sum += x[pixel * in + k] * channel.weight(k);
        e[pixel * expanded + c] = byte_of(static_cast<float>(sum) * channel.factor(e_.scale));
      }
    }
    return e;
  }
  [[nodiscard]] std::vector<std::uint8_t> filtered(const InvertedResidual& b, const Numbers& n,
                                                   std::span<const std::uint8_t> e) const {
    const auto expanded = static_cast<std::size_t>(b.expanded);
    const Extent places = test::extent_y(b);
    const auto pixels = static_cast<std::size_t>(places.height) * places.width;
    std::vector<std::uint8_t> d(pixels * expanded);
    for (std::size_t c = 0; c < expanded; ++c) {
      const auto column = column_of(n.depthwise, expanded, c, e_.scale);
      const QuantizedChannel channel(column, n.depthwise_bias[c]);
      std::vector<std::int64_t> sums(pixels, channel.whole_begin(0));
      for_each_tap(b.depthwise, test::extent_e(b), places, [&](auto place, auto pixel, auto tap) {
        sums[place] += e[pixel * expanded + c] * channel.weight(tap);
      });
      for (std::size_t p = 0; p < pixels; ++p) {
        d[p * expanded + c] = byte_of(static_cast<float>(sums[p]) * channel.factor(d_.scale));
      }
    }
    return d;
  }
  void project(const InvertedResidual& b, const Numbers& n, std::span<const std::uint8_t> d) {
    const auto expanded = static_cast<std::size_t>(b.expanded),
               out = static_cast<std::size_t>(b.out);
    const std::size_t pixels = d.size() / expanded;
    y_.resize(pixels * out);
    size_of_terms_.resize(y_.size());
    for (std::size_t o = 0; o < out; ++o) {
      const auto column = column_of(n.project, out, o, d_.scale);
      const QuantizedChannel channel(column, 0);
      for (std::size_t p = 0; p < pixels; ++p) {
        double sum = 0;
        for (std::size_t k = 0; k < expanded; ++k) sum += d[p * expanded + k] * channel.weight(k);
        const double terms[] = {sum * channel.scale(), n.project_bias[o],
                                b.residual ? n.x[p * out + o] : 0.0F};
        for (const double term : terms) {
          y_[p * out + o] += term;
          size_of_terms_[p * out + o] += std::abs(term);
        }
      }
    }
  }

  ByteRange x_, e_, d_;
  std::vector<double> y_, size_of_terms_;
};

/// A block with its weights, some pictures and scratch memory, all of them guarded.
class PackedBlock {
 public:
  PackedBlock(const InvertedResidual& block, const Numbers& numbers, Guarded side,
              const BlockRanges& ranges = kRanges)
      : block_(block),
        packed_(floats(quantized_packed_size(block)), side),
        scratch_(floats(quantized_scratch_size(block)), side),
        x_(numbers.x, side) {
    GuardedWeights weights(numbers, side);
    pack(block, weights.weights(), ranges, bytes_of(packed_.data()));
  }

  void run(float* y, int first_row, int last_row, int pictures = 1) {
    quantized_block(block_, {.packed = bytes_of(packed_.data()),
                             .x = x_.data(),
                             .y = y,
                             .scratch = bytes_of(scratch_.data()),
                             .pictures = pictures,
                             .first_row = first_row,
                             .last_row = last_row});
    ASSERT_TRUE(packed_.rest_is_untouched());
    ASSERT_TRUE(scratch_.rest_is_untouched());
  }

 private:
  InvertedResidual block_;
  CacheLines packed_, scratch_;
  GuardedArray x_;
};

std::vector<float> outputs(const InvertedResidual& block, const Numbers& numbers, Guarded side,
                           const BlockRanges& ranges = kRanges, int pictures = 1) {
  PackedBlock packed(block, numbers, side, ranges);
  GuardedArray y(y_size(block) * pictures, side);
  packed.run(y.data(), 0, block.out_height, pictures);
  return {y.values().begin(), y.values().end()};
}

class QuantizedBlockKernel : public test::SimdTest {
 protected:
  static void check(Shape shape) {
    if (HasFatalFailure()) return;
    shape.in = (shape.in + 3) / 4 * 4;
    if (shape.residual) shape.out = shape.in;
    SCOPED_TRACE(testing::PrintToString(shape));
    const InvertedResidual block = block_of(shape);
    ASSERT_TRUE(is_quantizable(block));
    const Numbers numbers = numbers_of(block);
    ASSERT_TRUE(Reference(block, numbers, kRanges).matches(outputs(block, numbers, side())));
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(QuantizedBlockKernel);

TEST(QuantizedKernels, AreTriedWithTheBestInstructionsThatTheProcessorHas) {
  hwy::SetSupportedTargetsForTest(0);  // what an earlier test forced
  EXPECT_EQ(hwy::SupportedAndGeneratedTargets().front() & HWY_AVX3_DL,
            hwy::SupportedTargets() & HWY_AVX3_DL & ~HWY_DISABLED_TARGETS);
}

TEST_P(QuantizedBlockKernel, IsThePlainLoopsForEverySizeAndPadding) {
  for (int height = 1; height <= 6; ++height) {
    for (int width = 1; width <= 6; ++width) {
      for (const int stride : {1, 2}) {
        for_each_padding({.height = height, .width = width, .stride = stride}, check);
      }
    }
  }
}

TEST_P(QuantizedBlockKernel, IsThePlainLoopsForEveryWidth) {
  for (int width = 1; width <= 60; width += width < 20 ? 1 : 7) {
    check({.height = 3, .width = width, .in = 4, .expanded = 48, .out = 3});
    check({.height = 4, .width = width, .in = 4, .stride = 2, .pad_top = 0, .pad_left = 0});
  }
}

TEST_P(QuantizedBlockKernel, IsThePlainLoopsForEveryNumberOfChannels) {
  int turn = 0;
  for (const int expanded : {16, 32, 48, 64, 80, 96, 144}) {
    for (const int in : {4, 8, 24, 40}) {
      for (const int out : {1, 3, 8, 24, 40}) {
        check({.height = 3,
               .in = in,
               .expanded = expanded,
               .out = out,
               .stride = 1 + turn++ % 2,
               .residual = in == out && turn % 2 == 1});
      }
    }
  }
}

TEST_P(QuantizedBlockKernel, IsThePlainLoopsForHeightsThatManyRowsAtATimeCut) {
  for (const int stride : {1, 2}) {
    // Some rows of y together, and the rest.
    check({.height = 23, .width = 56, .in = 4, .expanded = 144, .out = 8, .stride = stride});
    check({.height = 24, .width = 112, .in = 4, .expanded = 96, .out = 8, .stride = stride});
  }
}

TEST_P(QuantizedBlockKernel, RowsForThemselvesHaveTheBitsOfTheWhole) {
  for (const int stride : {1, 2}) {
    const InvertedResidual block =
        block_of({.height = 9, .width = 10, .in = 8, .expanded = 48, .out = 8, .stride = stride});
    const Numbers numbers = numbers_of(block);
    const std::vector<float> whole = outputs(block, numbers, side());
    PackedBlock packed(block, numbers, side());
    for (int first = 0; first < block.out_height; ++first) {
      for (int last = first + 1; last <= block.out_height; ++last) {
        GuardedArray y(y_size(block), side());
        packed.run(y.data(), first, last);
        const std::size_t from = first * y_row(block), to = last * y_row(block);
        ASSERT_TRUE(same_bits(y.values().subspan(from, to - from),
                              std::span(whole).subspan(from, to - from)));
        for (std::size_t i = 0; i < y.values().size(); ++i) {
          ASSERT_EQ(std::isnan(y.values()[i]), i < from || i >= to) << i;
        }
      }
    }
  }
}

TEST_P(QuantizedBlockKernel, PicturesTogetherHaveTheBitsOfEachAlone) {
  const InvertedResidual block =
      block_of({.height = 7, .width = 7, .in = 8, .expanded = 48, .out = 8, .residual = true});
  const Numbers numbers = numbers_of(block, 3);
  const std::vector<float> together = outputs(block, numbers, side(), kRanges, 3);
  for (std::size_t i = 0; i < 3; ++i) {
    Numbers one = numbers;
    const std::size_t size = test::x_size(block);
    one.x.assign(numbers.x.begin() + i * size, numbers.x.begin() + (i + 1) * size);
    ASSERT_TRUE(same_bits(outputs(block, one, side()),
                          std::span(together).subspan(i * y_size(block), y_size(block))));
  }
}

TEST_P(QuantizedBlockKernel, IsNearTheBlockInFloats) {
  for (const int stride : {1, 2}) {
    const InvertedResidual block = block_of({.height = 14,
                                             .width = 14,
                                             .in = 24,
                                             .expanded = 144,
                                             .out = 24,
                                             .stride = stride,
                                             .residual = stride == 1});
    Numbers numbers = numbers_of(block);
    for (float& x : numbers.x) x = std::clamp(x, -2.0F, 1.984375F);
    std::vector<float> expected(y_size(block));
    std::vector<float> packed(packed_size(block) + 16), scratch(scratch_size(block) + 16);
    GuardedWeights weights(numbers, side());
    pack(block, weights.weights(), packed.data());
    inverted_residual(block, {.packed = packed.data(),
                              .x = numbers.x.data(),
                              .y = expected.data(),
                              .scratch = scratch.data(),
                              .last_row = block.out_height});
    const std::vector<float> y = outputs(block, numbers, side());
    double error = 0, size = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      error += std::pow(y[i] - expected[i], 2);
      size += std::pow(expected[i], 2);
    }
    EXPECT_LT(std::sqrt(error / size), 0.03);
    EXPECT_GT(error, 0);
  }
}

TEST_P(QuantizedBlockKernel, WhatIsNoNumberOrFarOutOfRangeIsCutOffAndStaysWhereItIs) {
  const InvertedResidual block =
      block_of({.height = 7, .width = 9, .in = 8, .expanded = 48, .out = 8});
  Numbers numbers = numbers_of(block);
  const std::vector<float> before = outputs(block, numbers, side());
  // The last pixel of the first row: what reads it are the last two of the first two rows.
  for (const float bad : {std::numeric_limits<float>::infinity(), -1e30F, 1e30F, kPoison}) {
    numbers.x[8 * 8] = bad;
    const std::vector<float> y = outputs(block, numbers, side());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t row = i / 72, column = i % 72 / 8;
      ASSERT_TRUE(std::isfinite(y[i]));
      if (row <= 1 && column >= 7) continue;
      ASSERT_EQ(y[i], before[i]) << i;
    }
  }
}

TEST_P(QuantizedBlockKernel, ChannelsThatAreAlwaysZeroAndWeightsOfZeroDoNoHarm) {
  const InvertedResidual block =
      block_of({.height = 4, .width = 4, .in = 4, .expanded = 16, .out = 4});
  Numbers numbers = numbers_of(block);
  std::fill(numbers.expand.begin(), numbers.expand.end(), 0.0F);
  const BlockRanges nothing{.x_low = 0, .x_high = 0, .expanded_high = 0, .depthwise_high = 0};
  for (const float y : outputs(block, numbers, side(), nothing)) EXPECT_TRUE(std::isfinite(y));
  ASSERT_TRUE(Reference(block, numbers, kRanges).matches(outputs(block, numbers, side())));
}

TEST(QuantizedBlock, IsThereForExpansionsByFoursWhoseValuesAreNotNegative) {
  EXPECT_TRUE(is_quantizable(block_of({.in = 8})));
  EXPECT_FALSE(is_quantizable(block_of({.in = 6})));
  EXPECT_FALSE(is_quantizable(block_of({.in = 8, .expand = Gate::kOpen})));
  EXPECT_FALSE(is_quantizable(block_of({.in = 8, .depthwise = Gate::kOpen})));
  EXPECT_FALSE(is_quantizable(block_of({.in = 3, .expanded = 32, .stem = true})));
  EXPECT_FALSE(is_quantizable(block_of({.in = 8, .expanded = 17})));
}

}  // namespace engraft::quantized_block_test
