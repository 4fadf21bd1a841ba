#include "engraft/kernels/quantization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/random_values.h"

namespace engraft::quantization_test {

float real(const ByteRange& range, float byte) {
  return range.scale * (byte - range.zero_point);
}

TEST(ByteRange, JustHoldsItsBounds) {
  const ByteRange range(-3, 7);
  EXPECT_FLOAT_EQ(real(range, 0), -3);
  EXPECT_FLOAT_EQ(real(range, 255), 7);
}

TEST(ByteRange, HoldsZeroWhereTheBoundsDoNot) {
  EXPECT_NEAR(real(ByteRange(2, 5), 0), 0, 1e-6);
  EXPECT_FLOAT_EQ(real(ByteRange(2, 5), 255), 5);
  EXPECT_NEAR(real(ByteRange(-5, -2), 255), 0, 1e-6);
  EXPECT_FLOAT_EQ(real(ByteRange(-5, -2), 0), -5);
}

TEST(ByteRange, OfNothingButZeroIsStillARange) {
  const ByteRange range(0, 0);
  EXPECT_GT(range.scale, 0);
  EXPECT_EQ(range.zero_point, 0);
}

TEST(QuantizedChannel, EveryWeightIsWithinHalfAStep) {
  const std::vector<float> weights = test::random_values(1000, 1);
  const QuantizedChannel channel(weights, 0.5F);
  for (std::size_t k = 0; k < weights.size(); ++k) {
    EXPECT_LE(std::abs(channel.scale() * channel.weight(k) - weights[k]),
              0.5001F * channel.scale());
  }
}

TEST(QuantizedChannel, TheGreatestWeightTakesAllOfTheRange) {
  for (const float sign : {1.0F, -1.0F}) {
    const std::vector<float> weights{0.25F, 3 * sign, -1};
    const QuantizedChannel channel(weights, 0);
    EXPECT_EQ(channel.weight(1), 127 * sign);
    EXPECT_FLOAT_EQ(channel.scale(), 3.0F / 127);
  }
}

TEST(QuantizedChannel, BeginsWithTheBiasLessTheZeroPointsShare) {
  const std::vector<float> weights{1, -0.5F, 0.25F};
  const QuantizedChannel channel(weights, 2);
  const double sum = channel.weight(0) + channel.weight(1) + channel.weight(2);
  EXPECT_NEAR(channel.begin(10) * channel.scale(), 2 - 10 * sum * channel.scale(), 1e-5);
}

TEST(QuantizedChannel, ABiasFarGreaterThanTheWeightsFitsIntoThirtyTwoBits) {
  for (const float weight : {0.0F, 1e-20F, 1e-3F}) {
    const std::vector<float> weights(4, weight);
    const QuantizedChannel channel(weights, 1e6F);
    EXPECT_LE(std::abs(channel.begin(0)), 1 << 24) << weight;
    EXPECT_NEAR(channel.begin(0) * channel.scale(), 1e6, 1) << weight;
  }
}

TEST(QuantizedChannel, TheFactorKeepsEverySumWithinThirtyTwoBits) {
  const std::vector<float> weights(1280, 1000);
  const QuantizedChannel channel(weights, 1e4F);
  const double most = 1280.0 * 255 * 127 + (1 << 24);
  EXPECT_LT(most * channel.factor(1e-30F), std::numeric_limits<std::int32_t>::max());
}

}  // namespace engraft::quantization_test
