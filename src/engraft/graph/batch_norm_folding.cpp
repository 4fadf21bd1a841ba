#include "engraft/graph/batch_norm_folding.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#include "engraft/base/error.h"

namespace engraft {
namespace {

bool takes_fold(Op op) {
  return op == Op::kConv || op == Op::kDepthwiseConv || op == Op::kDense;
}

class Folder {
 public:
  Folder(const Graph& source, DropoutNodes dropout)
      : source_(source),
        dropout_(dropout),
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
      names_.insert(node.parameters.begin(), node.parameters.end());
    }
    ++readers_[static_cast<std::size_t>(source_.output())];
  }

  FoldedGraph fold() {
    result_.graph = Graph(source_.shape(source_.input()));
    for (const Node& node : source_.nodes()) visit(node);
    result_.graph.set_output(map_[static_cast<std::size_t>(source_.output())]);
    return std::move(result_);
  }

 private:
  void visit(const Node& node) {
    const auto output = static_cast<std::size_t>(node.output);
    const auto input = static_cast<std::size_t>(node.inputs[0]);
    if (node.op == Op::kDropout && dropout_ == DropoutNodes::kRemove) {
      map_[output] = map_[input];
    } else if (const Node* norm = sole_norm_after(node)) {
      map_[output] = append_folded(node, *norm);
    } else if (node.op == Op::kBatchNorm && folds_into_producer(node)) {
      map_[output] = map_[input];
    } else {
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
    const Folding folding{.kernel = node.parameters[0],
                          .bias = node.parameters.size() > 1 ? node.parameters[1] : std::string(),
                          .gamma = norm.parameters[0],
                          .beta = norm.parameters[1],
                          .mean = norm.parameters[2],
                          .variance = norm.parameters[3],
                          .epsilon = norm.attributes.epsilon,
                          .folded_kernel = free_name(node.name + "/folded_kernel"),
                          .folded_bias = free_name(node.name + "/folded_bias")};
    node.parameters = {folding.folded_kernel, folding.folded_bias};
    result_.foldings.push_back(folding);
    return append(std::move(node));
  }

  /// A parameter may be shared by several nodes, so a folded one never takes over a name in use.
  [[nodiscard]] std::string free_name(std::string name) {
    while (!names_.insert(name).second) name += '_';
    return name;
  }

  const Graph& source_;
  DropoutNodes dropout_;
  std::vector<int> readers_;                         ///< of each value; the output counts as one
  std::vector<const Node*> last_reader_, producer_;  ///< of each value; may be null
  std::vector<ValueId> map_;                         ///< value of source_ → value of result_
  std::set<std::string> names_;                      ///< of parameters
  FoldedGraph result_;
};

/// 1/√(variance+ε) of channel c.
double inverse_deviation(const FoldingValues& values, std::size_t c) {
  const double spread = static_cast<double>(values.variance[c]) + values.epsilon;
  if (!(spread > 0)) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("variance {} of channel {} is not positive; the weights are damaged",
                            values.variance[c], c));
  }
  return 1 / std::sqrt(spread);
}

}  // namespace

FoldedGraph fold_batch_norm(const Graph& graph, DropoutNodes dropout) {
  return Folder(graph, dropout).fold();
}

void fold_values(const FoldingValues& values, std::span<float> folded_kernel,
                 std::span<float> folded_bias) {
  const std::size_t channels = values.gamma.size();
  std::vector<double> scale(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    scale[c] = values.gamma[c] * inverse_deviation(values, c);
    const double own = values.bias.empty() ? 0 : values.bias[c];
    folded_bias[c] =
        static_cast<float>((values.beta[c] - values.mean[c] * scale[c]) + own * scale[c]);
  }
  for (std::size_t row = 0; row < values.kernel.size(); row += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      folded_kernel[row + c] = static_cast<float>(values.kernel[row + c] * scale[c]);
    }
  }
}

void unfold_gradients(const FoldingValues& values, std::span<const float> d_folded_kernel,
                      std::span<const float> d_folded_bias, const FoldingGradients& gradients) {
  const std::size_t channels = values.gamma.size();
  std::vector<double> scale(channels), products(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    scale[c] = values.gamma[c] * inverse_deviation(values, c);
  }
  for (std::size_t row = 0; row < values.kernel.size(); row += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      const double d = d_folded_kernel[row + c];
      gradients.kernel[row + c] += static_cast<float>(d * scale[c]);
      products[c] += d * values.kernel[row + c];
    }
  }
  for (std::size_t c = 0; c < channels; ++c) {
    const double own = values.bias.empty() ? 0 : values.bias[c];
    const double d = d_folded_bias[c];
    if (!gradients.bias.empty()) gradients.bias[c] += static_cast<float>(d * scale[c]);
    gradients.beta[c] += d_folded_bias[c];
    gradients.gamma[c] += static_cast<float>((products[c] + (own - values.mean[c]) * d) *
                                             inverse_deviation(values, c));
  }
}

}  // namespace engraft
