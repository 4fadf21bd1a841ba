#include "engraft/train/standardiser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "engraft/base/rng.h"

namespace engraft::standardiser_test {

Tensor random_table(std::int64_t rows, std::int64_t features) {
  Rng rng(8);
  Tensor values(Shape{rows, features});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < features; ++i) {
      values.row(r)[static_cast<std::size_t>(i)] =
          static_cast<float>(i) + static_cast<float>(i + 1) * rng.normal();
    }
  }
  return values;
}

TEST(Standardiser, CentresEachFeatureAndGivesAllTogetherDeviationOne) {
  const Tensor values = random_table(50, 4);
  const std::vector<std::size_t> rows{0, 3, 4, 10, 11, 30, 49};
  const Standardiser standardiser = Standardiser::fit(values, rows);
  std::vector<double> sum(4), squares(4);
  for (const std::size_t r : rows) {
    std::vector<float> x(4);
    standardiser.apply(values.row(static_cast<std::int64_t>(r)), x);
    for (std::size_t i = 0; i < 4; ++i) {
      sum[i] += static_cast<double>(x[i]);
      squares[i] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
  }
  for (const double s : sum) EXPECT_NEAR(s, 0, 1e-5);
  EXPECT_NEAR(std::accumulate(squares.begin(), squares.end(), 0.0),
              4 * static_cast<double>(rows.size()), 1e-4);
}

TEST(Standardiser, PutsAFeatureThatDoesNotVaryToZero) {
  const Tensor values(Shape{3, 2}, std::vector<float>{5, 1, 5, 2, 5, 3});
  const Standardiser standardiser = Standardiser::fit(values, std::vector<std::size_t>{0, 1, 2});
  std::vector<float> x(2);
  standardiser.apply(std::vector<float>{1000, 2}, x);
  EXPECT_THAT(x, testing::ElementsAre(0, 0));
}

TEST(Standardiser, TakesRoundingForNoVariation) {
  Tensor values(Shape{187, 2});
  for (std::int64_t r = 0; r < 187; ++r) {
    values.row(r)[0] = 0.1f;  // whose mean of 187 is not exact
    values.row(r)[1] = static_cast<float>(r % 3);
  }
  std::vector<std::size_t> rows(187);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  const Standardiser standardiser = Standardiser::fit(values, rows);
  EXPECT_EQ(standardiser.scale[0], 0);
  EXPECT_GT(standardiser.scale[1], 0);
}

TEST(Standardiser, OfFeaturesThatNeverVaryIsZeroAndNotInfinite) {
  const Tensor values(Shape{2, 2}, std::vector<float>{5, 0, 5, 0});
  const Standardiser standardiser = Standardiser::fit(values, std::vector<std::size_t>{0, 1});
  EXPECT_THAT(standardiser.scale, testing::ElementsAre(0, 0));
}

TEST(Standardiser, FoldedIntoALayerGivesTheSameFunction) {
  const Tensor values = random_table(20, 7);
  const Standardiser standardiser =
      Standardiser::fit(values, std::vector<std::size_t>{0, 1, 2, 3, 4, 5});
  DenseParameters<float> layer(DenseShape{.in = 7, .out = 3});
  Rng rng(2);
  for (float& w : layer.kernel) w = rng.normal();
  for (float& b : layer.bias) b = rng.normal();
  const DenseParameters<float> folded = standardiser.fold_into(layer);
  for (std::int64_t r = 0; r < 20; ++r) {
    std::vector<float> x(7), before(3), after(3);
    standardiser.apply(values.row(r), x);
    dense::forward<float>(layer, x, before);
    dense::forward<float>(folded, values.row(r), after);
    for (std::size_t o = 0; o < 3; ++o) EXPECT_NEAR(before[o], after[o], 1e-5);
  }
}

}  // namespace engraft::standardiser_test
