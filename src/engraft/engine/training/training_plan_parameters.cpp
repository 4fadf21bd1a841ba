// A TrainingPlan's parameters: folded on their way to the layers, gradients unfolded on theirs
// back.
#include <algorithm>

#include "engraft/base/error.h"
#include "engraft/engine/openmp_threads.h"
#include "engraft/engine/training/training_plan_impl.h"

namespace engraft {

void TrainingPlan::Impl::fold(const Folding& folding, Weights& into) const {
  const auto parameter = [&](const std::string& name) {
    return parameters.of(std::span<const float>(parameter_values), name);
  };
  const auto statistic = [&](const std::string& name) {
    return statistics.of(std::span<const float>(statistic_values), name);
  };
  Tensor kernel(raw.at(folding.folded_kernel).shape);
  Tensor bias(raw.at(folding.folded_bias).shape);
  try {
    fold_values({.kernel = parameter(folding.kernel),
                 .bias = parameter(folding.bias),
                 .gamma = parameter(folding.gamma),
                 .beta = parameter(folding.beta),
                 .mean = statistic(folding.mean),
                 .variance = statistic(folding.variance),
                 .epsilon = folding.epsilon},
                kernel.values(), bias.values());
  } catch (const Error& error) {
    throw Error(error.kind(), "parameter " + folding.variance + ": " + error.what());
  }
  into.set(folding.folded_kernel, std::move(kernel));
  into.set(folding.folded_bias, std::move(bias));
}

/// A step's parameters, folded where they are a folding's.
Weights TrainingPlan::Impl::weights_of(const Step& step) const {
  Weights weights;
  const auto take = [&](const ParameterLayout& from, const std::vector<float>& values,
                        const std::string& name) {
    weights.set(name, Tensor(from.at(name).shape, from.of(std::span(values), name)));
  };
  for (const std::string& name : step.parameters) {
    const auto folding = std::ranges::find(folded.foldings, name, &Folding::folded_kernel);
    if (folding != folded.foldings.end()) {
      fold(*folding, weights);
    } else if (parameters.contains(name)) {
      take(parameters, parameter_values, name);
    } else if (statistics.contains(name)) {
      take(statistics, statistic_values, name);
    }
  }
  return weights;
}

void TrainingPlan::set_parameters(std::span<const float> parameters,
                                  std::span<const float> statistics, ThreadPool& pool) {
  Impl& impl = *impl_;
  impl.parameter_values.assign(parameters.begin(), parameters.end());
  impl.statistic_values.assign(statistics.begin(), statistics.end());
  pool.for_each(impl.layers.size(), [&](std::size_t i, int) {
    const OpenMpThreads threads(1);
    impl.layers[i]->set_parameters(impl.weights_of(impl.list.steps[i]));
  });
}

void TrainingPlan::finish_gradient(std::span<const float> raw, std::span<float> gradient) const {
  const Impl& impl = *impl_;
  std::ranges::fill(gradient, 0.0f);
  for (const ParameterLayout::Slot& slot : impl.raw.slots()) {
    if (!impl.parameters.contains(slot.name)) continue;
    std::ranges::copy(raw.subspan(slot.offset, slot.size),
                      impl.parameters.of(gradient, slot.name).begin());
  }
  const auto parameter = [&](const std::string& name) {
    return impl.parameters.of(std::span<const float>(impl.parameter_values), name);
  };
  const auto statistic = [&](const std::string& name) {
    return impl.statistics.of(std::span<const float>(impl.statistic_values), name);
  };
  for (const Folding& folding : impl.folded.foldings) {
    unfold_gradients({.kernel = parameter(folding.kernel),
                      .bias = parameter(folding.bias),
                      .gamma = parameter(folding.gamma),
                      .beta = parameter(folding.beta),
                      .mean = statistic(folding.mean),
                      .variance = statistic(folding.variance),
                      .epsilon = folding.epsilon},
                     impl.raw.of(raw, folding.folded_kernel), impl.raw.of(raw, folding.folded_bias),
                     {.kernel = impl.parameters.of(gradient, folding.kernel),
                      .bias = impl.parameters.of(gradient, folding.bias),
                      .gamma = impl.parameters.of(gradient, folding.gamma),
                      .beta = impl.parameters.of(gradient, folding.beta)});
  }
}

}  // namespace engraft
