#include "engraft/train/dense_layer.h"

#include <gtest/gtest.h>

#include <limits>

#include "engraft/base/rng.h"

namespace engraft::dense_layer_test {

std::vector<float> random_values(std::size_t size, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(size);
  for (float& value : values) value = rng.normal();
  return values;
}

DenseParameters<float> random_layer(const DenseShape& shape) {
  DenseParameters<float> layer(shape);
  layer.kernel = random_values(layer.kernel.size(), 1);
  layer.bias = random_values(layer.bias.size(), 2);
  return layer;
}

/// Around the lanes, the rows that go together and the tile.
const std::vector<std::size_t> kInputs{1, 2, 7, 8, 9, 15, 16, 17, 255, 256, 257, 600};
const std::vector<std::size_t> kRows{1, 2, 3, 4, 5, 8, 9};

TEST(Dense, ForwardIsTheMatrixProductAtEverySize) {
  for (const std::size_t in : kInputs) {
    for (const std::size_t rows : kRows) {
      const std::size_t out = 3;
      const auto layer = random_layer({.in = in, .out = out});
      const auto x = random_values(rows * in, 3);
      std::vector<float> z(rows * out, std::numeric_limits<float>::quiet_NaN());
      dense::forward<float>(layer, x, z);
      for (std::size_t b = 0; b < rows; ++b) {
        for (std::size_t o = 0; o < out; ++o) {
          double sum = static_cast<double>(layer.bias[o]);
          for (std::size_t i = 0; i < in; ++i) {
            sum +=
                static_cast<double>(layer.kernel[o * in + i]) * static_cast<double>(x[b * in + i]);
          }
          // 600 products of size 1 in float: errors of a few 1e-6.
          ASSERT_NEAR(z[b * out + o], sum, 2e-5) << in << " inputs, " << rows << " rows";
        }
      }
    }
  }
}

TEST(Dense, ARowDoesNotDependOnItsNeighbours) {
  const DenseShape shape{.in = 83, .out = 5};
  const auto layer = random_layer(shape);
  const auto x = random_values(9 * shape.in, 4);
  std::vector<float> all(9 * shape.out), one(shape.out);
  dense::forward<float>(layer, x, all);
  for (std::size_t b = 0; b < 9; ++b) {
    dense::forward<float>(layer, std::span(x).subspan(b * shape.in, shape.in), one);
    for (std::size_t o = 0; o < shape.out; ++o) EXPECT_EQ(one[o], all[b * shape.out + o]);
  }
}

TEST(Dense, BackwardGivesTheTransposedProductsAtEverySize) {
  for (const std::size_t in : kInputs) {
    for (const std::size_t rows : kRows) {
      const std::size_t out = 2;
      const auto layer = random_layer({.in = in, .out = out});
      const auto x = random_values(rows * in, 5), dz = random_values(rows * out, 6);
      DenseParameters<float> gradients(layer.shape);
      std::fill(gradients.kernel.begin(), gradients.kernel.end(), 1e9f);
      std::fill(gradients.bias.begin(), gradients.bias.end(), 1e9f);
      std::vector<float> dx(rows * in, 1e9f);
      dense::backward_parameters<float>(x, dz, gradients);
      dense::backward_input<float>(layer, dz, dx);
      for (std::size_t o = 0; o < out; ++o) {
        double bias = 0;
        for (std::size_t b = 0; b < rows; ++b) bias += static_cast<double>(dz[b * out + o]);
        ASSERT_NEAR(gradients.bias[o], bias, 1e-5);
        for (std::size_t i = 0; i < in; ++i) {
          double sum = 0;
          for (std::size_t b = 0; b < rows; ++b) {
            sum += static_cast<double>(dz[b * out + o]) * static_cast<double>(x[b * in + i]);
          }
          ASSERT_NEAR(gradients.kernel[o * in + i], sum, 1e-5);
        }
      }
      for (std::size_t b = 0; b < rows; ++b) {
        for (std::size_t i = 0; i < in; ++i) {
          const double sum =
              static_cast<double>(dz[b * out]) * static_cast<double>(layer.kernel[i]) +
              static_cast<double>(dz[b * out + 1]) * static_cast<double>(layer.kernel[in + i]);
          ASSERT_NEAR(dx[b * in + i], sum, 1e-5);
        }
      }
    }
  }
}

TEST(Dense, NoRowsGiveNoOutputAndNoGradient) {
  const auto layer = random_layer({.in = 4, .out = 2});
  DenseParameters<float> gradients = layer;
  dense::forward<float>(layer, {}, {});
  dense::backward_parameters<float>({}, {}, gradients);
  EXPECT_EQ(gradients.kernel, std::vector<float>(8));
  EXPECT_EQ(gradients.bias, std::vector<float>(2));
}

}  // namespace engraft::dense_layer_test
