#include "engraft/kernels/reference/elementwise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "support/random_values.h"

namespace engraft::reference::elementwise_test {

using Complex = std::complex<double>;
using ::testing::ElementsAre;

constexpr double kStep = 1e-100;

template <typename T>
std::span<const T> all(const std::vector<T>& values) {
  return values;
}

TEST(ReferenceElementwise, ReluCutsBelowZeroAndRelu6AboveSix) {
  const std::vector<double> x{-3, -0.0, 0, 0.5, 5.999, 6, 7};
  EXPECT_THAT(relu(all(x)), ElementsAre(0, 0, 0, 0.5, 5.999, 6, 7));
  EXPECT_THAT(relu6(all(x)), ElementsAre(0, 0, 0, 0.5, 5.999, 6, 6));
}

TEST(ReferenceElementwise, SigmoidIsFiniteAtTheEnds) {
  const std::vector<double> x{-1000, -1, 0, 1, 1000};
  const auto y = sigmoid(all(x));
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[2], 0.5);
  EXPECT_EQ(y[4], 1);
  EXPECT_DOUBLE_EQ(y[1] + y[3], 1);
  EXPECT_DOUBLE_EQ(y[3], 0.73105857863000487925);
}

TEST(ReferenceElementwise, HardSigmoidIsExactlyZeroAndOneAtTheEnds) {
  const std::vector<double> x{-1000, -3, -1.5, 0, 1.5, 3, 1000};
  EXPECT_THAT(hard_sigmoid(all(x)), ElementsAre(0, 0, 0.25, 0.5, 0.75, 1, 1));
  EXPECT_THAT(hard_swish(all(x)), ElementsAre(-0.0, -0.0, -0.375, 0, 1.125, 3, 1000));
}

TEST(ReferenceElementwise, ComplexStepGivesTheHardActivationsDerivatives) {
  for (const double value : {-20.0, -2.9, -1.5, 0.0, 0.3, 2.9, 4.0}) {
    const std::vector<Complex> x{{value, kStep}};
    const bool inside = value > -3 && value < 3;
    EXPECT_NEAR(hard_sigmoid(all(x))[0].imag() / kStep, inside ? 1.0 / 6 : 0, 1e-15);
    const double swish = inside ? (2 * value + 3) / 6 : value < 0 ? 0 : 1;
    EXPECT_NEAR(hard_swish(all(x))[0].imag() / kStep, swish, 1e-15);
  }
}

TEST(ReferenceElementwise, MultiplyIsValueByValueOrByChannel) {
  const std::vector<float> a{1, 2, 3, 4, 5, 6}, b{2, 0, -1, 1, 0.5f, 10}, gate{10, 100, 1000};
  EXPECT_THAT(multiply(all(a), all(b)), ElementsAre(2, 0, -3, 4, 2.5f, 60));
  EXPECT_THAT(multiply(all(a), all(gate)), ElementsAre(10, 200, 3000, 40, 500, 6000));
}

TEST(ReferenceElementwise, ComplexStepGivesTheProductsDerivatives) {
  const std::vector<Complex> a{{2, kStep}, 3}, b{5, {7, kStep}};
  const auto y = multiply(all(a), all(b));
  EXPECT_EQ(y[0].imag() / kStep, 5);
  EXPECT_EQ(y[1].imag() / kStep, 3);
}

TEST(ReferenceElementwise, BatchNormMakesMeanBetaAndDeviationGamma) {
  const std::vector<double> gamma{2, 1}, beta{10, -1}, mean{5, 0}, variance{9, 4};
  const BatchNorm<double> norm{.gamma = gamma, .beta = beta, .mean = mean, .variance = variance};
  const std::vector<double> x{5, 0, 8, 2};
  EXPECT_THAT(batch_norm(norm, all(x)), ElementsAre(10, -1, 12, 0));
}

TEST(ReferenceElementwise, BatchNormAddsEpsilonToTheVariance) {
  const std::vector<double> one{1}, zero{0}, x{1};
  const BatchNorm<double> norm{
      .gamma = one, .beta = zero, .mean = zero, .variance = zero, .epsilon = 0.25};
  EXPECT_THAT(batch_norm(norm, all(x)), ElementsAre(2));
}

TEST(ReferenceElementwise, ComplexStepSeesTheBranchesOfTheRealPart) {
  const std::vector<Complex> x{{-1, kStep}, {2, kStep}, {7, kStep}};
  const auto y = relu6(all(x));
  EXPECT_EQ(y[0].imag(), 0);
  EXPECT_EQ(y[1].imag(), kStep);
  EXPECT_EQ(y[2].imag(), 0);
  EXPECT_EQ(y[2].real(), 6);
}

TEST(ReferenceElementwise, ComplexStepGivesSigmoidsDerivative) {
  for (const double value : {-20.0, -1.5, 0.0, 0.3, 4.0}) {
    const std::vector<Complex> x{{value, kStep}};
    const Complex y = sigmoid(all(x))[0];
    EXPECT_NEAR(y.imag() / kStep, y.real() * (1 - y.real()), 1e-15);
  }
}

TEST(ReferenceElementwise, ComplexStepGivesBatchNormsDerivativeByItsVariance) {
  const std::vector<Complex> gamma{2}, beta{1}, mean{0.5}, variance{{3, kStep}}, x{4};
  const BatchNorm<Complex> norm{
      .gamma = gamma, .beta = beta, .mean = mean, .variance = variance, .epsilon = 1e-3};
  const double expected = -0.5 * (4 - 0.5) * 2 / std::pow(3.001, 1.5);
  EXPECT_NEAR(batch_norm(norm, all(x))[0].imag() / kStep, expected, 1e-14);
}

TEST(ReferenceElementwise, AddIsValueByValue) {
  const std::vector<float> a{1, 2}, b{0.5f, -2};
  EXPECT_THAT(add(all(a), all(b)), ElementsAre(1.5f, 0.0f));
}

}  // namespace engraft::reference::elementwise_test
