#include "engraft/kernels/reference/vector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "support/random_values.h"

namespace engraft::reference::vector_test {

using test::random_values;
using Complex = std::complex<double>;
using ::testing::ElementsAre;

template <typename T>
std::span<const T> all(const std::vector<T>& values) {
  return values;
}

TEST(ReferenceVector, GlobalAveragePoolIsTheMeanOfEachChannel) {
  const std::vector<double> x{1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60};
  EXPECT_THAT(global_average_pool({.height = 2, .width = 3, .channels = 2}, all(x)),
              ElementsAre(3.5, 35));
}

TEST(ReferenceVector, DenseIsAVectorTimesAMatrixPlusABias) {
  const std::vector<double> x{1, 2}, w{1, 2, 3, 4, 5, 6}, b{0.5, 0, -1};
  EXPECT_THAT(dense(all(x), all(w), all(b)), ElementsAre(9.5, 12, 14));
  EXPECT_THAT(dense(all(x), all(w), {}), ElementsAre(9, 12, 15));
}

TEST(ReferenceVector, SoftmaxRowsSumToOneAndIgnoreAShift) {
  const auto x = random_values<double>(21, 9);
  auto shifted = x;
  for (double& value : shifted) value += 700;  // e^700 would overflow without the maximum taken off
  const auto y = softmax(all(x), 7), z = softmax(all(shifted), 7);
  for (std::size_t row = 0; row < 21; row += 7) {
    EXPECT_NEAR(std::accumulate(&y[row], &y[row] + 7, 0.0), 1, 1e-15);
  }
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], z[i], 1e-13);
}

TEST(ReferenceVector, SoftmaxOfEqualsIsUniform) {
  const std::vector<float> x(4, 3.0f);
  EXPECT_THAT(softmax(all(x), 4), ElementsAre(0.25f, 0.25f, 0.25f, 0.25f));
}

TEST(ReferenceVector, ComplexStepGivesSoftmaxsJacobian) {
  constexpr double kStep = 1e-100;
  const auto real_x = random_values<double>(5, 10);
  const auto p = softmax(all(real_x), 5);
  for (std::size_t k = 0; k < 5; ++k) {
    std::vector<Complex> x(real_x.begin(), real_x.end());
    x[k] += Complex(0, kStep);
    const auto y = softmax(all(x), 5);
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_NEAR(y[i].imag() / kStep, p[i] * ((i == k ? 1 : 0) - p[k]), 1e-15);
    }
  }
}

}  // namespace engraft::reference::vector_test
