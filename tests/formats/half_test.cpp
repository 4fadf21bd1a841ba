#include "engraft/formats/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace engraft::half_test {

TEST(Half, EveryOneComesBackBitForBit) {
  for (std::uint32_t bits = 0; bits <= 0xffffu; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float wide = half_to_float(half);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(wide))));
    } else {
      ASSERT_EQ(float_to_half(wide), half) << bits;
    }
  }
}

TEST(Half, BetweenTwoTheNearestIsTakenAndOfTwoEquallyNearTheEvenOne) {
  for (std::uint32_t bits = 0; bits < 0x7bffu; ++bits) {  // all but the largest
    const auto below = static_cast<std::uint16_t>(bits),
               above = static_cast<std::uint16_t>(bits + 1);
    const float low = half_to_float(below), high = half_to_float(above);
    const float middle = (low + high) / 2;  // exact
    ASSERT_EQ(float_to_half(middle), bits % 2 == 0 ? below : above) << bits;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0f)), below) << bits;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 1e9f)), above) << bits;
    ASSERT_EQ(float_to_half(-middle), 0x8000u | (bits % 2 == 0 ? below : above)) << bits;
  }
}

TEST(Half, KnownValues) {
  EXPECT_EQ(float_to_half(1.0f), 0x3c00u);
  EXPECT_EQ(float_to_half(-2.0f), 0xc000u);
  EXPECT_EQ(float_to_half(0x1p-24f), 1u);
  EXPECT_EQ(float_to_half(0x1p-25f), 0u);
  EXPECT_EQ(float_to_half(kLargestHalf), 0x7bffu);
  EXPECT_EQ(float_to_half(65519.99f), 0x7bffu);
  EXPECT_EQ(float_to_half(65520.0f), 0x7c00u);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::max()), 0x7c00u);
  EXPECT_EQ(float_to_half(-std::numeric_limits<float>::infinity()), 0xfc00u);
  EXPECT_EQ(float_to_half(-0.0f), 0x8000u);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::denorm_min()), 0u);
  EXPECT_TRUE(std::isnan(half_to_float(float_to_half(std::nanf("")))));
}

}  // namespace engraft::half_test
