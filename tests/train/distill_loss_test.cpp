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

namespace engraft::distill_loss_test {

using test::expect_error;
using test::random_values;
using ::testing::HasSubstr;

struct Problem {
  std::size_t features, classes, pictures;
  DistillLossOptions options{};
  std::vector<TopActivation> hidden{};  ///< of the layers before the last
  TopActivation answers = TopActivation::kSoftmax;
};

/// Hidden layers become wider, from 5 units on.
ClassifierTop top_of(const Problem& p) {
  ClassifierTop top;
  top.answers = p.answers;
  std::size_t in = p.features;
  for (std::size_t i = 0; i <= p.hidden.size(); ++i) {
    const bool last = i == p.hidden.size();
    const std::size_t out = last ? p.classes : 5 + 4 * i;
    const auto c = static_cast<std::int64_t>(in), k = static_cast<std::int64_t>(out);
    top.layers.push_back({.kernel = Tensor(Shape{c, k}, random_values(in * out, 1 + 10 * i)),
                          .bias = Tensor(Shape{k}, random_values(out, 2 + 10 * i)),
                          .activation = last ? TopActivation::kNone : p.hidden[i]});
    in = out;
  }
  return top;
}

std::vector<float> scale_of(const Problem& p) {
  std::vector<float> scale = random_values(p.features, 3);
  for (float& value : scale) value = 0.5f + value * value;
  return scale;
}

template <typename T>
void activate(TopActivation activation, std::vector<T>& y) {
  for (T& value : y) {
    const double real = loss::real_part(value);
    if (activation == TopActivation::kRelu && real < 0) value = T(0);
    if (activation == TopActivation::kRelu6) value = real < 0 ? T(0) : real > 6 ? T(6) : value;
    if (activation == TopActivation::kSigmoid) value = loss::sigmoid(value);
  }
  const std::vector<T> z = y;
  if (activation == TopActivation::kSoftmax) loss::softmax(std::span(z), std::span(y));
}

/// A picture's logits over the temperature.
template <typename T>
std::vector<T> logits_of(const Problem& p, std::vector<T> x) {
  for (const TopLayer& layer : top_of(p).layers) {
    const auto outputs = static_cast<std::size_t>(layer.bias.shape()[0]);
    std::vector<T> y(outputs);
    for (std::size_t k = 0; k < outputs; ++k) {
      y[k] = static_cast<double>(layer.bias.values()[k]);
      for (std::size_t c = 0; c < x.size(); ++c) {
        y[k] += x[c] * static_cast<double>(layer.kernel.values()[c * outputs + k]);
      }
    }
    activate(layer.activation, y);
    x = y;
  }
  for (T& z : x) z /= static_cast<double>(p.options.temperature);
  return x;
}

/// KL of a picture's answers as the header has it.
template <typename T>
T divergence_of(const Problem& p, const std::vector<T>& zt, const std::vector<T>& zs) {
  T kl(0);
  std::vector<T> pt = zt, ps = zs;
  activate(p.answers, pt);
  activate(p.answers, ps);
  for (std::size_t k = 0; k < p.classes; ++k) {
    kl += pt[k] * (std::log(pt[k]) - std::log(ps[k]));
    if (p.answers == TopActivation::kSoftmax) continue;
    kl += (1.0 - pt[k]) * (std::log(1.0 - pt[k]) - std::log(1.0 - ps[k]));
  }
  return kl;
}

/// The formula as it stands in the header, for one picture.
template <typename T>
T reference(const Problem& p, std::span<const float> teacher, const std::vector<T>& student,
            T* divergence = nullptr) {
  const std::vector<float> scale = scale_of(p);
  T error(0);
  for (std::size_t c = 0; c < p.features; ++c) {
    const T difference = student[c] - static_cast<double>(teacher[c]);
    error += difference * difference / static_cast<double>(scale[c]);
  }
  const auto t = static_cast<double>(p.options.temperature);
  const std::vector<T> taught(teacher.begin(), teacher.end());
  const T kl = divergence_of(p, logits_of(p, taught), logits_of(p, student));
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

constexpr auto kRelu = TopActivation::kRelu, kRelu6 = TopActivation::kRelu6,
               kSigmoid = TopActivation::kSigmoid, kSoftmax = TopActivation::kSoftmax,
               kNone = TopActivation::kNone;

INSTANTIATE_TEST_SUITE_P(
    DistillLoss, DistillLossTest,
    ::testing::Values(Problem{1, 2, 1}, Problem{7, 3, 1, {.temperature = 2}},
                      Problem{16, 10, 5, {.feature_weight = 3, .answer_weight = 0.5f}},
                      Problem{33, 50, 9, {.temperature = 4}},
                      Problem{20, 49, 2, {.feature_weight = 0}},
                      Problem{20, 97, 8, {.feature_weight = 2, .answer_weight = 0}}));

INSTANTIATE_TEST_SUITE_P(
    OfHiddenLayers, DistillLossTest,
    ::testing::Values(Problem{17, 3, 6, {.feature_weight = 0}, {kRelu}},
                      Problem{17, 3, 6, {.temperature = 3}, {kRelu6}},
                      Problem{17, 3, 2, {}, {kSigmoid}}, Problem{17, 3, 2, {}, {kSoftmax}},
                      Problem{17, 3, 2, {}, {kNone}},
                      Problem{40, 7, 4, {}, {kRelu, kSoftmax, kRelu6, kSigmoid}}));

INSTANTIATE_TEST_SUITE_P(
    OfClassesByThemselves, DistillLossTest,
    ::testing::Values(Problem{9, 4, 3, {}, {}, kSigmoid},
                      Problem{9, 4, 3, {.feature_weight = 0, .temperature = 2}, {kRelu}, kSigmoid},
                      Problem{9, 1, 3, {}, {}, kSigmoid}));

TEST(DistillLoss, ASingleLogitThatIsSquashedAnswersYesOrNo) {
  const Problem p{1, 1, 1, {}, {}, kSigmoid};
  ClassifierTop top = top_of(p);
  top.layers[0].kernel.values()[0] = 1;
  top.layers[0].bias.values()[0] = 0;
  const DistillLoss loss(top, std::vector<float>{1}, p.options);
  std::vector<DistillTerms> terms(2);
  loss(std::vector<float>{2, 2}, std::vector<float>{-1, 1}, 1, terms, {});
  EXPECT_FALSE(terms[0].agrees);
  EXPECT_TRUE(terms[1].agrees);
}

/// σ(z) is softmax(0, z): a head of two classes loses the same in both forms.
TEST(DistillLoss, TwoClassesLoseTheSameAsOneLogitThatIsSquashed) {
  const Problem one{6, 1, 4, {.temperature = 2}, {kRelu}, kSigmoid};
  const ClassifierTop squashed = top_of(one);
  ClassifierTop two = squashed;
  two.answers = kSoftmax;
  two.layers[1] = {.kernel = Tensor(Shape{5, 2}), .bias = Tensor(Shape{2})};
  for (std::size_t i = 0; i < 5; ++i) {
    two.layers[1].kernel.values()[2 * i + 1] = squashed.layers[1].kernel.values()[i];
  }
  two.layers[1].bias.values()[1] = squashed.layers[1].bias.values()[0];
  const std::vector<float> teacher = random_values(24, 4), student = random_values(24, 5);
  std::vector<float> gradient(24), other(24);
  std::vector<DistillTerms> terms(4), others(4);
  DistillLoss(squashed, scale_of(one), one.options)(teacher, student, 1, terms, gradient);
  DistillLoss(two, scale_of(one), one.options)(teacher, student, 1, others, other);
  for (std::size_t i = 0; i < 24; ++i) EXPECT_NEAR(gradient[i], other[i], 1e-5);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(terms[i].divergence, others[i].divergence, 1e-5);
    EXPECT_EQ(terms[i].agrees, others[i].agrees);
  }
}

class DistillLossAnyTop : public ::testing::TestWithParam<Problem> {};

INSTANTIATE_TEST_SUITE_P(DistillLoss, DistillLossAnyTop,
                         ::testing::Values(Problem{40, 30, 6}, Problem{40, 30, 6, {}, {kRelu}},
                                           Problem{40, 30, 6, {}, {kSoftmax}, kSigmoid}));

TEST_P(DistillLossAnyTop, EqualFeaturesLoseNothingAndHaveNoGradient) {
  const Problem& p = GetParam();
  const DistillLoss loss(top_of(p), scale_of(p), p.options);
  const std::vector<float> features = random_values(240, 6);
  std::vector<float> gradient(240, 7);
  std::vector<DistillTerms> terms(6);
  loss(features, features, 1, terms, gradient);
  for (const DistillTerms& one : terms) {
    EXPECT_EQ(one.feature_error, 0);
    EXPECT_EQ(one.divergence, 0);
    EXPECT_TRUE(one.agrees);
  }
  EXPECT_THAT(gradient, ::testing::Each(0.0f));
}

TEST_P(DistillLossAnyTop, APictureHasTheSameBitsAloneAndAmongOthers) {
  const Problem& p = GetParam();
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
  for (const TopActivation answers : {kSoftmax, kSigmoid}) {
    const Tensor kernel(Shape{2, 2}, std::vector{1000.f, -1000.f, -1000.f, 1000.f});
    const ClassifierTop top{.layers = {{.kernel = kernel, .bias = Tensor(Shape{2})}},
                            .answers = answers};
    const DistillLoss loss(top, std::vector<float>{1, 1}, p.options);
    std::vector<float> gradient(2);
    std::vector<DistillTerms> terms(1);
    loss(std::vector<float>{1, 0}, std::vector<float>{0, 1}, 1, terms, gradient);
    EXPECT_FALSE(terms[0].agrees);
    EXPECT_TRUE(std::isfinite(terms[0].divergence));
    EXPECT_GT(terms[0].divergence, 1000);
    EXPECT_TRUE(std::isfinite(gradient[0]) && std::isfinite(gradient[1]));
  }
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

TEST(DistillLoss, RefusesLayersThatDoNotFitEachOther) {
  const Problem p{3, 2, 1, {}, {kRelu}};
  ClassifierTop top = top_of(p);
  top.layers[1] = top.layers[0];
  expect_error(ErrorKind::kUsage, HasSubstr("3 inputs behind one of 5 outputs"),
               [&] { DistillLoss(top, scale_of(p), p.options); });
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

}  // namespace engraft::distill_loss_test
