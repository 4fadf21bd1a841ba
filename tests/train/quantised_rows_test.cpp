#include "engraft/train/quantised_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "support/random_values.h"

namespace engraft::quantised_rows_test {

TEST(QuantisedRows, GiveBackWhatTheyWereGivenToHalfAStep) {
  QuantisedRows rows(3, 50);
  const std::vector<float> given = test::random_values(50, 1);
  rows.put(1, given);
  std::vector<float> got(50, std::numeric_limits<float>::quiet_NaN());
  rows.get(1, got);
  const auto [least, largest] = std::ranges::minmax(given);
  const float half_step = (largest - least) / 65535 / 2;
  for (std::size_t i = 0; i < 50; ++i) EXPECT_NEAR(got[i], given[i], 1.01f * half_step + 1e-6f);
}

TEST(QuantisedRows, KnowWhichRowsAreThere) {
  QuantisedRows rows(2, 4);
  EXPECT_FALSE(rows.has(0));
  rows.put(0, std::vector<float>{1, 2, 3, 4});
  EXPECT_TRUE(rows.has(0));
  EXPECT_FALSE(rows.has(1));
}

TEST(QuantisedRows, ARowOfEqualValuesIsExact) {
  QuantisedRows rows(1, 5);
  rows.put(0, std::vector<float>(5, 0.37f));
  EXPECT_TRUE(rows.has(0));
  std::vector<float> got(5);
  rows.get(0, got);
  EXPECT_EQ(got, std::vector<float>(5, 0.37f));
}

TEST(QuantisedRows, AreNotChangedByBeingPutAgain) {
  QuantisedRows rows(2, 30);
  std::vector<float> once(30), twice(30);
  rows.put(0, test::random_values(30, 2));
  rows.get(0, once);
  rows.put(1, once);
  rows.get(1, twice);
  for (std::size_t i = 0; i < 30; ++i) EXPECT_NEAR(once[i], twice[i], 1e-6f);
}

TEST(QuantisedRows, TakeTwoBytesAValue) {
  EXPECT_EQ(QuantisedRows::bytes(10, 1280), 10u * (2560 + 8));
}

}  // namespace engraft::quantised_rows_test
