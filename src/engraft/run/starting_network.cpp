#include "engraft/run/starting_network.h"

#include <vector>

#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/train/head_network.h"

namespace engraft {
namespace {

bool from_scratch(const TrainRequest& request) {
  return request.recipe == RecipeKind::kFromScratch;
}

/// As many logits as a head for these classes has.
std::size_t logits_of(LossKind loss, std::size_t classes) {
  return loss == LossKind::kSigmoid && classes == 2 ? 1 : classes;
}

}  // namespace

Model base_model_of(const TrainRequest& request) {
  if (!from_scratch(request)) return load_model(request.base, request.load);
  Model model;
  model.preprocessing = keras_preprocessing();
  model.preprocessing.width = request.load.image_size.value_or(model.preprocessing.width);
  model.preprocessing.height = model.preprocessing.width;
  model.provenance["source"] = "engraft";
  return model;
}

Network features_of_base(const Model& base, const TrainRequest& request) {
  if (!from_scratch(request)) return base_at(base, request.level);
  GraphBuilder g({base.preprocessing.height, base.preprocessing.width, 3});
  return {.graph = g.finish(g.apply(Op::kGlobalAveragePool, "means", g.input())), .weights = {}};
}

Network starting_network(const Network& base, const TrainRequest& request,
                         const Preprocessing& preprocessing, std::size_t classes) {
  const TrainOptions& head = request.training;
  if (from_scratch(request)) {
    Network network;
    network.graph = mobilenet_v2({.width = request.width,
                                  .image_size = preprocessing.height,
                                  .classes = static_cast<int>(classes)});
    network.weights = random_weights(network.graph, head.seed);
    return network;
  }
  auto in = static_cast<std::size_t>(base.graph.shape(base.graph.output()).elements());
  std::vector<DenseParameters<float>> layers;
  if (head.head == HeadKind::kMlp) {
    const auto hidden = static_cast<std::size_t>(head.hidden);
    layers.emplace_back(DenseShape{.in = in, .out = hidden});
    in = hidden;
  }
  layers.emplace_back(DenseShape{.in = in, .out = logits_of(head.loss, classes)});
  return graft(base, head_network(layers, {.loss = head.loss, .dropout = head.dropout}));
}

}  // namespace engraft
