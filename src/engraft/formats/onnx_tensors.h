#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engraft/formats/onnx_node.h"
#include "engraft/tensor/shape.h"

namespace onnx {
class GraphProto;
class TensorProto;
}  // namespace onnx

namespace engraft::onnx_format {

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

  /// Extents and floats of a node's input, which must be a constant; all sizes checked.
  [[nodiscard]] std::vector<float> floats(const NodeReader& node, int input, Shape& shape) const;
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
  [[nodiscard]] std::vector<float> unpack(const NodeReader& node, const Packed& packed,
                                          Shape& shape) const;
  [[nodiscard]] static std::vector<float> unpack_int8(const NodeReader& node, const Packed& packed,
                                                      const Shape& shape);

  std::map<std::string, const ::onnx::TensorProto*> initializers_;
  std::map<std::string, Packed> packed_;  ///< by the name of the node's output
  std::set<const ::onnx::TensorProto*> taken_;
};

}  // namespace engraft::onnx_format
