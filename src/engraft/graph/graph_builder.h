#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engraft/graph/graph.h"

namespace engraft {

enum class Bias { kNone, kAdded };

struct ConvSpec {
  std::int64_t channels = 0;  ///< Cout; a depthwise convolution keeps its input's
  int kernel = 1;
  int stride = 1;
  Bias bias = Bias::kNone;
};

/// Appends operations to a graph, working out shapes, SAME padding and parameter names as Keras has
/// them: "<name>/kernel", "<name>/depthwise_kernel", "<name>/bias" and
/// "<name>/gamma|beta|moving_mean|moving_variance". Every function returns the operation's output.
/// Errors are those of infer_shape and Graph::append.
class GraphBuilder {
 public:
  explicit GraphBuilder(Shape input) : graph_(std::move(input)) {}

  [[nodiscard]] ValueId input() const { return graph_.input(); }
  [[nodiscard]] const Graph& graph() const { return graph_; }

  ValueId conv(const std::string& name, ValueId x, const ConvSpec& spec);
  ValueId depthwise_conv(const std::string& name, ValueId x, const ConvSpec& spec);
  ValueId batch_norm(const std::string& name, ValueId x, float epsilon);
  ValueId dense(const std::string& name, ValueId x, std::int64_t units);
  ValueId dropout(std::string name, ValueId x, float rate);
  ValueId add(std::string name, ValueId a, ValueId b);
  /// b of a's shape, or one value a channel where a is [H,W,C].
  ValueId multiply(std::string name, ValueId a, ValueId b);
  /// An operator of one input without parameters and attributes: an activation, kSoftmax or
  /// kGlobalAveragePool.
  ValueId apply(Op op, std::string name, ValueId x);

  /// The graph with that value as output; the builder is then spent.
  [[nodiscard]] Graph finish(ValueId output);

 private:
  ValueId append(Node node, std::span<const Shape> parameters);

  Graph graph_;
};

}  // namespace engraft
