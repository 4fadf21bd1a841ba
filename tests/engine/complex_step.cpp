// Nearly all the time of the gradients' tests is spent here: compiled with optimisation, whatever
// the tests are.
#include <complex>
#include <set>
#include <string>
#include <vector>

#include "engine/gradient_harness.h"
#include "engraft/engine/training/reference_batch.h"

namespace engraft::test {

std::vector<double> complex_step(const GradientProblem& problem, const std::string& parameter,
                                 const std::set<std::size_t>& indices) {
  using Complex = std::complex<double>;
  constexpr double kStep = 1e-100;
  auto parameters = reference_parameters<Complex>(problem.weights);
  std::vector<std::vector<Complex>> pictures;
  for (const auto& p : problem.pictures) pictures.emplace_back(p.begin(), p.end());

  std::vector<double> derivatives;
  for (const std::size_t i : indices) {
    Complex& value = parameters.at(parameter)[i];
    const Complex kept = value;
    value += Complex(0, kStep);
    const auto values = reference_batch<Complex>(problem.graph, parameters, pictures, problem.mode);
    value = kept;
    double derivative = 0;
    for (std::size_t p = 0; p < pictures.size(); ++p) {
      const auto& output = values[p][static_cast<std::size_t>(problem.graph.output())];
      for (std::size_t k = 0; k < output.size(); ++k) {
        derivative += output[k].imag() / kStep * problem.coefficients[p][k];
      }
    }
    derivatives.push_back(derivative);
  }
  return derivatives;
}

}  // namespace engraft::test
