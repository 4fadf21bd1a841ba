#include "engraft/kernels/inverted_residual.h"

#include <gtest/gtest.h>

#include "inverted_residual_cases.h"

namespace engraft::inverted_residual_test {

using test::block_of;
using test::CacheLines;
using test::exact_numbers;
using test::for_each_half_filled_vector;
using test::for_each_padding;
using test::Forward;
using test::Guarded;
using test::GuardedArray;
using test::GuardedWeights;
using test::kGates;
using test::kPoison;
using test::Numbers;
using test::rounded_numbers;
using test::same_bits;
using test::Shape;
using test::simd_test_name;
using test::y_row;
using test::y_size;

/// Which part of y a call computes.
struct Part {
  int first_row = 0, last_row = 0;
  int first_picture = 0, pictures = 1;
  int first_channel = 0, last_channel = 0;  ///< of e; 0, 0: all
};

/// A block with its weights, some pictures and scratch memory, all of them guarded.
class PackedBlock {
 public:
  PackedBlock(const InvertedResidual& block, const Numbers& numbers, Guarded side)
      : block_(block),
        packed_(packed_size(block), side),
        scratch_(scratch_size(block), side),
        x_(numbers.x, side) {
    GuardedWeights weights(numbers, side);
    pack(block, weights.weights(), packed_.data());
  }

  void run(float* y, const Part& part) {
    const auto picture = static_cast<std::size_t>(part.first_picture);
    inverted_residual(block_, {.packed = packed_.data(),
                               .x = x_.data() + picture * test::x_size(block_),
                               .y = y + picture * y_size(block_),
                               .scratch = scratch_.data(),
                               .pictures = part.pictures,
                               .first_row = part.first_row,
                               .last_row = part.last_row,
                               .first_channel = part.first_channel,
                               .last_channel = part.last_channel});
    ASSERT_TRUE(packed_.rest_is_untouched());
    ASSERT_TRUE(scratch_.rest_is_untouched());
  }
  void run(float* y, int pictures = 1) {
    run(y, {.last_row = block_.out_height, .pictures = pictures});
  }
  [[nodiscard]] std::span<float> scratch() { return scratch_.span(); }

