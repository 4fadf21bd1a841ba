#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "engraft/engine/training/gradient_runner.h"
#include "support/random_values.h"
#include "support/random_weights.h"

namespace engraft::test {

/// A batch whose loss is Σ coefficient · output, so that its gradient is exact at the output.
struct GradientProblem {
  Graph graph;
  Weights weights{};
  std::vector<std::vector<float>> pictures{};
  std::vector<std::vector<float>> coefficients{};
  BatchNormMode mode = BatchNormMode::kFrozen;
  int micro_batch = 2;
  DropoutRng dropout{};
};

inline GradientProblem gradient_problem(Graph graph, std::size_t pictures, std::uint64_t seed = 1) {
  GradientProblem problem{.graph = std::move(graph)};
  problem.weights = random_weights(problem.graph, seed);
  const auto size = [&](ValueId v) {
    return static_cast<std::size_t>(problem.graph.shape(v).elements());
  };
  for (std::size_t i = 0; i < pictures; ++i) {
    problem.pictures.push_back(random_values(size(problem.graph.input()), seed + 100 + i));
    problem.coefficients.push_back(random_values(size(problem.graph.output()), seed + 200 + i));
  }
  return problem;
}

struct GradientResult {
  ParameterLayout parameters;
  std::vector<float> gradient;
  std::vector<float> statistics;  ///< after the batch
};

[[nodiscard]] inline GradientOptions options_of(const GradientProblem& problem) {
  return {.plan = {.micro_batch = problem.micro_batch, .batch_norm = problem.mode}};
}

/// Runs the problem's batch, or its first `pictures`, on a runner made with options_of().
inline GradientResult run_on(GradientRunner& runner, const GradientProblem& problem,
                             std::size_t pictures) {
  GradientResult result{.parameters = runner.parameters(),
                        .gradient = std::vector<float>(runner.parameters().size(), std::nanf("")),
                        .statistics = runner.statistics().gather(problem.weights)};
  const std::vector<float> parameters = runner.parameters().gather(problem.weights);
  runner.run(parameters, result.statistics,
             {.pictures = pictures,
              .fill =
                  [&](std::size_t i, std::span<float> input) {
                    std::ranges::copy(problem.pictures[i], input.begin());
                  },
              .loss =
                  [&](std::size_t i, std::span<const float>, std::span<float> d_output) {
                    std::ranges::copy(problem.coefficients[i], d_output.begin());
                  },
              .dropout = problem.dropout},
             result.gradient);
  return result;
}

inline GradientResult run_on(GradientRunner& runner, const GradientProblem& problem) {
  return run_on(runner, problem, problem.pictures.size());
}

inline GradientResult run_gradient(const GradientProblem& problem, int threads = 2) {
  ThreadPool pool(threads);
  GradientRunner runner(problem.graph, options_of(problem), pool);
  return run_on(runner, problem);
}

/// dL/dw by some values of a parameter, by the complex step: Im L(w + ih) / h.
[[nodiscard]] std::vector<double> complex_step(const GradientProblem& problem,
                                               const std::string& parameter,
                                               const std::set<std::size_t>& indices);

/// What the gradient is held against: exact derivatives by some values of each parameter.
struct ExactGradient {
  struct Slot {
    std::string parameter;
    std::size_t offset = 0;              ///< in the flat gradient
    std::vector<std::size_t> indices{};  ///< of the parameter's values that were worked out
    std::vector<double> derivatives{};   ///< by them
  };
  std::vector<Slot> slots;
};

/// By up to about `samples` values of each parameter, spread evenly, and by the one whose gradient
/// was found to be the largest.
inline ExactGradient exact_gradient(const GradientProblem& problem, const GradientResult& result,
                                    std::size_t samples) {
  ExactGradient exact;
  for (const auto& slot : result.parameters.slots()) {
    const auto begin = result.gradient.begin() + static_cast<std::ptrdiff_t>(slot.offset);
    const auto largest =
        std::max_element(begin, begin + static_cast<std::ptrdiff_t>(slot.size),
                         [](float a, float b) { return std::abs(a) < std::abs(b); });
    std::set<std::size_t> indices{static_cast<std::size_t>(largest - begin)};
    const std::size_t stride = std::max<std::size_t>(1, slot.size / samples);
    for (std::size_t i = 0; i < slot.size; i += stride) indices.insert(i);
    exact.slots.push_back({.parameter = slot.name,
                           .offset = slot.offset,
                           .indices = {indices.begin(), indices.end()},
                           .derivatives = complex_step(problem, slot.name, indices)});
  }
  return exact;
}

/// What float32's rounding may change in a parameter's gradient, of the largest value of it: the
/// most that the tests of this folder see is 2e-6, and a wrong factor of 1.001 is fifty times this.
inline constexpr double kGradientTolerance = 2e-5;
/// Beside it, of the largest value of all parameters: what is zero because large terms cancel is
/// off by the rounding of these. The most seen is 2e-7.
inline constexpr double kZeroTolerance = 5e-7;

/// One line for each value that is off by more than the tolerances; none where all is right.
inline std::vector<std::string> gradient_failures(const ExactGradient& exact,
                                                  std::span<const float> gradient) {
  const auto largest_of = [](const std::vector<double>& values) {
    double largest = 0;
    for (const double value : values) largest = std::max(largest, std::abs(value));
    return largest;
  };
  double all = 0;
  for (const auto& slot : exact.slots) all = std::max(all, largest_of(slot.derivatives));
  std::vector<std::string> failures;
  for (const auto& slot : exact.slots) {
    const double allowed = kGradientTolerance * largest_of(slot.derivatives) + kZeroTolerance * all;
    for (std::size_t i = 0; i < slot.indices.size(); ++i) {
      const double found = gradient[slot.offset + slot.indices[i]];
      const double error = std::abs(found - slot.derivatives[i]);
      if (error <= allowed) continue;
      failures.push_back(fmt::format("{}[{}]: {} instead of {}, {:.2g} allowed", slot.parameter,
                                     slot.indices[i], found, slot.derivatives[i], allowed));
    }
  }
  return failures;
}

inline void expect_right_gradients(const GradientProblem& problem, std::size_t samples = 1000) {
  const GradientResult result = run_gradient(problem);
  const ExactGradient exact = exact_gradient(problem, result, samples);
  for (const std::string& failure : gradient_failures(exact, result.gradient)) {
    ADD_FAILURE() << failure;
  }
}

}  // namespace engraft::test
