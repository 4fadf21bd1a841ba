#include "engraft/graph/batch_norm_folding.h"

#include <gmock/gmock.h>

#include <cmath>
#include <complex>
#include <limits>

#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/surgery.h"
#include "interpreter.h"
#include "support/errors.h"
#include "support/random_values.h"
#include "support/random_weights.h"

namespace engraft::batch_norm_folding_test {

using test::expect_error;
using test::random_values;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr float kEpsilon = 1e-3f;
constexpr std::size_t kChannels = 5;
constexpr std::size_t kRows = 12;

/// A folding's parameters; bias may be empty.
struct Parameters {
  std::vector<float> kernel = random_values(kRows * kChannels, 1);
  std::vector<float> bias = random_values(kChannels, 2);
  std::vector<float> gamma = random_values(kChannels, 3);
  std::vector<float> beta = random_values(kChannels, 4);
  std::vector<float> mean = random_values(kChannels, 5);
  std::vector<float> variance = random_values(kChannels, 6);

  Parameters() {
    for (float& v : variance) v = v * v + 0.01f;
  }
  [[nodiscard]] FoldingValues values() const {
    return {.kernel = kernel,
            .bias = bias,
            .gamma = gamma,
            .beta = beta,
            .mean = mean,
            .variance = variance,
            .epsilon = kEpsilon};
  }
};

struct Folded {
  std::vector<float> kernel, bias;
};

Folded fold(const Parameters& p) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Folded folded{.kernel = std::vector<float>(p.kernel.size(), nan),
                .bias = std::vector<float>(kChannels, nan)};
  fold_values(p.values(), folded.kernel, folded.bias);
  return folded;
}

TEST(FoldValues, AreTheFormulas) {
  for (const bool has_bias : {true, false}) {
    Parameters p;
    if (!has_bias) p.bias.clear();
    const Folded folded = fold(p);
    for (std::size_t c = 0; c < kChannels; ++c) {
      const double s = p.gamma[c] / std::sqrt(double{p.variance[c]} + double{kEpsilon});
      const double bias = has_bias ? double{p.bias[c]} : 0;
      EXPECT_FLOAT_EQ(folded.bias[c], static_cast<float>(p.beta[c] + (bias - p.mean[c]) * s));
      for (std::size_t row = 0; row < kRows; ++row) {
        const std::size_t i = row * kChannels + c;
        EXPECT_FLOAT_EQ(folded.kernel[i], static_cast<float>(p.kernel[i] * s));
      }
    }
  }
}

TEST(FoldValues, AVarianceThatCannotBeIsRefusedByItsChannel) {
  for (const float variance : {-1.0f, -kEpsilon, std::numeric_limits<float>::quiet_NaN(),
                               -std::numeric_limits<float>::infinity()}) {
    Parameters p;
    p.variance[3] = variance;
    expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("channel 3"), HasSubstr("not positive")),
                 [&] { static_cast<void>(fold(p)); });
  }
  Parameters p;
  p.variance[3] = 0;
  EXPECT_NO_THROW(static_cast<void>(fold(p)));
}

/// A function of the folded parameters whose gradient by them is the coefficients, in double.
struct Linear {
  std::vector<float> kernel = random_values(kRows * kChannels, 7);
  std::vector<float> bias = random_values(kChannels, 8);

  /// With the imaginary part h on one value it is Im L / h; here by the formulas of fold_values.
  template <typename T>
  [[nodiscard]] T of(const std::vector<T>& k, const std::vector<T>& b, const std::vector<T>& gamma,
                     const std::vector<T>& beta, const Parameters& p) const {
    T sum(0);
    for (std::size_t c = 0; c < kChannels; ++c) {
      const T s = gamma[c] / std::sqrt(double{p.variance[c]} + double{kEpsilon});
      const T own = b.empty() ? T(0) : b[c];
      sum += double{bias[c]} * (beta[c] + (own - double{p.mean[c]}) * s);
      for (std::size_t row = 0; row < kRows; ++row) {
        const std::size_t i = row * kChannels + c;
        sum += double{kernel[i]} * k[i] * s;
      }
    }
    return sum;
  }
};

using Complex = std::complex<double>;