 private:
  InvertedResidual block_;
  CacheLines packed_, scratch_;
  GuardedArray x_;
};

/// Whole pictures of y, on memory that held NaN.
[[nodiscard]] std::vector<float> outputs(const InvertedResidual& block, const Numbers& numbers,
                                         Guarded side, int pictures = 1) {
  PackedBlock packed(block, numbers, side);
  GuardedArray y(y_size(block) * pictures, side);
  packed.run(y.data(), pictures);
  return {y.values().begin(), y.values().end()};
}

class InvertedResidualKernel : public test::SimdTest {
 protected:
  static void check(const Shape& shape) {
    if (HasFatalFailure()) return;
    SCOPED_TRACE(testing::PrintToString(shape));
    const InvertedResidual block = block_of(shape);
    ASSERT_TRUE(is_fusable(block));
    const Numbers numbers = exact_numbers(block);
    const Forward expected(block, numbers);
    ASSERT_TRUE(expected.is_exact());
    ASSERT_TRUE(expected.y.equal(outputs(block, numbers, side())));
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(InvertedResidualKernel);

TEST_P(InvertedResidualKernel, IsExactlyThePlainLoopsForEverySizeAndPadding) {
  for (int height = 1; height <= 6; ++height) {
    for (int width = 1; width <= 6; ++width) {
      for (const int stride : {1, 2}) {
        for_each_padding({.height = height, .width = width, .stride = stride}, check);
      }
    }
  }
}

TEST_P(InvertedResidualKernel, IsExactlyThePlainLoopsForEveryWidth) {
  for (int width = 1; width <= 60; ++width) {
    check({.height = 3, .width = width, .in = 2, .expanded = 48, .out = 3});
    for (const int left : {0, 1}) {
      check({.height = 4, .width = width, .in = 2, .stride = 2, .pad_top = 0, .pad_left = left});
    }
  }
}

TEST_P(InvertedResidualKernel, IsExactlyThePlainLoopsForEveryHeightThatManyRowsAtATimeCut) {
  for (const int width : {4, 9, 13, 28}) {
    for (const int height : {13, 14, 15, 29}) {
      check({.height = height, .width = width, .in = 2, .out = 3});
      check({.height = height, .width = width, .in = 2, .out = 3, .stride = 2, .pad_top = 0});
      check({.height = height, .width = width, .in = 2, .out = 3, .stride = 2});
      check({.height = height, .width = width, .in = 2, .out = 3, .stem = true});
    }
  }
}

TEST_P(InvertedResidualKernel, IsExactlyThePlainLoopsForEveryNumberOfChannels) {
  int turn = 0;
  for (const int expanded : {16, 32, 48, 64, 80, 96, 144}) {
    for (const int in : {1, 3, 8, 24, 40}) {
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
  for (int channels = 1; channels <= 2 * test::kMostLanes + 1; ++channels) {
    check({.height = 2, .width = 3, .in = channels, .out = channels, .residual = true});
  }
}

TEST_P(InvertedResidualKernel, IsExactlyThePlainLoopsWherePixelsShareAVector) {
  for_each_half_filled_vector(check);
}

TEST_P(InvertedResidualKernel, IsExactlyThePlainLoopsForEveryActivation) {
  for (const Gate expand : kGates) {
    for (const Gate depthwise : kGates) {
      for (const int variant : {0, 1, 2, 3}) {
        check({.height = 7,
               .width = 6,
               .in = 8,
               .expanded = 32,
               .out = 8,
               .stride = variant == 1 ? 2 : 1,
               .expand = expand,
               .depthwise = depthwise,
               .residual = variant == 2,
               .stem = variant == 3});
      }
    }
  }
}

TEST_P(InvertedResidualKernel, IsExactlyThePlainLoopsForA3x3ExpansionAtStride2) {
  for (int height = 1; height <= 6; ++height) {
    for (int width = 1; width <= 6; ++width) {
      for_each_padding({.height = height, .width = width, .stem = true}, check);
    }
  }
  for (const int in : {1, 3, 4}) {
    for (const int width : {1, 2, 15, 16, 57, 60}) {
      for (const int expanded : {16, 32, 48}) {
        for_each_padding(
            {.height = 9, .width = width, .in = in, .expanded = expanded, .out = 8, .stem = true},
            check);
      }
    }
  }
}

TEST_P(InvertedResidualKernel, IsExactlyThePlainLoopsForShapesOfMobileNetV2) {
  check({.height = 8, .width = 32, .in = 3, .expanded = 32, .out = 16, .stem = true});
  check({.height = 4, .width = 28, .in = 24, .expanded = 144, .out = 24, .residual = true});
  check({.height = 7, .width = 7, .in = 32, .expanded = 192, .out = 64, .stride = 2, .pad_top = 0});
  check({.height = 5, .width = 5, .in = 32, .expanded = 384, .out = 40, .stride = 2});
}

/// What the numbers are to a share: no other channels of e have a say, and the bias and x belong to
/// channel 0.
void leave_share(int first, int last, InvertedResidual& block, Numbers& numbers) {
  for (int c = 0; c < block.expanded; ++c) {
    if (c >= first && c < last) continue;
    std::fill_n(numbers.project.begin() + std::ptrdiff_t{c} * block.out, block.out, 0.0F);
  }
  if (first == 0) return;
  block.residual = false;
  std::fill(numbers.project_bias.begin(), numbers.project_bias.end(), 0.0F);
}

TEST_P(InvertedResidualKernel, ComputesExactlyTheShareOfSomeChannels) {
  for (const Shape& shape : {Shape{.in = 8, .expanded = 144, .out = 8, .residual = true},
                             Shape{.height = 9, .width = 5, .expanded = 96, .stride = 2},
                             Shape{.height = 8, .width = 29, .expanded = 96, .stem = true},
                             Shape{.width = 30, .in = 40, .expanded = 192, .out = 24}}) {
    SCOPED_TRACE(testing::PrintToString(shape));
    const InvertedResidual block = block_of(shape);
    const Numbers numbers = exact_numbers(block);
    PackedBlock packed(block, numbers, side());
    for (int first = 0; first < block.expanded; first += kChannelStep) {
      for (int last = first + kChannelStep; last <= block.expanded; last += kChannelStep) {
        auto y = poisoned(y_size(block));
        packed.run(y.data(), {.last_row = 2, .first_channel = first, .last_channel = last});
        packed.run(y.data(), {.first_row = 2,
                              .last_row = block.out_height,
                              .first_channel = first,
                              .last_channel = last});
        InvertedResidual share = block;
        Numbers rest = numbers;
        leave_share(first, last, share, rest);
        const Forward expected(share, rest);
        ASSERT_TRUE(expected.is_exact());
        ASSERT_TRUE(expected.y.equal(y.values())) << "[" << first << "," << last << ")";
      }
    }
  }
}

TEST_P(InvertedResidualKernel, AThousandthOffInAnyInputWouldBeNoticed) {
  for (const bool stem : {false, true}) {
    const InvertedResidual block = block_of(
        {.height = 7, .width = 7, .expand = Gate::kOpen, .depthwise = Gate::kOpen, .stem = stem});
    const Numbers right = exact_numbers(block);
    const Forward expected(block, right);
    for (const auto member :
         {&Numbers::x, &Numbers::expand, &Numbers::expand_bias, &Numbers::depthwise,
          &Numbers::depthwise_bias, &Numbers::project, &Numbers::project_bias}) {
      for (std::size_t i = 0; i < (right.*member).size(); i += 5) {
        Numbers wrong = right;
        if ((wrong.*member)[i] == 0) continue;
        (wrong.*member)[i] *= 1.001F;
        ASSERT_FALSE(expected.y.equal(outputs(block, wrong, side()))) << "[" << i << "]";
      }
    }
  }
}

/// Blocks of which one row, a few or all are computed at a time.
std::vector<Shape> shapes_to_cut() {
  return {{.height = 6, .width = 5, .out = 3, .residual = true},
          {.height = 12, .width = 19, .in = 8, .expanded = 48, .out = 24},
          {.height = 9, .width = 17, .in = 20, .expanded = 96, .out = 20, .residual = true},
          {.height = 9, .width = 17, .in = 40, .expanded = 96, .out = 40, .residual = true},
          {.height = 3, .width = 99, .expanded = 80},
          {.height = 9, .width = 6, .out = 8, .stride = 2},
          {.height = 14, .width = 58, .expanded = 32, .stride = 2, .pad_top = 0},
          {.height = 11, .width = 8, .out = 16, .stem = true},
          {.height = 12, .width = 40, .stem = true, .stem_pad_top = 0},
          {.height = 7, .width = 115, .stem = true}};
}

/// Blocks with three pictures and their y, rounded: bits depend on the order of sums.
class InvertedResidualParts : public InvertedResidualKernel {
 protected:
  static constexpr int kPictures = 3;

  template <typename Check>
  static void for_each_block(const Check& check) {
    for (Shape shape : shapes_to_cut()) {
      if (shape.residual) shape.out = shape.in;
      SCOPED_TRACE(testing::PrintToString(shape));
      const InvertedResidual block = block_of(shape);
      ASSERT_TRUE(is_fusable(block));
      const Numbers numbers = rounded_numbers(block, kPictures);
      PackedBlock packed(block, numbers, side());
      check(block, packed, outputs(block, numbers, side(), kPictures));
      if (HasFatalFailure()) return;
    }
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(InvertedResidualParts);

TEST_P(InvertedResidualParts, HaveTheSameBitsWhereverTheRowsAreSplit) {
  for_each_block([](const InvertedResidual& block, PackedBlock& packed,
                    const std::vector<float>& whole) {
    for (int row = 0; row <= block.out_height; ++row) {
      auto y = poisoned(whole.size());
      packed.run(y.data(), {.first_row = row, .last_row = block.out_height, .pictures = kPictures});
      packed.run(y.data(), {.last_row = row, .pictures = kPictures});
      ASSERT_TRUE(same_bits(whole, y.values())) << "split at " << row;
    }
  });
}

TEST_P(InvertedResidualParts, HaveTheSameBitsRowByRowAndPictureByPicture) {
  for_each_block(
      [](const InvertedResidual& block, PackedBlock& packed, const std::vector<float>& whole) {
        auto rows = poisoned(whole.size()), pictures = poisoned(whole.size());
        for (int i = 0; i < kPictures; ++i) {
          for (int row = 0; row < block.out_height; ++row) {
            packed.run(rows.data(), {.first_row = row, .last_row = row + 1, .first_picture = i});
          }
          packed.run(pictures.data(), {.last_row = block.out_height, .first_picture = i});
        }
        ASSERT_TRUE(same_bits(whole, rows.values()));
        ASSERT_TRUE(same_bits(whole, pictures.values()));
      });
}

TEST_P(InvertedResidualParts, LeaveOtherRowsAlone) {
  for_each_block(
      [](const InvertedResidual& block, PackedBlock& packed, const std::vector<float>& whole) {
        const std::size_t row = y_row(block), picture = y_size(block);
        for (int first = 0; first <= block.out_height; ++first) {
          for (int last = first; last <= block.out_height; ++last) {
            std::vector<float> expected(whole.size(), kPoison);
            for (std::size_t at = 0; at < whole.size(); at += picture) {
              std::copy(whole.begin() + at + first * row, whole.begin() + at + last * row,
                        expected.begin() + at + first * row);
            }
            auto y = poisoned(whole.size());
            packed.run(y.data(), {.first_row = first, .last_row = last, .pictures = kPictures});
            ASSERT_TRUE(same_bits(expected, y.values())) << "[" << first << "," << last << ")";
          }
        }
      });
}

TEST_P(InvertedResidualParts, HaveTheSameBitsWhateverWasInTheScratchMemory) {
  for_each_block([](const InvertedResidual&, PackedBlock& packed, const std::vector<float>& whole) {
    for (const float garbage : {kPoison, 0.0F, 1e30F, -std::numeric_limits<float>::infinity()}) {
      std::fill(packed.scratch().begin(), packed.scratch().end(), garbage);
      auto y = poisoned(whole.size());
      packed.run(y.data(), kPictures);
      ASSERT_TRUE(same_bits(whole, y.values())) << garbage;
    }
  });
}

TEST_P(InvertedResidualParts, HaveTheSameBitsWhereverTheArraysLie) {
  const Guarded other = side() == Guarded::kBefore ? Guarded::kBehind : Guarded::kBefore;
  for (const Shape& shape : {Shape{.height = 5, .width = 7}, Shape{.width = 9, .stem = true}}) {
    const InvertedResidual block = block_of(shape);
    const Numbers numbers = rounded_numbers(block);
    EXPECT_TRUE(same_bits(outputs(block, numbers, side()), outputs(block, numbers, other)));
  }
}

/// Whether exactly those pixels of y are NaN whose windows see the spoilt pixel of x.
::testing::AssertionResult shows_nan(const InvertedResidual& block, std::size_t spoilt,
                                     std::span<const float> y) {
  std::vector<bool> e(static_cast<std::size_t>(block.height) * block.width);
  std::vector<bool> seen(static_cast<std::size_t>(block.out_height) * block.out_width);
  test::for_each_tap(block.expand, test::extent_x(block), test::extent_e(block),
                     [&](auto place, auto pixel, auto) { e[place] = e[place] || pixel == spoilt; });
  test::for_each_tap(block.depthwise, test::extent_e(block), test::extent_y(block),
                     [&](auto place, auto pixel, auto) { seen[place] = seen[place] || e[pixel]; });
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (std::isnan(y[i]) != seen[i / block.out]) {
      return ::testing::AssertionFailure() << "pixel " << spoilt << " at y[" << i << "]: " << y[i];
    }
  }
  return ::testing::AssertionSuccess();
}

TEST_P(InvertedResidualKernel, ANanInTheInputShowsWhereverAWindowSeesItAndNowhereElse) {
  for (const Gate gate : kGates) {
    for (const int variant : {0, 1, 2}) {
      const InvertedResidual block = block_of({.height = 5,
                                               .width = 7,
                                               .stride = variant == 1 ? 2 : 1,
                                               .expand = gate,
                                               .depthwise = gate,
                                               .stem = variant == 2});
      const Numbers numbers = rounded_numbers(block);
      for (std::size_t i = 0; i < numbers.x.size(); ++i) {
        Numbers spoilt = numbers;
        spoilt.x[i] = kPoison;
        ASSERT_TRUE(shows_nan(block, i / block.in, outputs(block, spoilt, side())));
      }
    }
  }
}

}  // namespace engraft::inverted_residual_test
