#include "engraft/formats/onnx_build.h"

#include <onnx.pb.h>

#include "engraft/formats/onnx_layout.h"

namespace engraft::onnx_format {
namespace {

std::string with(const OnnxParameter& parameter, std::string_view suffix) {
  return parameter.name + std::string(suffix);
}

void add_halves(::onnx::GraphProto& graph, const OnnxParameter& parameter,
                std::span<const float> values) {
  const std::vector<std::uint16_t> halves = to_halves(values);
  const std::string name = with(parameter, kHalfSuffix);
  ::onnx::TensorProto& tensor = add_tensor(graph, name, parameter.extents);
  tensor.set_data_type(::onnx::TensorProto::FLOAT16);
  set_raw(tensor, halves.data(), halves.size() * sizeof(std::uint16_t));
  set_int(add_node(graph, {"Cast", with(parameter, kUnpackedSuffix), {name}, parameter.name}), "to",
          ::onnx::TensorProto::FLOAT);
}

void add_int8(::onnx::GraphProto& graph, const OnnxParameter& parameter,
              std::span<const float> values) {
  const auto channels = static_cast<std::size_t>(parameter.extents[0]);
  const Int8Values packed =
      to_int8(values, {.channels = channels, .stride = values.size() / channels});
  const std::string name = with(parameter, kInt8Suffix), scale = with(parameter, kScaleSuffix);
  ::onnx::TensorProto& tensor = add_tensor(graph, name, parameter.extents);
  tensor.set_data_type(::onnx::TensorProto::INT8);
  set_raw(tensor, packed.values.data(), packed.values.size());
  const std::vector<std::int64_t> count(1, static_cast<std::int64_t>(packed.scales.size()));
  set_raw(add_tensor(graph, scale, count), packed.scales.data(),
          packed.scales.size() * sizeof(float));
  set_int(
      add_node(
          graph,
          {"DequantizeLinear", with(parameter, kUnpackedSuffix), {name, scale}, parameter.name}),
      "axis", 0);
}

}  // namespace

void set_raw(::onnx::TensorProto& tensor, const void* data, std::size_t bytes) {
  tensor.set_raw_data(data, bytes);
}

void set_int(::onnx::NodeProto& node, const char* name, std::int64_t value) {
  ::onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void set_float(::onnx::NodeProto& node, const char* name, float value) {
  ::onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

void set_ints(::onnx::NodeProto& node, const char* name, std::initializer_list<int> values) {
  ::onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::INTS);
  for (const int value : values) attribute.add_ints(value);
}

::onnx::NodeProto& add_node(::onnx::GraphProto& graph, const NodeSpec& spec) {
  ::onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(spec.op);
  node.set_name(spec.name);
  for (const std::string& input : spec.inputs) node.add_input(input);
  node.add_output(spec.output);
  return node;
}

::onnx::TensorProto& add_tensor(::onnx::GraphProto& graph, std::string_view name,
                                std::span<const std::int64_t> extents) {
  ::onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(std::string(name));
  tensor.set_data_type(::onnx::TensorProto::FLOAT);
  for (const std::int64_t extent : extents) tensor.add_dims(extent);
  return tensor;
}

void add_parameter(::onnx::GraphProto& graph, const OnnxParameter& parameter,
                   std::span<const float> values, StoredAs as) {
  switch (as) {
    case StoredAs::kFloat:
      return set_raw(add_tensor(graph, parameter.name, parameter.extents), values.data(),
                     values.size_bytes());
    case StoredAs::kHalf:
      return add_halves(graph, parameter, values);
    case StoredAs::kInt8:
      return add_int8(graph, parameter, values);
  }
}

std::vector<std::string_view> suffixes_of(StoredAs as) {
  switch (as) {
    case StoredAs::kHalf:
      return {kHalfSuffix, kUnpackedSuffix};
    case StoredAs::kInt8:
      return {kInt8Suffix, kScaleSuffix, kUnpackedSuffix};
    case StoredAs::kFloat:
      break;
  }
  return {};
}

}  // namespace engraft::onnx_format
