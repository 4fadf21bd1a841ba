// Convolutions and dense layers as oneDNN computes them, against the double reference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <ostream>

#include "engine/operation_harness.h"
#include "engraft/base/error.h"
#include "engraft/kernels/reference/convolution.h"
#include "engraft/kernels/reference/vector.h"
#include "support/random_values.h"

namespace engraft::convolution_operation_test {

using test::random_values;
using test::run_step;

struct ConvolutionCase {
  Op op = Op::kConv;
  Shape input;
  int channels = 0;  ///< out; a depthwise convolution keeps its input's
  int kernel = 1;
  int stride = 1;
  Padding padding{};
  int batch = 1;
  std::optional<Op> activation{};
  bool bias = true;
  bool residual = false;
};

std::ostream& operator<<(std::ostream& out, const ConvolutionCase& c) {
  return out << name_of(c.op) << ' ' << c.input.to_string() << " to " << c.channels << ", kernel "
             << c.kernel << ", stride " << c.stride << ", padding " << c.padding.top
             << c.padding.left << c.padding.bottom << c.padding.right << ", batch " << c.batch
             << (c.activation ? ", activation" : "") << (c.bias ? "" : ", no bias")
             << (c.residual ? ", residual" : "");
}

constexpr Padding kBefore0After1{.top = 0, .left = 0, .bottom = 1, .right = 1};
constexpr Padding kAround1{.top = 1, .left = 1, .bottom = 1, .right = 1};

double activate(std::optional<Op> op, double x) {
  if (op == Op::kRelu) return std::max(x, 0.0);
  if (op == Op::kRelu6) return std::min(std::max(x, 0.0), 6.0);
  if (op == Op::kSigmoid) return 1 / (1 + std::exp(-x));
  const double gate = std::min(std::max(x + 3, 0.0), 6.0) / 6;
  if (op == Op::kHardSigmoid) return gate;
  if (op == Op::kHardSwish) return x * gate;
  return x;
}

/// A step with random parameters and what it must give.
class ConvolutionFixture {
 public:
  explicit ConvolutionFixture(const ConvolutionCase& c)
      : spec_{.input = {.height = c.input[0], .width = c.input[1], .channels = c.input[2]},
              .window = {.height = c.kernel,
                         .width = c.kernel,
                         .stride = c.stride,
                         .top = c.padding.top,
                         .left = c.padding.left,
                         .bottom = c.padding.bottom,
                         .right = c.padding.right},
              .output_channels = c.op == Op::kDepthwiseConv ? c.input[2] : c.channels},
        case_(c),
        taps_(static_cast<std::size_t>(c.kernel) * static_cast<std::size_t>(c.kernel) *
              (c.op == Op::kDepthwiseConv ? 1 : static_cast<std::size_t>(c.input[2]))) {
    const auto out = static_cast<std::size_t>(spec_.output_channels);
    kernel_ = random_values(taps_ * out, 1);
    bias_ = random_values(c.bias ? out : 0, 2);
    const auto batch = static_cast<std::size_t>(c.batch);
    input_ = random_values(static_cast<std::size_t>(spec_.input.elements()) * batch, 3);
    const auto outputs = static_cast<std::size_t>(spec_.output().elements()) * batch;
    addend_ = random_values(c.residual ? outputs : 0, 4);
  }

  [[nodiscard]] std::vector<float> run(int threads = 1) const {
    const reference::Extents out = spec_.output();
    Step step{
        .op = case_.op,
        .name = "step",
        .input = 0,
        .output = 1,
        .parameters = {"kernel"},
        .attributes = {.kernel = case_.kernel, .stride = case_.stride, .padding = case_.padding},
        .activation = case_.activation};
    if (case_.residual) step.addend = 2;
    Weights weights;
    const Shape kernel_shape =
        case_.op == Op::kDepthwiseConv
            ? Shape{case_.kernel, case_.kernel, out.channels}
            : Shape{case_.kernel, case_.kernel, spec_.input.channels, out.channels};
    weights.set("kernel", Tensor(kernel_shape, kernel_));
    if (case_.bias) {
      step.parameters.emplace_back("bias");
      weights.set("bias", Tensor(Shape{out.channels}, bias_));
    }
    return run_step({.step = step,
                     .input = case_.input,
                     .output = {out.height, out.width, out.channels},
                     .batch = case_.batch,
                     .threads = threads},
                    weights, input_, addend_);
  }

  /// Before the activation; with f = |x|, the magnitude that rounding errors scale with.
  [[nodiscard]] std::vector<double> sums(const std::function<double(double)>& f) const {
    const auto in_double = [&](std::span<const float> values) {
      std::vector<double> result;
      for (const float value : values) result.push_back(f(value));
      return result;
    };
    const auto kernel = in_double(kernel_), bias = in_double(bias_), addend = in_double(addend_);
    const std::span<const double> w(kernel), b(bias);
    std::vector<double> all;
    const auto size = static_cast<std::size_t>(spec_.input.elements());
    for (std::size_t i = 0; i < input_.size(); i += size) {
      const auto picture = in_double(std::span(input_).subspan(i, size));
      const std::span<const double> x(picture);
      const auto y = case_.op == Op::kDepthwiseConv ? depthwise_convolution(spec_, x, w, b)
                                                    : convolution(spec_, x, w, b);
      all.insert(all.end(), y.begin(), y.end());
    }
    for (std::size_t i = 0; i < addend.size(); ++i) all[i] += addend[i];
    return all;
  }

