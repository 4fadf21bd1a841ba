// A TrainingPlan's parameters: folded on their way to the layers, gradients unfolded on theirs
// back.
#include <algorithm>
#include <set>

#include "engraft/base/error.h"
#include "engraft/engine/openmp_threads.h"
#include "engraft/engine/training/training_plan_impl.h"

namespace engraft {

LayerParameters::LayerParameters(const Step& step, const ParameterLayout& raw,
                                 const ParameterLayout& statistics) {
  for (const std::string& name : step.parameters) {
    const ParameterLayout& layout = raw.contains(name) ? raw : statistics;
    auto tensor = std::make_shared<Tensor>(layout.at(name).shape);
    values.emplace(name, tensor->values());
    weights.set(name, std::move(tensor));
  }
}

std::vector<std::vector<const Folding*>> TrainingPlan::Impl::groups_of_foldings() const {
  std::vector<const Folding*> all;
  std::set<std::string> names;
  bool shares = false;
  for (const Folding& folding : folded.foldings) {
    all.push_back(&folding);
    for (const std::string& name : {folding.kernel, folding.bias, folding.gamma, folding.beta}) {
      shares |= !name.empty() && !names.insert(name).second;
    }
  }
  if (shares) return {all};
  std::vector<std::vector<const Folding*>> groups;
  for (const Folding* folding : all) groups.push_back({folding});
  return groups;
}

FoldingValues TrainingPlan::Impl::values_of(const Folding& folding,
                                            const ParameterValues& from) const {
  return {.kernel = parameters.of(from.parameters, folding.kernel),
          .bias = parameters.of(from.parameters, folding.bias),
          .gamma = parameters.of(from.parameters, folding.gamma),
          .beta = parameters.of(from.parameters, folding.beta),
          .mean = statistics.of(from.statistics, folding.mean),
          .variance = statistics.of(from.statistics, folding.variance),
          .epsilon = folding.epsilon};
}

/// A step's parameters, folded where they are a folding's.
void TrainingPlan::Impl::take(const ParameterValues& from, LayerParameters& to) const {
  for (const auto& [name, values] : to.values) {
    const auto folding = std::ranges::find(folded.foldings, name, &Folding::folded_kernel);
    if (folding != folded.foldings.end()) {
      try {
        fold_values(values_of(*folding, from), values, to.values.at(folding->folded_bias));
      } catch (const Error& error) {
        throw Error(error.kind(), "parameter " + folding->variance + ": " + error.what());
      }
    } else if (parameters.contains(name)) {
      std::ranges::copy(parameters.of(from.parameters, name), values.begin());
    } else if (statistics.contains(name)) {
      std::ranges::copy(statistics.of(from.statistics, name), values.begin());
    }
  }
}

void TrainingPlan::set_parameters(const ParameterValues& values, ThreadPool& pool) {
  Impl& impl = *impl_;
  pool.for_each(impl.layers.size(), [&](std::size_t i, int) {
    const OpenMpThreads threads(1);
    impl.take(values, impl.layer_parameters[i]);
    impl.layers[i]->set_parameters(impl.layer_parameters[i].weights);
  });
}

void TrainingPlan::finish_gradient(const ParameterValues& values, std::span<const float> raw,
                                   std::span<float> gradient, ThreadPool& pool) const {
  const Impl& impl = *impl_;
  const auto& slots = impl.parameters.slots();
  pool.for_each(slots.size(), [&](std::size_t i, int) {
    const std::span<float> to = gradient.subspan(slots[i].offset, slots[i].size);
    if (impl.raw.contains(slots[i].name)) {
      std::ranges::copy(impl.raw.of(raw, slots[i].name), to.begin());
    } else {
      std::ranges::fill(to, 0.0f);
    }
  });
  pool.for_each(impl.folding_groups.size(), [&](std::size_t i, int) {
    for (const Folding* folding : impl.folding_groups[i]) {
      unfold_gradients(impl.values_of(*folding, values), impl.raw.of(raw, folding->folded_kernel),
                       impl.raw.of(raw, folding->folded_bias),
                       {.kernel = impl.parameters.of(gradient, folding->kernel),
                        .bias = impl.parameters.of(gradient, folding->bias),
                        .gamma = impl.parameters.of(gradient, folding->gamma),
                        .beta = impl.parameters.of(gradient, folding->beta)});
    }
  });
}

}  // namespace engraft
