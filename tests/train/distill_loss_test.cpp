#include "engraft/train/distill_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

#include "engraft/train/loss.h"
#include "support/errors.h"
#include "support/random_values.h"

namespace engraft {
namespace {

using test::expect_error;
using test::random_values;
using ::testing::HasSubstr;

struct Problem {
  std::size_t features, classes, pictures;
  DistillLossOptions options;
};

LinearTop top_of(const Problem& p) {
  const auto c = static_cast<std::int64_t>(p.features), k = static_cast<std::int64_t>(p.classes);
  return {.kernel = Tensor(Shape{c, k}, random_values(p.features * p.classes, 1)),
          .bias = Tensor(Shape{k}, random_values(p.classes, 2))};
}

std::vector<float> scale_of(const Problem& p) {
  std::vector<float> scale = random_values(p.features, 3);
  for (float& value : scale) value = 0.5f + value * value;
  return scale;
}

/// The formula as it stands in the header, for one picture.
template <typename T>
T reference(const Problem& p, std::span<const float> teacher, const std::vector<T>& student,
            T* divergence = nullptr) {
  const LinearTop top = top_of(p);
  const std::vector<float> scale = scale_of(p);
  T error(0);
  for (std::size_t c = 0; c < p.features; ++c) {
    const T difference = student[c] - static_cast<double>(teacher[c]);
    error += difference * difference / static_cast<double>(scale[c]);
  }
  const auto t = static_cast<double>(p.options.temperature);
  std::vector<T> zt(p.classes), zs(p.classes), pt(p.classes), ps(p.classes);
  for (std::size_t k = 0; k < p.classes; ++k) {
    zt[k] = zs[k] = static_cast<double>(top.bias.values()[k]);
    for (std::size_t c = 0; c < p.features; ++c) {
      const auto w = static_cast<double>(top.kernel.values()[c * p.classes + k]);
      zt[k] += static_cast<double>(teacher[c]) * w;
      zs[k] += student[c] * w;
    }
    zt[k] /= t;
    zs[k] /= t;
  }
  loss::softmax(std::span<const T>(zt), std::span<T>(pt));
  loss::softmax(std::span<const T>(zs), std::span<T>(ps));
  T kl(0);
  for (std::size_t k = 0; k < p.classes; ++k) kl += pt[k] * (std::log(pt[k]) - std::log(ps[k]));
  if (divergence) *divergence = t * t * kl;
  return static_cast<double>(p.options.feature_weight) * error / static_cast<double>(p.features) +
         static_cast<double>(p.options.answer_weight) * t * t * kl;
}

class DistillLossTest : public ::testing::TestWithParam<Problem> {};

TEST_P(DistillLossTest, ValueAndGradientAreTheFormulas) {
  const Problem& p = GetParam();
  const DistillLoss loss(top_of(p), scale_of(p), p.options);
  const std::size_t n = p.features * p.pictures;
  std::vector<float> teacher = random_values(n, 4), student = random_values(n, 5);
  for (float& value : teacher) value *= 0.3f;
  for (float& value : student) value *= 0.3f;
  std::vector<float> gradient(n, std::numeric_limits<float>::quiet_NaN());
  std::vector<DistillTerms> terms(p.pictures);
  constexpr float kShare = 0.25f;
  loss(teacher, student, kShare, terms, gradient);
  for (std::size_t i = 0; i < p.pictures; ++i) {
    const auto t = std::span(teacher).subspan(i * p.features, p.features);
    std::vector<double> s(student.begin() + static_cast<std::ptrdiff_t>(i * p.features),
                          student.begin() + static_cast<std::ptrdiff_t>((i + 1) * p.features));
    double divergence = 0;
    const double value = reference<double>(p, t, s, &divergence);
    EXPECT_NEAR(terms[i].divergence, divergence, 2e-5 * (1 + divergence));
    EXPECT_NEAR(loss.value(terms[i]), value, 2e-5 * (1 + value));
    for (std::size_t c = 0; c < p.features; ++c) {
      constexpr double kStep = 1e-20;
      std::vector<std::complex<double>> z(s.begin(), s.end());
      z[c] += std::complex<double>(0, kStep);
      const double slope = reference<std::complex<double>>(p, t, z).imag() / kStep;
      EXPECT_NEAR(gradient[i * p.features + c], kShare * slope, 2e-5 * (1 + std::abs(slope)))
          << "picture " << i << ", channel " << c;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    DistillLoss, DistillLossTest,
    ::testing::Values(Problem{1, 2, 1, {}}, Problem{7, 3, 1, {.temperature = 2}},
                      Problem{16, 10, 5, {.feature_weight = 3, .answer_weight = 0.5f}},
                      Problem{33, 50, 9, {.temperature = 4}},
                      Problem{20, 49, 2, {.feature_weight = 0}},
                      Problem{20, 97, 8, {.feature_weight = 2, .answer_weight = 0}}));

TEST(DistillLoss, EqualFeaturesLoseNothingAndHaveNoGradient) {
  const Problem p{12, 5, 3, {}};
  const DistillLoss loss(top_of(p), scale_of(p), p.options);
  const std::vector<float> features = random_values(36, 6);
  std::vector<float> gradient(36, 7);
  std::vector<DistillTerms> terms(3);
  loss(features, features, 1, terms, gradient);
  for (const DistillTerms& one : terms) {
    EXPECT_EQ(one.feature_error, 0);
    EXPECT_EQ(one.divergence, 0);
    EXPECT_TRUE(one.agrees);
  }
  EXPECT_THAT(gradient, ::testing::Each(0.0f));
}

TEST(DistillLoss, APictureHasTheSameBitsAloneAndAmongOthers) {
  const Problem p{40, 30, 6, {}};
  const DistillLoss loss(top_of(p), scale_of(p), p.options);
  const std::vector<float> teacher = random_values(240, 4), student = random_values(240, 5);
  std::vector<float> together(240), alone(40);
  std::vector<DistillTerms> terms(6), one(1);
  loss(teacher, student, 1, terms, together);
  for (std::size_t i = 0; i < 6; ++i) {
    loss(std::span(teacher).subspan(i * 40, 40), std::span(student).subspan(i * 40, 40), 1, one,
         alone);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                           together.begin() + static_cast<std::ptrdiff_t>(i * 40)));
    EXPECT_EQ(one[0].divergence, terms[i].divergence);
  }
}

TEST(DistillLoss, SureAnswersOverflowNothing) {
  const Problem p{2, 2, 1, {}};
  LinearTop top{.kernel = Tensor(Shape{2, 2}, std::vector{1000.f, -1000.f, -1000.f, 1000.f}),
                .bias = Tensor(Shape{2})};
  const DistillLoss loss(top, std::vector<float>{1, 1}, p.options);
  std::vector<float> gradient(2);
  std::vector<DistillTerms> terms(1);
  loss(std::vector<float>{1, 0}, std::vector<float>{0, 1}, 1, terms, gradient);
  EXPECT_FALSE(terms[0].agrees);
  EXPECT_TRUE(std::isfinite(terms[0].divergence));
  EXPECT_GT(terms[0].divergence, 1000);
  EXPECT_TRUE(std::isfinite(gradient[0]) && std::isfinite(gradient[1]));
}

TEST(DistillLoss, WithoutAPlaceForTheGradientGivesTheTermsAlone) {
  const Problem p{8, 4, 2, {}};
  const DistillLoss loss(top_of(p), scale_of(p), p.options);
  const std::vector<float> teacher = random_values(16, 4), student = random_values(16, 5);
  std::vector<float> gradient(16);
  std::vector<DistillTerms> with(2), without(2);
  loss(teacher, student, 1, with, gradient);
  loss(teacher, student, 1, without, {});
  EXPECT_EQ(with[1].divergence, without[1].divergence);
  EXPECT_EQ(with[1].feature_error, without[1].feature_error);
}

TEST(DistillLoss, RefusesScalesThatDoNotFit) {
  const Problem p{3, 2, 1, {}};
  const auto refused = [&](const std::vector<float>& scale, const char* what) {
    expect_error(ErrorKind::kUsage, HasSubstr(what),
                 [&] { DistillLoss(top_of(p), scale, p.options); });
  };
  refused({1, 1}, "2 scales for 3 channels");
  refused({1, 0, 1}, "scale is 0");
  refused({1, std::numeric_limits<float>::infinity(), 1}, "scale is inf");
}

}  // namespace
}  // namespace engraft
