#include <gmock/gmock.h>

#include <mutex>

#include "engraft/kernels/dropout.h"
#include "gradient_harness.h"
#include "gradient_networks.h"

namespace engraft::dropout_gradient_test {

using test::GradientProblem;
using test::GradientResult;

constexpr float kRate = 0.25f;
constexpr std::size_t kHidden = 40;

Rng rng_of(std::size_t picture) {
  return Rng(9, 2, picture);
}

/// conv → pool → (dropout →) dense. Dropping a value of the dense layer's input is dropping a row
/// of its kernel.
Graph network(bool drops) {
  GraphBuilder g({4, 4, 3});
  ValueId x = g.conv("conv", g.input(), {.channels = kHidden, .kernel = 3});
  x = g.apply(Op::kGlobalAveragePool, "pool", g.apply(Op::kRelu, "relu", x));
  if (drops) x = g.dropout("dropout", x, kRate);
  return g.finish(g.dense("dense", x, 3));
}

GradientProblem problem(bool drops, std::size_t pictures = 5) {
  GradientProblem made = test::gradient_problem(network(drops), pictures);
  if (drops) made.dropout = [](std::size_t i, int) { return rng_of(i); };
  return made;
}

std::vector<float> mask_of(std::size_t picture) {
  std::vector<float> mask(kHidden);
  draw_dropout_mask(rng_of(picture), kRate, mask);
  return mask;
}

std::span<float> gradient_of(GradientResult& result, const std::string& name) {
  return result.parameters.of(std::span(result.gradient), name);
}

/// The gradient of picture i alone, with its mask in the rows of the dense kernel; of the kernel
/// as it is, the gradient is by the chain rule that of those rows, times the mask.
test::ExactGradient masked_by_hand(const GradientProblem& given, const GradientResult& result,
                                   std::size_t i) {
  GradientProblem one = given;
  one.pictures = {given.pictures[i]};
  one.coefficients = {given.coefficients[i]};
  const std::vector<float> mask = mask_of(i);
  Tensor kernel = given.weights.at("dense/kernel");
  for (std::size_t k = 0; k < kernel.size(); ++k) kernel.data()[k] *= mask[k / 3];
  one.weights.set("dense/kernel", std::move(kernel));
  test::ExactGradient exact = test::exact_gradient(one, result, 1000);
  for (auto& slot : exact.slots) {
    if (slot.parameter != "dense/kernel") continue;
    for (std::size_t k = 0; k < slot.indices.size(); ++k) {
      slot.derivatives[k] *= double{mask[slot.indices[k] / 3]};
    }
  }
  return exact;
}

TEST(Dropout, HasTheSameMaskForwardAndBackward) {
  const GradientProblem dropping = problem(true);
  const GradientResult result = test::run_gradient(dropping);
  GradientProblem plain = problem(false);
  plain.weights = dropping.weights;
  test::ExactGradient sum = masked_by_hand(plain, result, 0);
  for (std::size_t i = 1; i < plain.pictures.size(); ++i) {
    const test::ExactGradient one = masked_by_hand(plain, result, i);
    for (std::size_t s = 0; s < sum.slots.size(); ++s) {
      for (std::size_t k = 0; k < sum.slots[s].derivatives.size(); ++k) {
        sum.slots[s].derivatives[k] += one.slots[s].derivatives[k];
      }
    }
  }
  EXPECT_THAT(test::gradient_failures(sum, result.gradient), testing::IsEmpty());
}

TEST(Dropout, IsTheIdentityWithoutRandomNumbers) {
  GradientProblem dropping = problem(true);
  dropping.dropout = nullptr;
  GradientProblem plain = problem(false);
  plain.weights = dropping.weights;
  EXPECT_EQ(test::run_gradient(dropping).gradient, test::run_gradient(plain).gradient);
}

/// The output of each picture, as its loss gets to see it.
std::vector<std::vector<float>> outputs(const GradientProblem& given, int threads = 2) {
  ThreadPool pool(threads);
  GradientRunner runner(given.graph, options_of(given), pool);
  std::vector<float> statistics, gradient(runner.parameters().size());
  std::vector<std::vector<float>> seen(given.pictures.size());
  runner.run(
      runner.parameters().gather(given.weights), statistics,
      {.pictures = given.pictures.size(),
       .fill = [&](std::size_t i,
                   std::span<float> input) { std::ranges::copy(given.pictures[i], input.begin()); },
       .loss = [&](std::size_t i, std::span<const float> output,
                   std::span<float>) { seen[i].assign(output.begin(), output.end()); },
       .dropout = given.dropout},
      gradient);
  return seen;
}

TEST(Dropout, DependsOnThePicturesRandomNumbersAlone) {
  GradientProblem given = problem(true, 6);
  for (auto& picture : given.pictures) picture = given.pictures[0];
  const auto apart = outputs(given);
  for (std::size_t i = 1; i < apart.size(); ++i) EXPECT_NE(apart[i], apart[0]) << i;

  // The same numbers at every place of every micro-batch: the same output.
  given.dropout = [](std::size_t, int) { return rng_of(3); };
  for (const auto& output : outputs(given)) EXPECT_EQ(output, apart[3]);

  // Another order: each picture takes its mask along.
  given.dropout = [](std::size_t i, int) { return rng_of(5 - i); };
  const auto turned = outputs(given, 3);
  for (std::size_t i = 0; i < apart.size(); ++i) EXPECT_EQ(turned[i], apart[5 - i]) << i;
}

TEST(Dropout, AsksOnlyForRandomNumbersOfPicturesOfTheBatch) {
  GradientProblem given = problem(true, 5);
  given.micro_batch = 4;
  std::mutex mutex;
  std::vector<std::size_t> asked;
  given.dropout = [&](std::size_t i, int) {
    const std::lock_guard lock(mutex);
    asked.push_back(i);
    return rng_of(i);
  };
  static_cast<void>(test::run_gradient(given));
  EXPECT_THAT(asked, testing::UnorderedElementsAre(0, 1, 2, 3, 4));
}

class DropoutRate : public testing::TestWithParam<float> {};

/// Gradients of the biases below, one for each value, show which were dropped.
TEST_P(DropoutRate, IsMetAndWhatIsKeptMakesUpForIt) {
  constexpr std::int64_t kValues = 4000;
  constexpr std::size_t kPictures = 10;
  const float rate = GetParam();
  GraphBuilder g({2});
  GradientProblem given = test::gradient_problem(
      g.finish(g.dropout("dropout", g.dense("dense", g.input(), kValues), rate)), kPictures);
  for (auto& coefficients : given.coefficients) coefficients.assign(kValues, 1.0f);
  std::size_t dropped = 0;
  for (std::size_t picture = 0; picture < kPictures; ++picture) {
    given.dropout = [&](std::size_t, int) { return rng_of(picture); };
    GradientProblem one = given;
    one.pictures.resize(1);
    GradientResult result = test::run_gradient(one);
    for (const float d : gradient_of(result, "dense/bias")) {
      dropped += d == 0 ? 1 : 0;
      EXPECT_TRUE(d == 0 || d == 1 / (1 - rate)) << d;
    }
  }
  const double n = static_cast<double>(kValues * kPictures);
  const double deviation = std::sqrt(double{rate} * (1 - double{rate}) / n);
  EXPECT_NEAR(static_cast<double>(dropped) / n, rate, 4 * deviation);
}

INSTANTIATE_TEST_SUITE_P(Rates, DropoutRate, testing::Values(0.0f, 0.1f, 0.2f, 0.5f, 0.9f));

}  // namespace engraft::dropout_gradient_test
