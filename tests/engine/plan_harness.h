#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "engraft/engine/plan.h"
#include "engraft/engine/reference_run.h"
#include "support/random_values.h"

namespace engraft::test {

/// The same bits, NaN or not.
[[nodiscard]] inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// By a team of so many threads; 0: by nobody but the caller.
[[nodiscard]] inline std::vector<float> run(const Plan& plan, std::span<const float> pictures,
                                            int team_of = 0) {
  Plan::Workspace workspace = plan.make_workspace();
  const auto input = plan.input(workspace);
  EXPECT_EQ(input.size(), pictures.size());
  std::copy(pictures.begin(), pictures.end(), input.begin());
  if (team_of == 0) {
    const auto output = plan.forward(workspace);
    return {output.begin(), output.end()};
  }
  Team team(team_of);
  const auto output = plan.forward(workspace, team);
  return {output.begin(), output.end()};
}

/// Expects a plan's output for each picture to be the reference's, to within `tolerance` of the
/// largest value.
inline void expect_reference(const Graph& graph, const Weights& weights, int batch,
                             double tolerance) {
  const Plan plan = Plan::compile(graph, weights, {.batch = batch});
  const auto pictures = random_values(plan.input_size() * static_cast<std::size_t>(batch), 5);
  const auto y = run(plan, pictures);
  const auto parameters = reference_parameters<double>(weights);
  for (std::size_t i = 0; i < static_cast<std::size_t>(batch); ++i) {
    const auto begin = pictures.begin() + static_cast<std::ptrdiff_t>(i * plan.input_size());
    const std::vector<double> picture(begin,
                                      begin + static_cast<std::ptrdiff_t>(plan.input_size()));
    const auto values = reference_run<double>(graph, parameters, picture);
    const auto& expected = values[static_cast<std::size_t>(graph.output())];
    ASSERT_EQ(expected.size(), plan.output_size());
    double largest = 0;
    for (const double value : expected) largest = std::max(largest, std::fabs(value));
    for (std::size_t k = 0; k < expected.size(); ++k) {
      ASSERT_NEAR(y[i * plan.output_size() + k], expected[k], tolerance * largest)
          << "picture " << i << ", value " << k;
    }
  }
}

}  // namespace engraft::test
