#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "inverted_residual_cases.h"

namespace engraft::inverted_residual_fusable_test {

using test::block_of;
using test::Shape;

TEST(IsFusable, TakesEveryBlockOfMobileNetV2WithThePaddingOfKerasAndOfPyTorch) {
  for (const int pad : {0, 1}) {
    EXPECT_TRUE(is_fusable(block_of({.height = 224,
                                     .width = 224,
                                     .in = 3,
                                     .expanded = 32,
                                     .out = 16,
                                     .stem = true,
                                     .stem_pad_top = pad,
                                     .stem_pad_left = pad})));
    EXPECT_TRUE(is_fusable(block_of({.height = 112,
                                     .width = 112,
                                     .in = 16,
                                     .expanded = 96,
                                     .out = 24,
                                     .stride = 2,
                                     .pad_top = pad,
                                     .pad_left = pad})));
  }
  EXPECT_TRUE(is_fusable(block_of(
      {.height = 7, .width = 7, .in = 160, .expanded = 960, .out = 160, .residual = true})));
}

/// One thing that makes a block unfit.
struct Misfit {
  const char* name;
  Shape shape;
  std::function<void(InvertedResidual&)> spoil;
};

void PrintTo(const Misfit& misfit, std::ostream* out) {
  *out << misfit.name;
}

std::string misfit_name(const testing::TestParamInfo<Misfit>& info) {
  return info.param.name;
}

class IsNotFusable : public testing::TestWithParam<Misfit> {};

TEST_P(IsNotFusable, BecauseOfOneThingAlone) {
  InvertedResidual block = block_of(GetParam().shape);
  ASSERT_TRUE(is_fusable(block));
  GetParam().spoil(block);
  EXPECT_FALSE(is_fusable(block));
}

using Block = InvertedResidual;
constexpr Shape kPlain{}, kHalving{.height = 6, .width = 6, .stride = 2};
constexpr Shape kResidual{.in = 8, .out = 8, .residual = true};
constexpr Shape kStem{.height = 8, .width = 8, .stem = true};

INSTANTIATE_TEST_SUITE_P(
    Misfits, IsNotFusable,
    testing::Values(
        Misfit{"NoInputChannels", kPlain, [](Block& b) { b.in = 0; }},
        Misfit{"NoOutputChannels", kPlain, [](Block& b) { b.out = 0; }},
        Misfit{"NoExpandedChannels", kPlain, [](Block& b) { b.expanded = 0; }},
        Misfit{"NegativeExpandedChannels", kPlain, [](Block& b) { b.expanded = -16; }},
        Misfit{"ExpandedChannelsThatAreNotWholeVectors", kPlain, [](Block& b) { b.expanded = 24; }},
        Misfit{"NoRows", kPlain, [](Block& b) { b.in_height = b.height = b.out_height = 0; }},
        Misfit{"NoColumns", kPlain, [](Block& b) { b.in_width = b.width = b.out_width = 0; }},
        Misfit{"FewerRowsBehindThePointwiseExpansion", kPlain, [](Block& b) { b.in_height += 1; }},
        Misfit{"MoreColumnsBehindThePointwiseExpansion", kPlain, [](Block& b) { b.in_width -= 1; }},
        Misfit{"PointwiseExpansionWithStride", kPlain, [](Block& b) { b.expand.stride = 2; }},
        Misfit{"PointwiseExpansionWithZerosAbove", kPlain, [](Block& b) { b.expand.pad_top = 1; }},
        Misfit{"PointwiseExpansionWithZerosLeft", kPlain, [](Block& b) { b.expand.pad_left = 1; }},
        Misfit{"ExpansionOf2x2", kStem, [](Block& b) { b.expand.kernel = 2; }},
        Misfit{"ExpansionOf5x5", kStem, [](Block& b) { b.expand.kernel = 5; }},
        Misfit{"DepthwiseOf5x5", kPlain, [](Block& b) { b.depthwise.kernel = 5; }},
        Misfit{"DepthwiseOf1x1", kPlain, [](Block& b) { b.depthwise.kernel = 1; }},
        Misfit{"DepthwiseStride3", kHalving,
               [](Block& b) {
                 b.depthwise.stride = 3;
                 b.out_height = b.out_width = 2;
               }},
        Misfit{"DepthwiseStride0", kPlain, [](Block& b) { b.depthwise.stride = 0; }},
        Misfit{"NoZerosAboveAtStride1", kPlain, [](Block& b) { b.depthwise.pad_top = 0; }},
        Misfit{"NoZerosLeftAtStride1", kPlain, [](Block& b) { b.depthwise.pad_left = 0; }},
        Misfit{"TwoRowsOfZerosAbove", kHalving, [](Block& b) { b.depthwise.pad_top = 2; }},
        Misfit{"TwoColumnsOfZerosLeft", kPlain, [](Block& b) { b.depthwise.pad_left = 2; }},
        Misfit{"NegativeZerosLeft", kHalving, [](Block& b) { b.depthwise.pad_left = -1; }},
        Misfit{"FewerRowsThanTheStrideGives", kHalving, [](Block& b) { b.out_height -= 1; }},
        Misfit{"MoreColumnsThanTheStrideGives", kHalving, [](Block& b) { b.out_width += 1; }},
        Misfit{"ResidualOfOtherChannels", kResidual, [](Block& b) { b.out = 16; }},
        Misfit{"ResidualAtStride2", kResidual,
               [](Block& b) {
                 b.depthwise.stride = 2;
                 b.out_height = b.out_width = 2;
               }},
        Misfit{"ResidualAroundA3x3Expansion", kStem,
               [](Block& b) {
                 b.residual = true;
                 b.out = b.in;
               }},
        Misfit{"A3x3ExpansionAtStride1", kStem,
               [](Block& b) {
                 b.expand.stride = 1;
                 b.in_height = b.height;
                 b.in_width = b.width;
               }},
        Misfit{"A3x3ExpansionBeforeAStride", kStem,
               [](Block& b) {
                 b.depthwise.stride = 2;
                 b.out_height = b.out_width = 2;
               }},
        Misfit{"TwoRowsOfZerosAboveA3x3Expansion", kStem, [](Block& b) { b.expand.pad_top = 2; }},
        Misfit{"TwoColumnsOfZerosBesideA3x3Expansion", kStem,
               [](Block& b) { b.expand.pad_left = 2; }},
        Misfit{"MoreRowsThanA3x3ExpansionGives", kStem, [](Block& b) { b.in_height = 6; }},
        Misfit{"FewerColumnsThanA3x3ExpansionGives", kStem, [](Block& b) { b.in_width = 10; }}),
    misfit_name);

}  // namespace engraft::inverted_residual_fusable_test
