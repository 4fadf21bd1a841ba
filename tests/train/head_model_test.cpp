#include "engraft/train/head_model.h"

#include <gtest/gtest.h>

#include <complex>

#include "engraft/base/rng.h"

namespace engraft::head_model_test {

using Complex = std::complex<double>;
constexpr double kStep = 1e-100;

struct Case {
  HeadKind kind;
  LossKind loss;
  int classes;
  bool dropout;
};

/// A head, a batch and its labels, all small and random.
class Problem {
 public:
  explicit Problem(const Case& c) : spec_{.kind = c.loss, .label_smoothing = 0.1f} {
    const std::size_t in = 9, hidden = 5, rows = 6;
    const bool one_unit = c.loss == LossKind::kSigmoid && c.classes == 2;
    const std::size_t out = one_unit ? 1 : static_cast<std::size_t>(c.classes);
    if (c.kind == HeadKind::kMlp) layers_.emplace_back(DenseShape{.in = in, .out = hidden});
    layers_.emplace_back(DenseShape{.in = c.kind == HeadKind::kMlp ? hidden : in, .out = out});
    for (auto& layer : layers_) {
      fill(layer.kernel);
      fill(layer.bias);
    }
    x_.resize(rows * in);
    fill(x_);
    if (c.kind == HeadKind::kMlp && c.dropout) {
      for (std::size_t i = 0; i < rows * hidden; ++i) mask_.emplace_back(i % 3 == 0 ? 0.0 : 1.5);
    }
    for (std::size_t b = 0; b < rows; ++b) {
      labels_.push_back(static_cast<int>(b) % c.classes);
      weights_.push_back(0.25f * static_cast<float>(b + 1));
    }
  }

  Complex loss() {
    head_forward<Complex>(layers_, x_, mask_, activations_);
    return head_loss<Complex>(spec_, labels_, weights_, activations_);
  }

  HeadLayers<Complex> gradients() {
    HeadLayers<Complex> result = layers_;
    (void)loss();
    head_backward<Complex>(layers_, x_, mask_, activations_, result);
    return result;
  }

  HeadLayers<Complex> layers_;

 private:
  void fill(std::vector<Complex>& values) {
    for (Complex& value : values) value = static_cast<double>(rng_.normal());
  }

  Rng rng_{5};
  LossSpec spec_;
  std::vector<Complex> x_, mask_;
  std::vector<int> labels_;
  std::vector<float> weights_;
  HeadActivations<Complex> activations_;
};

void expect_slopes(Problem& problem, std::vector<Complex>& parameters,
                   const std::vector<Complex>& gradient) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i] += Complex(0, kStep);
    const double slope = problem.loss().imag() / kStep;
    parameters[i] -= Complex(0, kStep);
    ASSERT_NEAR(gradient[i].real(), slope, 1e-12) << "parameter " << i;
  }
}

TEST(HeadModel, GradientsAreThoseOfTheLossInEveryParameter) {
  for (const HeadKind kind : {HeadKind::kLinear, HeadKind::kMlp}) {
    for (const LossKind loss : {LossKind::kSoftmax, LossKind::kSigmoid}) {
      for (const int classes : {2, 4}) {
        for (const bool dropout : {false, true}) {
          Problem problem({kind, loss, classes, dropout});
          const HeadLayers<Complex> gradients = problem.gradients();
          for (std::size_t l = 0; l < gradients.size(); ++l) {
            expect_slopes(problem, problem.layers_[l].kernel, gradients[l].kernel);
            expect_slopes(problem, problem.layers_[l].bias, gradients[l].bias);
          }
        }
      }
    }
  }
}

TEST(HeadModel, AWeightScalesItsPictureAndNoOther) {
  HeadActivations<double> activations;
  activations.logits = {0.5, -0.5, 2.0, 1.0};
  const std::vector<int> labels{0, 1};
  const std::vector<float> both{1, 1}, first{1, 0}, second{0, 1};
  const double sum = head_loss<double>({}, labels, both, activations);
  const double a = head_loss<double>({}, labels, first, activations);
  EXPECT_EQ(activations.d_logits[2], 0);
  const double b = head_loss<double>({}, labels, second, activations);
  EXPECT_EQ(activations.d_logits[0], 0);
  EXPECT_NEAR(sum, a + b, 1e-14);
}

}  // namespace engraft::head_model_test