std::vector<Complex> complex(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

struct Gradients {
  std::vector<float> kernel = std::vector<float>(kRows * kChannels);
  std::vector<float> bias = std::vector<float>(kChannels);
  std::vector<float> gamma = std::vector<float>(kChannels);
  std::vector<float> beta = std::vector<float>(kChannels);
};

Gradients unfold(const Parameters& p, const Linear& loss, Gradients start = {}) {
  if (p.bias.empty()) start.bias.clear();
  unfold_gradients(
      p.values(), loss.kernel, loss.bias,
      {.kernel = start.kernel, .bias = start.bias, .gamma = start.gamma, .beta = start.beta});
  return start;
}

TEST(UnfoldGradients, AreTheComplexSteps) {
  const Linear loss;
  for (const bool has_bias : {true, false}) {
    Parameters p;
    if (!has_bias) p.bias.clear();
    const Gradients found = unfold(p, loss);
    auto k = complex(p.kernel), b = complex(p.bias), g = complex(p.gamma), e = complex(p.beta);
    const auto check = [&](std::vector<Complex>& at, const std::vector<float>& gradient) {
      constexpr double kStep = 1e-100;
      for (std::size_t i = 0; i < at.size(); ++i) {
        const Complex kept = at[i];
        at[i] += Complex(0, kStep);
        const double exact = loss.of(k, b, g, e, p).imag() / kStep;
        at[i] = kept;
        EXPECT_NEAR(gradient[i], exact, 1e-6 * std::max(1.0, std::abs(exact))) << i;
      }
    };
    check(k, found.kernel);
    check(b, found.bias);
    check(g, found.gamma);
    check(e, found.beta);
  }
}

TEST(UnfoldGradients, AreAddedToWhatIsThere) {
  const Parameters p;
  const Linear loss;
  Gradients start;
  for (auto* values : {&start.kernel, &start.bias, &start.gamma, &start.beta}) {
    std::ranges::fill(*values, 100.0f);
  }
  const Gradients plain = unfold(p, loss), added = unfold(p, loss, start);
  for (std::size_t i = 0; i < plain.kernel.size(); ++i) {
    EXPECT_FLOAT_EQ(added.kernel[i], 100 + plain.kernel[i]);
  }
  for (std::size_t c = 0; c < kChannels; ++c) {
    EXPECT_FLOAT_EQ(added.bias[c], 100 + plain.bias[c]);
    EXPECT_FLOAT_EQ(added.gamma[c], 100 + plain.gamma[c]);
    EXPECT_FLOAT_EQ(added.beta[c], 100 + plain.beta[c]);
  }
}

TEST(UnfoldGradients, AGammaOfZeroStillHasAGradient) {
  Parameters p;
  p.gamma.assign(kChannels, 0.0f);
  const Gradients found = unfold(p, Linear());
  EXPECT_THAT(found.kernel, Each(0.0f));
  EXPECT_THAT(found.gamma, Each(testing::Not(0.0f)));
}

std::vector<double> run(const Graph& graph, const Weights& weights) {
  const auto size = static_cast<std::size_t>(graph.shape(graph.input()).elements());
  return test::Interpreter(graph, weights).run(random_values<double>(size, 9));
}

/// The folded graph's weights, by fold_values.
Weights folded_weights(const FoldedGraph& folded, const Weights& weights) {
  Weights result = weights;
  for (const Folding& f : folded.foldings) {
    const auto values = [&](const std::string& name) -> std::span<const float> {
      if (name.empty()) return {};
      return weights.at(name).values();
    };
    Tensor kernel(weights.at(f.kernel).shape()), bias(weights.at(f.gamma).shape());
    fold_values({.kernel = values(f.kernel),
                 .bias = values(f.bias),
                 .gamma = values(f.gamma),
                 .beta = values(f.beta),
                 .mean = values(f.mean),
                 .variance = values(f.variance),
                 .epsilon = f.epsilon},
                kernel.values(), bias.values());
    result.set(f.folded_kernel, std::move(kernel));
    result.set(f.folded_bias, std::move(bias));
  }
  return result;
}

void expect_same_function(const Graph& graph, std::size_t foldings) {
  const Weights weights = test::random_weights(graph);
  for (const DropoutNodes dropout : {DropoutNodes::kKeep, DropoutNodes::kRemove}) {
    const FoldedGraph folded = fold_batch_norm(graph, dropout);
    EXPECT_THAT(folded.foldings, SizeIs(foldings));
    const auto plain = run(graph, weights);
    const auto other = run(folded.graph, folded_weights(folded, weights));
    ASSERT_EQ(plain.size(), other.size());
    double largest = 0;
    for (const double value : plain) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < plain.size(); ++i) {
      // Folded parameters are rounded to float32, once a layer.
      EXPECT_NEAR(other[i], plain[i], 1e-5 * largest) << i;
    }
  }
}

