#include "engraft/kernels/inverted_residual_backward.h"

#include <gtest/gtest.h>

#include "inverted_residual_cases.h"
#include "inverted_residual_gradients.h"

namespace engraft::inverted_residual_backward_test {

using test::block_of;
using test::Dx;
using test::exact_numbers;
using test::Expected;
using test::for_each_half_filled_vector;
using test::for_each_padding;
using test::Gradients;
using test::Guarded;
using test::kGates;
using test::kPoison;
using test::Numbers;
using test::rounded_numbers;
using test::Shape;
using test::simd_test_name;
using test::Starts;

class InvertedResidualBackwardKernel : public test::SimdTest {
 protected:
  /// dy_every: only every so-manieth value of dy is not 0, so that sums over many pixels stay
  /// exact.
  static void check(const Shape& shape, Dx dx, std::size_t dy_every = 1) {
    if (HasFatalFailure()) return;
    SCOPED_TRACE(testing::PrintToString(shape));
    const InvertedResidual block = block_of(shape);
    ASSERT_TRUE(is_fusable(block));
    Numbers numbers = exact_numbers(block);
    for (std::size_t i = 0; i < numbers.dy.size(); ++i) {
      if (i % dy_every != 0) numbers.dy[i] = 0;
    }
    const Starts start(block);
    const Expected expected(block, numbers, start, dx == Dx::kAddedTo);
    ASSERT_TRUE(expected.is_exact());
    Gradients gradients(start, dx, side());
    gradients.compute(block, numbers, side());
    ASSERT_TRUE(gradients.equal(expected));
  }
  static void check(const Shape& shape) {
    check(shape, shape.stem ? Dx::kNotWanted : Dx::kWritten);
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(InvertedResidualBackwardKernel);

TEST_P(InvertedResidualBackwardKernel, IsExactlyThePlainLoopsForEverySizeAndPadding) {
  for (int height = 1; height <= 6; ++height) {
    for (int width = 1; width <= 6; ++width) {
      for (const int stride : {1, 2}) {
        for_each_padding({.height = height, .width = width, .stride = stride},
                         [](const Shape& shape) { check(shape); });
      }
    }
  }
}

TEST_P(InvertedResidualBackwardKernel, IsExactlyThePlainLoopsForEveryWidth) {
  for (int width = 1; width <= 60; ++width) {
    check({.height = 3, .width = width, .in = 2, .expanded = 48, .out = 3});
    for (const int left : {0, 1}) {
      check({.height = 4, .width = width, .in = 2, .stride = 2, .pad_top = 0, .pad_left = left});
    }
  }
}

TEST_P(InvertedResidualBackwardKernel, IsExactlyThePlainLoopsForEveryHeightThatManyRowsCut) {
  for (const int width : {4, 9, 13, 28}) {
    for (const int height : {13, 14, 15, 29}) {
      check({.height = height, .width = width, .in = 2, .out = 3});
      check({.height = height, .width = width, .in = 2, .out = 3, .stride = 2, .pad_top = 0});
      check({.height = height, .width = width, .in = 2, .out = 3, .stride = 2});
      check({.height = height, .width = width, .in = 2, .out = 3, .stem = true});
    }
  }
}

TEST_P(InvertedResidualBackwardKernel, IsExactlyThePlainLoopsForEveryNumberOfChannels) {
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

TEST_P(InvertedResidualBackwardKernel, IsExactlyThePlainLoopsWherePixelsShareAVector) {
  for_each_half_filled_vector([](const Shape& shape) {
    for (const Dx dx : {Dx::kWritten, Dx::kAddedTo}) check(shape, dx);
  });
}

TEST_P(InvertedResidualBackwardKernel, IsExactlyThePlainLoopsForEveryGate) {
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

TEST_P(InvertedResidualBackwardKernel, WritesOrAddsToTheInputGradientOrDoesWithoutIt) {
  for (const Dx dx : {Dx::kWritten, Dx::kAddedTo, Dx::kNotWanted}) {
    for (const bool residual : {false, true}) {
      for (const int expanded : {16, 144}) {
        check({.height = 5,
               .width = 6,
               .in = 24,
               .expanded = expanded,
               .out = 24,
               .residual = residual},
              dx);
      }
    }
    check({.height = 6, .width = 7, .in = 40, .expanded = 96, .out = 8, .stride = 2}, dx);
  }
}

TEST_P(InvertedResidualBackwardKernel, IsExactlyThePlainLoopsForA3x3ExpansionAtStride2) {
  const auto without_dx = [](const Shape& shape) { check(shape); };
  for (int height = 1; height <= 6; ++height) {
    for (int width = 1; width <= 6; ++width) {
      for_each_padding({.height = height, .width = width, .stem = true}, without_dx);
    }
  }
  for (const int in : {1, 3, 4}) {
    for (const int width : {1, 2, 15, 16, 57, 60}) {
      for (const int expanded : {16, 32, 48}) {
        for_each_padding(
            {.height = 9, .width = width, .in = in, .expanded = expanded, .out = 8, .stem = true},
            without_dx);
      }
    }
  }
}

TEST_P(InvertedResidualBackwardKernel, IsExactlyThePlainLoopsForShapesOfMobileNetV2) {
  check({.height = 8, .width = 32, .in = 3, .expanded = 32, .out = 16, .stem = true});
  check({.height = 4, .width = 28, .in = 24, .expanded = 144, .out = 24, .residual = true});
  check({.height = 7, .width = 7, .in = 32, .expanded = 192, .out = 64, .stride = 2, .pad_top = 0});
  check({.height = 5, .width = 5, .in = 32, .expanded = 384, .out = 40, .stride = 2});
}

TEST_P(InvertedResidualBackwardKernel, IsExactlyThePlainLoopsWhereRowsAreWide) {
  for (const int stride : {1, 2}) {
    for (const int out : {16, 24}) {
      check({.height = 66, .width = 65, .in = 2, .expanded = 48, .out = out, .stride = stride},
            Dx::kWritten, 19);
    }
  }
}

TEST_P(InvertedResidualBackwardKernel, OfManyPicturesIsTheSumOfTheirs) {
  constexpr int kPictures = 3;
  for (const Shape& shape :
       {Shape{.height = 14, .width = 14, .in = 16, .expanded = 64, .out = 16, .residual = true},
        Shape{.height = 9, .width = 11, .in = 8, .expanded = 96, .out = 40, .stride = 2},
        Shape{.height = 13, .width = 57, .in = 3, .expanded = 48, .out = 3, .stride = 2},
        Shape{.height = 29, .width = 18, .expanded = 32, .out = 16, .stem = true}}) {
    SCOPED_TRACE(testing::PrintToString(shape));
    const InvertedResidual block = block_of(shape);
    const Numbers numbers = exact_numbers(block, kPictures);
    const Starts start(block, kPictures);
    for (const Dx dx : {Dx::kWritten, Dx::kAddedTo, Dx::kNotWanted}) {
      if (shape.stem && dx != Dx::kNotWanted) continue;
      Gradients together(start, dx, side()), alone(start, dx, side());
      together.compute(block, numbers, side(), kPoison, {.first = 0, .count = kPictures});
      for (int i = 0; i < kPictures; ++i) {
        alone.compute(block, numbers, side(), kPoison, {.first = i, .count = 1});
      }
      ASSERT_TRUE(dx == Dx::kNotWanted ? together.weights_have_the_bits_of(alone)
                                       : together.same_bits_as(alone));
    }
  }
}

TEST_P(InvertedResidualBackwardKernel, AThousandthOffInAnyInputWouldBeNoticed) {
  for (const bool stem : {false, true}) {
    const InvertedResidual block = block_of(
        {.height = 7, .width = 7, .expand = Gate::kOpen, .depthwise = Gate::kOpen, .stem = stem});
    const Numbers right = exact_numbers(block);
    const Starts start(block);
    const Expected expected(block, right, start, false);
    for (const auto member :
         {&Numbers::x, &Numbers::expand, &Numbers::expand_bias, &Numbers::depthwise,
          &Numbers::depthwise_bias, &Numbers::project, &Numbers::dy}) {
      for (std::size_t i = 0; i < (right.*member).size(); i += 5) {
        Numbers wrong = right;
        if ((wrong.*member)[i] == 0) continue;
        (wrong.*member)[i] *= 1.001F;
        Gradients gradients(start, stem ? Dx::kNotWanted : Dx::kWritten, side());
        gradients.compute(block, wrong, side());
        ASSERT_FALSE(gradients.equal(expected)) << "[" << i << "]";
      }
    }
  }
}

/// Blocks of which one row, a few or all are computed at a time.
class InvertedResidualBackwardBits : public InvertedResidualBackwardKernel {
 protected:
  template <typename Check>
  static void for_each_block(const Check& check) {
    for (const Shape& shape :
         {Shape{.height = 6, .width = 5, .out = 3, .residual = true},
          Shape{.height = 12, .width = 19, .in = 8, .expanded = 48, .out = 24},
          Shape{.height = 9, .width = 17, .in = 20, .expanded = 96, .out = 20, .residual = true},
          Shape{.height = 9, .width = 17, .in = 40, .expanded = 96, .out = 40, .residual = true},
          Shape{.height = 3, .width = 99, .expanded = 80},
          Shape{.height = 12, .width = 58, .expanded = 32, .stride = 2},
          Shape{.height = 9, .width = 6, .out = 8, .stride = 2},
          Shape{.height = 12, .width = 40, .out = 16, .stem = true}}) {
      SCOPED_TRACE(testing::PrintToString(shape));
      const InvertedResidual block = block_of(shape);
      const Dx dx = shape.stem ? Dx::kNotWanted : Dx::kWritten;
      check(block, rounded_numbers(block), dx);
      if (HasFatalFailure()) return;
    }
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(InvertedResidualBackwardBits);

TEST_P(InvertedResidualBackwardBits, AreTheSameWhateverWasInTheScratchMemory) {
  for_each_block([](const InvertedResidual& block, const Numbers& numbers, Dx dx) {
    const Starts start(block);
    Gradients first(start, dx, side());
    first.compute(block, numbers, side());
    for (const float garbage : {kPoison, 0.0F, 1e30F, -std::numeric_limits<float>::infinity()}) {
      Gradients again(start, dx, side());
      again.compute(block, numbers, side(), garbage);
      ASSERT_TRUE(again.same_bits_as(first)) << garbage;
    }
  });
}

TEST_P(InvertedResidualBackwardBits, AreTheSameWhereverTheArraysLie) {
  const Guarded other = side() == Guarded::kBefore ? Guarded::kBehind : Guarded::kBefore;
  for_each_block([&](const InvertedResidual& block, const Numbers& numbers, Dx dx) {
    const Starts start(block);
    Gradients here(start, dx, side()), there(start, dx, other);
    here.compute(block, numbers, side());
    there.compute(block, numbers, other);
    ASSERT_TRUE(there.same_bits_as(here));
  });
}

TEST_P(InvertedResidualBackwardBits, OfTheWeightsAreTheSameWithAndWithoutInputGradient) {
  for_each_block([&](const InvertedResidual& block, const Numbers& numbers, Dx dx) {
    const Starts start(block);
    Gradients with(start, dx, side()), without(start, Dx::kNotWanted, side());
    with.compute(block, numbers, side());
    without.compute(block, numbers, side());
    ASSERT_TRUE(without.weights_have_the_bits_of(with));
  });
}

}  // namespace engraft::inverted_residual_backward_test
