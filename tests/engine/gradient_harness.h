#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <string>
#include <vector>

#include "engraft/engine/training/gradient_runner.h"
#include "engraft/engine/training/reference_batch.h"
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

inline GradientResult run_gradient(const GradientProblem& problem, int threads = 2) {
  ThreadPool pool(threads);
  GradientRunner runner(problem.graph,
                        {.plan = {.micro_batch = problem.micro_batch, .batch_norm = problem.mode}},
                        pool);
  GradientResult result{.parameters = runner.parameters(),
                        .gradient = std::vector<float>(runner.parameters().size(), std::nanf("")),
                        .statistics = runner.statistics().gather(problem.weights)};
  const std::vector<float> parameters = runner.parameters().gather(problem.weights);
  runner.run(parameters, result.statistics,
             {.pictures = problem.pictures.size(),
              .fill =
                  [&](std::size_t i, std::span<float> input) {
                    std::ranges::copy(problem.pictures[i], input.begin());
                  },
              .loss =
                  [&](std::size_t i, std::span<const float>, std::span<float> d_output) {
                    std::ranges::copy(problem.coefficients[i], d_output.begin());
                  },
              .dropout = {}},
             result.gradient);
  return result;
}

/// dL/dw of one value of one parameter, by the complex step: Im L(w + ih) / h.
inline double complex_step(const GradientProblem& problem, const std::string& name,
                           std::size_t index) {
  using Complex = std::complex<double>;
  constexpr double kStep = 1e-100;
  auto parameters = reference_parameters<Complex>(problem.weights);
  parameters.at(name)[index] += Complex(0, kStep);
  std::vector<std::vector<Complex>> pictures;
  for (const auto& picture : problem.pictures)
    pictures.emplace_back(picture.begin(), picture.end());
  const auto values = reference_batch<Complex>(problem.graph, parameters, pictures, problem.mode);
  double derivative = 0;
  for (std::size_t p = 0; p < pictures.size(); ++p) {
    const auto& output = values[p][static_cast<std::size_t>(problem.graph.output())];
    for (std::size_t k = 0; k < output.size(); ++k) {
      derivative += output[k].imag() / kStep * problem.coefficients[p][k];
    }
  }
  return derivative;
}

/// The largest error of a parameter's gradient over the largest value of it (or a hundredth of the
/// largest of all parameters: some gradients are 0 by nature), on up to `samples` of its values
/// spread evenly.
struct GradientError {
  std::string parameter;
  double error = 0;
};

inline std::vector<GradientError> gradient_errors(const GradientProblem& problem,
                                                  const GradientResult& result,
                                                  std::size_t samples) {
  std::vector<GradientError> errors;
  double all = 0;
  for (const float value : result.gradient) all = std::max(all, std::abs(double{value}));
  for (const auto& slot : result.parameters.slots()) {
    double largest = all / 100, error = 0;
    const std::size_t step = std::max<std::size_t>(1, slot.size / samples);
    for (std::size_t i = 0; i < slot.size; i += step) {
      const double exact = complex_step(problem, slot.name, i);
      const double found = result.gradient[slot.offset + i];
      largest = std::max(largest, std::abs(exact));
      error = std::isnan(found) ? found : std::max(error, std::abs(found - exact));
    }
    errors.push_back({slot.name, error / largest});
  }
  return errors;
}

/// float32 rounds 1e-7 a step; sums of a few hundred terms that cancel lose a digit or two. An
/// error of one part in a thousand is far beyond.
inline constexpr double kGradientTolerance = 5e-5;

inline void expect_right_gradients(const GradientProblem& problem, std::size_t samples = 1000) {
  const GradientResult result = run_gradient(problem);
  for (const GradientError& error : gradient_errors(problem, result, samples)) {
    EXPECT_LE(error.error, kGradientTolerance) << error.parameter;
  }
}

}  // namespace engraft::test