TEST(FoldedGraph, OfMobileNetV2IsTheSameFunction) {
  expect_same_function(mobilenet_v2({.width = 0.1f, .image_size = 32, .classes = 4}), 52);
}

TEST(FoldedGraph, OfDepthwiseDenseAndBiasedLayersIsTheSameFunction) {
  GraphBuilder g({5, 5, 3});
  ValueId x = g.conv("conv", g.input(), {.channels = 4, .kernel = 3, .bias = Bias::kAdded});
  x = g.apply(Op::kRelu, "relu", g.batch_norm("bn1", x, kEpsilon));
  x = g.depthwise_conv("depthwise", x, {.kernel = 3, .stride = 2, .bias = Bias::kAdded});
  x = g.apply(Op::kGlobalAveragePool, "pool", g.batch_norm("bn2", x, kEpsilon));
  x = g.dropout("drop", x, 0.5f);
  expect_same_function(g.finish(g.batch_norm("bn3", g.dense("dense", x, 6), kEpsilon)), 3);
}

TEST(FoldedGraph, NormsThatCannotBeFoldedStay) {
  GraphBuilder g({4, 4, 3});
  ValueId x = g.batch_norm("on_input", g.input(), kEpsilon);
  x = g.conv("read_twice", x, {.channels = 3});
  const ValueId y = g.batch_norm("of_two_readers", x, kEpsilon);
  x = g.batch_norm("behind_another", g.batch_norm("of_an_addition", g.add("add", x, y), kEpsilon),
                   kEpsilon);
  x = g.dropout("drop", g.conv("dropped", x, {.channels = 2}), 0.5f);
  const Graph graph = g.finish(g.batch_norm("behind_dropout", x, kEpsilon));
  expect_same_function(graph, 0);
}

TEST(FoldedGraph, AConvolutionThatIsTheOutputKeepsItsValue) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.conv("conv", g.input(), {.channels = 3});
  g.batch_norm("bn", x, kEpsilon);
  expect_same_function(g.finish(x), 0);
}

TEST(FoldedGraph, DropoutIsKeptOrGoesAsAsked) {
  GraphBuilder g({4});
  const Graph graph = g.finish(g.dropout("drop", g.dense("dense", g.input(), 3), 0.5f));
  EXPECT_EQ(fold_batch_norm(graph, DropoutNodes::kKeep).graph, graph);
  EXPECT_FALSE(fold_batch_norm(graph, DropoutNodes::kRemove).graph.contains("drop"));
}

/// Two layers of one kernel, one of them with a batch norm; and a parameter that has the very name.
TEST(FoldedGraph, FoldedParametersHaveNamesOfTheirOwn) {
  Graph graph(Shape{2, 2, 3});
  const auto conv = [&](std::string name, ValueId x, std::string kernel) {
    return graph.append({.op = Op::kConv, .name = name, .inputs = {x}, .parameters = {kernel}},
                        {2, 2, 3});
  };
  const ValueId a = conv("a", 0, "shared");
  const ValueId bn = graph.append({.op = Op::kBatchNorm,
                                   .name = "bn",
                                   .inputs = {a},
                                   .parameters = {"g/gamma", "b", "m", "v/moving_variance"},
                                   .attributes = {.epsilon = kEpsilon}},
                                  {2, 2, 3});
  graph.set_output(conv("c", conv("b", bn, "shared"), "a/folded_kernel"));
  const FoldedGraph folded = fold_batch_norm(graph, DropoutNodes::kKeep);
  ASSERT_THAT(folded.foldings, SizeIs(1));
  EXPECT_EQ(folded.foldings[0].kernel, "shared");
  EXPECT_EQ(folded.foldings[0].bias, "");
  EXPECT_NE(folded.foldings[0].folded_kernel, "a/folded_kernel");
  expect_same_function(graph, 1);
}

TEST(FoldBatchNorm, ADamagedVarianceIsNamedWithItsParameterAndChannel) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.batch_norm("bn", g.conv("conv", g.input(), {.channels = 3}), kEpsilon);
  Network network{.graph = g.finish(x), .weights = {}};
  network.weights = test::random_weights(network.graph);
  network.weights.set("bn/moving_variance", Tensor(Shape{3}, std::vector<float>{1, -1, 1}));
  expect_error(ErrorKind::kBadInput,
               AllOf(HasSubstr("parameter bn/moving_variance"), HasSubstr("channel 1")),
               [&] { static_cast<void>(fold_batch_norm(network)); });
}

}  // namespace engraft::batch_norm_folding_test
