#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/tensor/shape.h"

namespace engraft {

/// Operators. Activations are [N,H,W,C] (or [N,C] after pooling), float32. N is left out of a
/// graph's shapes: a value's shape is that of one picture.
enum class Op {
  kConv,           ///< w [kh,kw,Cin,Cout], bias [Cout] optional
  kDepthwiseConv,  ///< w [kh,kw,C], bias [C] optional
  kBatchNorm,      ///< gamma beta mean variance [C]: y = (x-mean)/√(variance+ε)·gamma+beta
  kRelu,
  kRelu6,  ///< min(max(x,0),6)
  kAdd,
  kGlobalAveragePool,  ///< [H,W,C] → [C]
  kDense,              ///< w [Cin,Cout], bias [Cout] optional
  kDropout,            ///< identity in inference
  kSoftmax,            ///< over the last axis
  kSigmoid,
  kHardSigmoid,  ///< min(max(x+3,0),6)/6
  kHardSwish,    ///< x · min(max(x+3,0),6)/6
  /// Value by value; or [H,W,C] by [C], which goes with every pixel: a squeeze-and-excitation gate
  kMultiply,
};

[[nodiscard]] std::string_view name_of(Op op);

using ValueId = int;

/// Name of every graph's input value.
inline constexpr std::string_view kInputValue = "input";

/// Zeros added around a picture before a convolution. Always explicit: TensorFlow's SAME is worked
/// out when the graph is built (docs/numerics.md).
struct Padding {
  int top = 0, left = 0, bottom = 0, right = 0;
  bool operator==(const Padding&) const = default;
};

struct Attributes {
  int kernel = 1;     ///< kConv, kDepthwiseConv: side of the window, kh = kw
  int stride = 1;     ///< kConv, kDepthwiseConv: both ways
  Padding padding{};  ///< kConv, kDepthwiseConv
  float epsilon = 0;  ///< kBatchNorm
  float rate = 0;     ///< kDropout: share of values dropped, [0, 1)
  bool operator==(const Attributes&) const = default;
};

/// One operation. Its parameters are Weights named parameters[i], in the order that Op lists them.
struct Node {
  Op op;
  std::string name{};  ///< unique in the graph; Keras' layer name where there is one
  std::vector<ValueId> inputs{};
  std::vector<std::string> parameters{};
  ValueId output = -1;
  Attributes attributes{};
  bool operator==(const Node&) const = default;
};

/// A network as data: nodes in topological order over named values. Importers produce it, surgery
/// edits it, the engine compiles it, exporters write it.
class Graph {
 public:
  /// The one input, the value named kInputValue; shape of one picture, [H,W,C], or [C] for a head.
  explicit Graph(Shape input);
  /// No input and no value: only to be assigned to.
  Graph() = default;

  /// Appends a node whose inputs exist; its output value takes the node's name and the given shape
  /// (infer_shape in graph/shape_inference.h; GraphBuilder does both). Returns the output. Throws
  /// Error(kUsage) for an input that does not exist and for a name that is empty or taken.
  ValueId append(Node node, Shape shape);

  /// Throws Error(kUsage) for a value that does not exist.
  void set_output(ValueId value);
  [[nodiscard]] ValueId input() const { return 0; }
  [[nodiscard]] ValueId output() const { return output_; }
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] const Shape& shape(ValueId value) const {
    return values_.at(static_cast<std::size_t>(value)).shape;
  }
  [[nodiscard]] const std::string& name(ValueId value) const {
    return values_.at(static_cast<std::size_t>(value)).name;
  }
  [[nodiscard]] int value_count() const { return static_cast<int>(values_.size()); }
  /// The value of that name; throws Error(kNotFound) that lists near names.
  [[nodiscard]] ValueId find(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const { return ids_.contains(name); }

  /// Same nodes, names, shapes, attributes and output.
  bool operator==(const Graph&) const = default;

 private:
  struct Value {
    std::string name;
    Shape shape;
    bool operator==(const Value&) const = default;
  };
  std::vector<Value> values_;
  std::map<std::string, ValueId, std::less<>> ids_;
  std::vector<Node> nodes_;
  ValueId output_ = 0;
};

}  // namespace engraft
