#include "engraft/train/loss.h"

#include <gtest/gtest.h>

#include <complex>
#include <vector>

#include "engraft/base/rng.h"

namespace engraft::loss_test {

using Complex = std::complex<double>;
using Loss = Complex (*)(std::span<const Complex>, int, double, std::span<Complex>,
                         std::span<Complex>);

std::vector<Complex> random_logits(int size, double spread) {
  Rng rng(11, static_cast<std::uint64_t>(size));
  std::vector<Complex> z;
  for (int k = 0; k < size; ++k) z.emplace_back(spread * static_cast<double>(rng.normal()), 0);
  return z;
}

/// The stated gradient against Im L(z + ih)/h, which has no cancellation.
void expect_gradient_of(Loss loss, int units, int label, double smoothing, double spread) {
  constexpr double kStep = 1e-100;
  const std::vector<Complex> z = random_logits(units, spread);
  std::vector<Complex> p(z.size()), dz(z.size()), ignored(z.size());
  (void)loss(z, label, smoothing, p, dz);
  for (std::size_t k = 0; k < z.size(); ++k) {
    std::vector<Complex> moved = z;
    moved[k] += Complex(0, kStep);
    const double slope = loss(moved, label, smoothing, p, ignored).imag() / kStep;
    EXPECT_NEAR(dz[k].real(), slope, 1e-12) << "logit " << k << " of " << units;
  }
}

TEST(SoftmaxLoss, GradientIsThatOfTheValue) {
  for (const int classes : {2, 3, 10}) {
    for (const double smoothing : {0.0, 0.1}) {
      for (const double spread : {1.0, 30.0}) {
        expect_gradient_of(loss::softmax_cross_entropy<Complex, double>, classes, classes - 1,
                           smoothing, spread);
      }
    }
  }
}

TEST(SigmoidLoss, GradientIsThatOfTheValue) {
  for (const int units : {1, 3, 10}) {
    for (const int label : {0, 1}) {
      for (const double smoothing : {0.0, 0.2}) {
        expect_gradient_of(loss::sigmoid_cross_entropy<Complex, double>, units, label, smoothing,
                           5.0);
      }
    }
  }
}

TEST(SoftmaxLoss, IsTheSurpriseOfTheTrueClass) {
  const std::vector<double> z{1.0, 2.0, 4.0};
  std::vector<double> p(3), dz(3);
  const double value = loss::softmax_cross_entropy<double>(z, 1, 0.0, p, dz);
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(4.0);
  EXPECT_NEAR(value, -std::log(std::exp(2.0) / sum), 1e-14);
  EXPECT_NEAR(p[2], std::exp(4.0) / sum, 1e-14);
  EXPECT_NEAR(dz[0] + dz[1] + dz[2], 0, 1e-14);
}

TEST(SoftmaxLoss, SmoothingMixesTheTargetWithTheUniform) {
  const std::vector<double> z{0.3, -0.7};
  std::vector<double> p(2), dz(2);
  const double s = 0.1;
  const double mixed = loss::softmax_cross_entropy<double>(z, 0, s, p, dz);
  const double expected = -(1 - s / 2) * std::log(p[0]) - s / 2 * std::log(p[1]);
  EXPECT_NEAR(mixed, expected, 1e-14);
}

TEST(SigmoidLoss, OfOneUnitIsThatOfTheSoftmaxOverZeroAndIt) {
  for (const double z : {-40.0, -1.5, 0.0, 0.7, 40.0}) {
    for (const int label : {0, 1}) {
      std::vector<double> p(1), dz(1), p2(2), dz2(2);
      const std::vector<double> one{z}, two{0, z};
      const double a = loss::sigmoid_cross_entropy<double>(one, label, 0.1, p, dz);
      const double b = loss::softmax_cross_entropy<double>(two, label, 0.1, p2, dz2);
      EXPECT_NEAR(a, b, 1e-12);
      EXPECT_NEAR(p[0], p2[1], 1e-14);
      EXPECT_NEAR(dz[0], dz2[1], 1e-14);
    }
  }
}

TEST(SigmoidLoss, OfSeveralUnitsIsTheMeanOverThem) {
  const std::vector<double> z{0.2, -1.0, 3.0};
  std::vector<double> p(3), dz(3);
  const double value = loss::sigmoid_cross_entropy<double>(z, 2, 0.0, p, dz);
  const auto s = [](double x) { return 1 / (1 + std::exp(-x)); };
  const double expected = -(std::log(1 - s(0.2)) + std::log(1 - s(-1.0)) + std::log(s(3.0))) / 3;
  EXPECT_NEAR(value, expected, 1e-14);
}

TEST(Losses, StayFiniteAtLargeLogitsInFloat) {
  for (const float size : {100.0f, 1e4f, 1e30f}) {
    const std::vector<float> z{size, -size};
    std::vector<float> p(2), dz(2);
    for (const int label : {0, 1}) {
      EXPECT_TRUE(std::isfinite(loss::softmax_cross_entropy<float>(z, label, 0.1f, p, dz)));
      EXPECT_TRUE(std::isfinite(loss::sigmoid_cross_entropy<float>(z, label, 0.1f, p, dz)));
      EXPECT_TRUE(std::isfinite(dz[0]) && std::isfinite(dz[1]));
    }
    EXPECT_FLOAT_EQ(loss::sigmoid(size), 1);
    EXPECT_NEAR(loss::sigmoid(-size), 0, 1e-40);
  }
}

TEST(Losses, SeeSmallLossesThatOnePlusXWouldRoundAway) {
  EXPECT_NEAR(loss::softplus(-20.0f), 2.0611537e-9f, 1e-15f);
}

TEST(Softmax, MayWriteOverItsLogits) {
  std::vector<float> z{1, 2, 3};
  loss::softmax<float>(z, z);
  EXPECT_NEAR(z[0] + z[1] + z[2], 1, 1e-6);
  EXPECT_NEAR(z[2], 0.66524096f, 1e-6);
}

}  // namespace engraft::loss_test
