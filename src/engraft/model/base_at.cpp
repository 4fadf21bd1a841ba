#include <fmt/format.h>

#include "engraft/base/error.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/model/model.h"

namespace engraft {
namespace {

std::string_view value_at(FeatureLevel level) {
  switch (level) {
    case FeatureLevel::kPooled:
      return kPooledValue;
    case FeatureLevel::kLogits:
      return kLogitsValue;
    case FeatureLevel::kProbabilities:
      return kProbabilitiesValue;
  }
  return kPooledValue;
}

/// Only what the graph names: a head that was cut off must not leave its parameters behind.
Weights weights_of(const Graph& graph, const Weights& all) {
  Weights used;
  for (const Node& node : graph.nodes()) {
    for (const std::string& parameter : node.parameters) used.set(parameter, all.share(parameter));
  }
  return used;
}

}  // namespace

std::string_view name_of(FeatureLevel level) {
  switch (level) {
    case FeatureLevel::kPooled:
      return "pooled";
    case FeatureLevel::kLogits:
      return "logits";
    case FeatureLevel::kProbabilities:
      return "probabilities";
  }
  return "";
}

Network base_at(const Model& model, FeatureLevel level) {
  const Graph& whole = model.network.graph;
  const std::string_view value = value_at(level);
  if (!whole.contains(value)) {
    throw Error(ErrorKind::kUsage,
                level == FeatureLevel::kPooled
                    ? fmt::format("this model has no pooled features (value \"{}\") to attach a "
                                  "head to",
                                  value)
                    : fmt::format("this model has no {} of its base (value \"{}\"): it comes "
                                  "without a top or carries another head; use pooled features, or "
                                  "weights with their top",
                                  name_of(level), value));
  }
  Network base;
  base.graph = cut_at(whole, whole.find(value));
  base.weights = weights_of(base.graph, model.network.weights);
  return base;
}

}  // namespace engraft
