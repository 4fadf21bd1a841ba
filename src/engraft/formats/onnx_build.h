#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/formats/onnx_compact.h"

namespace onnx {
class GraphProto;
class NodeProto;
class TensorProto;
}  // namespace onnx

namespace engraft::onnx_format {

// Attributes are set in the order of their names, so that equal graphs give equal bytes whoever
// builds them.
void set_int(::onnx::NodeProto& node, const char* name, std::int64_t value);
void set_float(::onnx::NodeProto& node, const char* name, float value);
void set_ints(::onnx::NodeProto& node, const char* name, std::initializer_list<int> values);

struct NodeSpec {
  const char* op;
  std::string name;
  std::vector<std::string> inputs;
  std::string output;
};
::onnx::NodeProto& add_node(::onnx::GraphProto& graph, const NodeSpec& spec);

/// A float initializer, its values to be set.
::onnx::TensorProto& add_tensor(::onnx::GraphProto& graph, std::string_view name,
                                std::span<const std::int64_t> extents);
void set_raw(::onnx::TensorProto& tensor, const void* data, std::size_t bytes);

/// A parameter in ONNX' order.
struct OnnxParameter {
  std::string name;
  std::span<const std::int64_t> extents;
};
/// Adds it, and the node that unpacks it. For kInt8 its channels are the first axis.
void add_parameter(::onnx::GraphProto& graph, const OnnxParameter& parameter,
                   std::span<const float> values, StoredAs as);
/// What add_parameter() puts behind the parameter's name for the names that it adds beside it.
[[nodiscard]] std::vector<std::string_view> suffixes_of(StoredAs as);

}  // namespace engraft::onnx_format