  /// The bound for a sum of that many terms in any order: (terms + 1) · 2^−24 · Σ|terms|; two more
  /// for bias and addend. (Higham 2002, §3.1.)
  [[nodiscard]] double tolerance(double magnitude) const {
    return (static_cast<double>(taps_) + 4) * 0x1p-24 * magnitude;
  }

 private:
  reference::Convolution spec_;
  ConvolutionCase case_;
  std::size_t taps_;
  std::vector<float> kernel_, bias_, input_, addend_;
};

class ConvolutionOperation : public testing::TestWithParam<ConvolutionCase> {};

TEST_P(ConvolutionOperation, IsWithinRoundingOfTheReference) {
  const ConvolutionFixture fixture(GetParam());
  const auto y = fixture.run();
  const auto expected = fixture.sums([](double x) { return x; });
  const auto magnitude = fixture.sums([](double x) { return std::fabs(x); });
  ASSERT_EQ(y.size(), expected.size());
  // oneDNN's own exponential adds a few units in the last place to a sigmoid in (0, 1).
  // The hard activations round at 1 and at their result; hard swish is as steep as 1.5.
  const std::optional<Op> end = GetParam().activation;
  const bool hard = end == Op::kHardSigmoid || end == Op::kHardSwish;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double extra = end == Op::kSigmoid ? 1e-6
                         : hard              ? 3e-7 * (1 + std::fabs(expected[i]))
                                             : 0;
    ASSERT_NEAR(y[i], activate(end, expected[i]),
                (hard ? 1.5 : 1) * fixture.tolerance(magnitude[i]) + extra)
        << "at " << i;
  }
}

TEST_P(ConvolutionOperation, HasTheSameBitsForAnyNumberOfThreads) {
  const ConvolutionFixture fixture(GetParam());
  const auto y = fixture.run(1);
  for (const int threads : {2, 3}) {
    const auto other = fixture.run(threads);
    EXPECT_EQ(0, std::memcmp(y.data(), other.data(), y.size() * sizeof(float))) << threads;
  }
}

const ConvolutionCase kPointwise[] = {
    {.input = {1, 1, 1}, .channels = 1},
    {.input = {5, 7, 3}, .channels = 5, .batch = 2},
    {.input = {7, 7, 17}, .channels = 33, .batch = 3, .activation = Op::kRelu6},
    {.input = {14, 14, 24}, .channels = 144, .activation = Op::kRelu6},
    {.input = {14, 14, 144}, .channels = 24, .batch = 2, .residual = true},
    {.input = {9, 5, 8}, .channels = 48, .batch = 4, .activation = Op::kRelu, .bias = false},
    {.input = {3, 3, 40}, .channels = 8, .activation = Op::kSigmoid, .residual = true},
    {.input = {5, 6, 16}, .channels = 72, .batch = 2, .activation = Op::kHardSwish},
    {.input = {1, 1, 72}, .channels = 24, .activation = Op::kHardSigmoid},
    {.input = {4, 3, 11}, .channels = 7, .activation = Op::kHardSwish, .residual = true},
    {.input = {4, 3, 11}, .channels = 7, .activation = Op::kHardSigmoid, .residual = true},
    {.input = {6, 5, 20}, .channels = 12, .stride = 2},
    {.input = {7, 7, 160}, .channels = 320, .batch = 4},
};
const ConvolutionCase kSquare[] = {
    {.input = {8, 8, 3}, .channels = 32, .kernel = 3, .stride = 2, .padding = kBefore0After1},
    {.input = {9, 7, 3}, .channels = 16, .kernel = 3, .stride = 2, .padding = kAround1, .batch = 3},
    {.input = {11, 13, 5},
     .channels = 7,
     .kernel = 3,
     .padding = kAround1,
     .activation = Op::kRelu6},
    {.input = {10, 10, 6}, .channels = 10, .kernel = 5, .stride = 3, .padding = {2, 1, 0, 2}},
    {.input = {6, 6, 4}, .channels = 4, .kernel = 2},
    {.input = {9, 9, 3},
     .channels = 16,
     .kernel = 3,
     .stride = 2,
     .padding = kBefore0After1,
     .activation = Op::kHardSwish},
    {.input = {5, 7, 6},
     .channels = 9,
     .kernel = 3,
     .padding = kAround1,
     .activation = Op::kHardSigmoid},
    {.input = {5, 5, 19}, .channels = 19, .kernel = 3, .padding = kAround1, .residual = true},
};
const ConvolutionCase kDepthwise[] = {
    {.op = Op::kDepthwiseConv, .input = {1, 1, 1}, .kernel = 3, .padding = kAround1},
    {.op = Op::kDepthwiseConv,
     .input = {8, 8, 32},
     .kernel = 3,
     .stride = 2,
     .padding = kBefore0After1,
     .batch = 2,
     .activation = Op::kRelu6},
    {.op = Op::kDepthwiseConv, .input = {7, 9, 24}, .kernel = 3, .padding = kAround1, .batch = 3},
    {.op = Op::kDepthwiseConv,
     .input = {13, 5, 17},
     .kernel = 3,
     .stride = 2,
     .padding = kAround1,
     .activation = Op::kRelu,
     .bias = false},
    {.op = Op::kDepthwiseConv, .input = {6, 10, 5}, .kernel = 5, .padding = {2, 2, 2, 2}},
    {.op = Op::kDepthwiseConv,
     .input = {9, 8, 40},
     .kernel = 5,
     .padding = {2, 2, 2, 2},
     .batch = 2,
     .activation = Op::kHardSwish},
    {.op = Op::kDepthwiseConv,
     .input = {7, 5, 19},
     .kernel = 3,
     .padding = kAround1,
     .activation = Op::kHardSigmoid},
    {.op = Op::kDepthwiseConv, .input = {7, 7, 576}, .kernel = 3, .padding = kAround1, .batch = 4},
    {.op = Op::kDepthwiseConv,
     .input = {6, 6, 8},
     .kernel = 3,
     .padding = kAround1,
     .residual = true},
};
INSTANTIATE_TEST_SUITE_P(Pointwise, ConvolutionOperation, testing::ValuesIn(kPointwise));
INSTANTIATE_TEST_SUITE_P(Square, ConvolutionOperation, testing::ValuesIn(kSquare));
INSTANTIATE_TEST_SUITE_P(Depthwise, ConvolutionOperation, testing::ValuesIn(kDepthwise));

