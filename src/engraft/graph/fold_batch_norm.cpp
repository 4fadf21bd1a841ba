#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/graph/surgery.h"

namespace engraft {
namespace {

bool takes_fold(Op op) {
  return op == Op::kConv || op == Op::kDepthwiseConv || op == Op::kDense;
}

/// y = x · scale + shift, per channel.
struct Affine {
  std::vector<double> scale, shift;
};

Affine affine_of(const Node& norm, const Weights& weights) {
  const auto gamma = weights.at(norm.parameters[0]).values();
  const auto beta = weights.at(norm.parameters[1]).values();
  const auto mean = weights.at(norm.parameters[2]).values();
  const auto variance = weights.at(norm.parameters[3]).values();
  Affine affine;
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    const double spread = static_cast<double>(variance[c]) + norm.attributes.epsilon;
    if (!(spread > 0)) {
      throw Error(ErrorKind::kBadInput,
                  fmt::format("parameter {}: variance {} of channel {} is not positive; the "
                              "weights are damaged",
                              norm.parameters[3], variance[c], c));
    }
    affine.scale.push_back(gamma[c] / std::sqrt(spread));
    affine.shift.push_back(beta[c] - mean[c] * affine.scale.back());
  }
  return affine;
}

class Folder {
 public:
  explicit Folder(const Network& network)
      : source_(network.graph),
        weights_(network.weights),
        readers_(static_cast<std::size_t>(source_.value_count()), 0),
        last_reader_(readers_.size(), nullptr),
        producer_(readers_.size(), nullptr),
        map_(readers_.size(), 0) {
    for (const Node& node : source_.nodes()) {
      for (const ValueId input : node.inputs) {
        ++readers_[static_cast<std::size_t>(input)];
        last_reader_[static_cast<std::size_t>(input)] = &node;
      }
      producer_[static_cast<std::size_t>(node.output)] = &node;
    }
    ++readers_[static_cast<std::size_t>(source_.output())];
  }

  Network fold() {
    result_.graph = Graph(source_.shape(source_.input()));
    for (std::size_t i = 0; i < source_.nodes().size(); ++i) visit(source_.nodes()[i]);
    result_.graph.set_output(map_[static_cast<std::size_t>(source_.output())]);
    return std::move(result_);
  }

 private:
  void visit(const Node& node) {
    const auto output = static_cast<std::size_t>(node.output);
    const auto input = static_cast<std::size_t>(node.inputs[0]);
    if (node.op == Op::kDropout) {
      map_[output] = map_[input];
    } else if (const Node* norm = sole_norm_after(node)) {
      map_[output] = append_folded(node, *norm);
    } else if (node.op == Op::kBatchNorm && folds_into_producer(node)) {
      map_[output] = map_[input];
    } else {
      for (const std::string& name : node.parameters) {
        result_.weights.set(name, weights_.share(name));
      }
      map_[output] = append(node);
    }
  }

  /// The batch norm that is the only reader of node's output, if there is one.
  [[nodiscard]] const Node* sole_norm_after(const Node& node) const {
    const auto output = static_cast<std::size_t>(node.output);
    if (!takes_fold(node.op) || readers_[output] != 1) return nullptr;
    const Node* reader = last_reader_[output];
    return reader && reader->op == Op::kBatchNorm ? reader : nullptr;
  }

  [[nodiscard]] bool folds_into_producer(const Node& norm) const {
    const Node* producer = producer_[static_cast<std::size_t>(norm.inputs[0])];
    return producer && sole_norm_after(*producer) == &norm;
  }

  ValueId append(Node node) {
    for (ValueId& input : node.inputs) input = map_[static_cast<std::size_t>(input)];
    const Shape& shape = source_.shape(node.output);
    return result_.graph.append(std::move(node), shape);
  }

  ValueId append_folded(Node node, const Node& norm) {
    const Affine affine = affine_of(norm, weights_);
    const std::size_t channels = affine.scale.size();
    Tensor kernel = weights_.at(node.parameters[0]);  // channels are the last axis of every kernel
    float* const values = kernel.data();
    for (std::size_t row = 0; row < kernel.size(); row += channels) {
      for (std::size_t c = 0; c < channels; ++c) {
        values[row + c] = static_cast<float>(values[row + c] * affine.scale[c]);
      }
    }
    Tensor bias(Shape{static_cast<std::int64_t>(channels)});
    for (std::size_t c = 0; c < channels; ++c) {
      const double own = node.parameters.size() > 1 ? weights_.at(node.parameters[1]).data()[c] : 0;
      bias.data()[c] = static_cast<float>(affine.shift[c] + own * affine.scale[c]);
    }
    node.parameters = {free_name(node.name + "/folded_kernel"),
                       free_name(node.name + "/folded_bias")};
    result_.weights.set(node.parameters[0], std::move(kernel));
    result_.weights.set(node.parameters[1], std::move(bias));
    return append(std::move(node));
  }

  /// A parameter may be shared by several nodes, so a folded one never takes over a name in use.
  [[nodiscard]] std::string free_name(std::string name) const {
    while (weights_.contains(name) || result_.weights.contains(name)) name += '_';
    return name;
  }

  const Graph& source_;
  const Weights& weights_;
  std::vector<int> readers_;                         ///< of each value; the output counts as one
  std::vector<const Node*> last_reader_, producer_;  ///< of each value; may be null
  std::vector<ValueId> map_;                         ///< value of source_ → value of result_
  Network result_;
};

}  // namespace

Network fold_batch_norm(const Network& network) {
  check_weights(network.graph, network.weights);
  return Folder(network).fold();
}

}  // namespace engraft
