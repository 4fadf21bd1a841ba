#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engraft/formats/onnx_compact.h"
#include "engraft/formats/onnx_node.h"
#include "engraft/tensor/tensor.h"

namespace onnx {
class GraphProto;
class TensorProto;
}  // namespace onnx

namespace engraft::onnx_format {

/// A constant as it lies in a file, its sizes checked; borrows the graph.
class StoredTensor {
 public:
  [[nodiscard]] const Shape& shape() const { return shape_; }
  /// Values of a row of the first axis; a scalar is one row.
  [[nodiscard]] std::size_t row_size() const { return row_size_; }
  /// Rows `first` on of the first axis, as many as `to` holds.
  void read_rows(std::size_t first, std::span<float> to) const;
  [[nodiscard]] Tensor all() const;

 private:
  friend class TensorReader;
  enum class Type { kFloat, kHalf, kInt8 };
  StoredTensor(const ::onnx::TensorProto& tensor, Type type);

  Type type_;
  Shape shape_;
  std::size_t row_size_ = 1;
  std::span<const char> bytes_;
  std::vector<float> scales_;  ///< of kInt8
  std::size_t axis_ = 0;       ///< that has them
};

/// The constants of an ONNX graph: initializers, and what DequantizeLinear and Cast make of those
/// that a compact file holds as int8 or float16. Nothing is unpacked before it is asked for, and
/// each stored tensor under one name only, so that a file's values take memory once.
class TensorReader {
 public:
  /// Borrows the graph. Throws Error(kBadInput) for two initializers of one name.
  explicit TensorReader(const ::onnx::GraphProto& graph);

  /// Takes over a node DequantizeLinear (int8, a scale a channel, no zero point) or Cast (float16
  /// to float). Throws what NodeReader does for any other.
  void read_dequantize(NodeReader& node);
  void read_cast(NodeReader& node);

  /// A node's input, which must be a constant of floats, or of what makes floats.
  [[nodiscard]] StoredTensor stored(const NodeReader& node, int input) const;
  /// One float without axes.
  [[nodiscard]] float scalar(const NodeReader& node, int input) const;
  /// The input must be an initializer of these values, else the node is refused with `complaint`.
  void require_integers(const NodeReader& node, int input, std::span<const std::int64_t> values,
                        const std::string& complaint) const;

 private:
  struct Packed {
    const ::onnx::TensorProto* values = nullptr;
    const ::onnx::TensorProto* scales = nullptr;  ///< of int8; null for float16
    std::int64_t axis = 0;                        ///< of the channels
  };

  [[nodiscard]] const ::onnx::TensorProto& initializer(const NodeReader& node, int input) const;
  void add(const NodeReader& node, const Packed& packed);
  [[nodiscard]] static StoredTensor stored_int8(const NodeReader& node, const Packed& packed);

  std::map<std::string, const ::onnx::TensorProto*> initializers_;
  std::map<std::string, Packed> packed_;  ///< by the name of the node's output
  std::set<const ::onnx::TensorProto*> taken_;
};

}  // namespace engraft::onnx_format