struct DenseCase {
  int inputs = 1, outputs = 1, batch = 1;
  bool bias = true;
};

std::ostream& operator<<(std::ostream& out, const DenseCase& c) {
  return out << c.inputs << " to " << c.outputs << ", batch " << c.batch;
}

class DenseOperation : public testing::TestWithParam<DenseCase> {};

TEST_P(DenseOperation, IsWithinRoundingOfTheReferenceForAnyNumberOfThreads) {
  const DenseCase& c = GetParam();
  const auto in = static_cast<std::size_t>(c.inputs), out = static_cast<std::size_t>(c.outputs);
  const auto w = random_values(in * out, 5), b = random_values(c.bias ? out : 0, 6);
  const auto x = random_values(in * static_cast<std::size_t>(c.batch), 7);
  Weights weights;
  weights.set("kernel", Tensor(Shape{c.inputs, c.outputs}, w));
  Step step{.op = Op::kDense, .name = "dense", .parameters = {"kernel"}};
  if (c.bias) {
    step.parameters.emplace_back("bias");
    weights.set("bias", Tensor(Shape{c.outputs}, b));
  }
  test::SingleStep single{
      .step = step, .input = {c.inputs}, .output = {c.outputs}, .batch = c.batch};
  const auto y = run_step(single, weights, x);
  const std::vector<double> wide_w(w.begin(), w.end()), wide_b(b.begin(), b.end());
  for (std::size_t i = 0; i < static_cast<std::size_t>(c.batch); ++i) {
    const std::vector<double> wide_x(x.begin() + static_cast<std::ptrdiff_t>(i * in),
                                     x.begin() + static_cast<std::ptrdiff_t>((i + 1) * in));
    const auto expected = reference::dense(std::span(wide_x), std::span(wide_w), std::span(wide_b));
    for (std::size_t o = 0; o < out; ++o) {
      // x and w of deviation 1: the rounding errors of n products add up like √n, n at the worst.
      EXPECT_NEAR(y[i * out + o], expected[o], 0x1p-22 * (static_cast<double>(c.inputs) + 8));
    }
  }
  for (const int threads : {2, 3}) {
    single.threads = threads;
    EXPECT_TRUE(run_step(single, weights, x) == y) << threads;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, DenseOperation,
                         testing::Values(DenseCase{1, 1, 1}, DenseCase{3, 2, 5},
                                         DenseCase{17, 33, 2, false}, DenseCase{1280, 1000, 1},
                                         DenseCase{1280, 1000, 4}, DenseCase{1280, 2, 3},
                                         DenseCase{256, 5, 1}, DenseCase{1792, 1001, 1}));

TEST(ConvolutionOperation, WhatOneDnnCannotDoIsAnErrorThatNamesTheStep) {
  const Step step{.op = Op::kConv,
                  .name = "odd_one",
                  .parameters = {"kernel"},
                  .attributes = {.kernel = 3, .stride = 0}};
  try {
    static_cast<void>(
        make_operation({.step = step, .input = {8, 8, 3}, .output = {8, 8, 4}, .batch = 1}));
    FAIL() << "no error was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_THAT(error.what(), testing::HasSubstr("odd_one"));
  }
}

}  // namespace engraft::convolution_operation_test
