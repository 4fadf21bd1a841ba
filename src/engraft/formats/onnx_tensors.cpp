#include "engraft/formats/onnx_tensors.h"

#include <fmt/format.h>
#include <onnx.pb.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "engraft/formats/onnx_compact.h"
#include "engraft/formats/onnx_layout.h"

namespace engraft::onnx_format {
namespace {

constexpr int kMaxAxes = 4;

bool is_of(const ::onnx::TensorProto& tensor, int type) {
  return tensor.data_type() == type && tensor.dims_size() <= kMaxAxes &&
         tensor.data_location() != ::onnx::TensorProto::EXTERNAL;
}

Shape shape_of(const ::onnx::TensorProto& tensor) {
  return Shape(std::vector<std::int64_t>(tensor.dims().begin(), tensor.dims().end()));
}

/// The values of a tensor of that shape, as many as the shape says.
template <typename T>
std::vector<T> raw_values(const ::onnx::TensorProto& tensor, const Shape& shape) {
  const std::string& raw = tensor.raw_data();
  if (static_cast<std::uint64_t>(shape.elements()) != raw.size() / sizeof(T) ||
      raw.size() % sizeof(T) != 0) {
    damaged(fmt::format("{} {} has {} bytes", tensor.name(), shape.to_string(), raw.size()));
  }
  std::vector<T> values(raw.size() / sizeof(T));
  if (!raw.empty()) std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

}  // namespace

TensorReader::TensorReader(const ::onnx::GraphProto& graph) {
  for (const ::onnx::TensorProto& tensor : graph.initializer()) {
    if (!initializers_.emplace(tensor.name(), &tensor).second) {
      damaged(fmt::format("initializer {} is there twice", tensor.name()));
    }
  }
}

const ::onnx::TensorProto& TensorReader::initializer(const NodeReader& node, int input) const {
  const std::string& name = node.input(input);
  const auto found = initializers_.find(name);
  if (found == initializers_.end()) {
    node.unsupported(fmt::format("its input {} is not an initializer", name));
  }
  return *found->second;
}

void TensorReader::add(const NodeReader& node, const Packed& packed) {
  if (!taken_.insert(packed.values).second) {
    node.unsupported(fmt::format("unpacks {} once more", packed.values->name()));
  }
  if (initializers_.contains(node.output()) || !packed_.emplace(node.output(), packed).second) {
    damaged(fmt::format("value {} is there twice", node.output()));
  }
}

void TensorReader::read_dequantize(NodeReader& node) {
  const auto axis = node.take_optional_int("axis");
  node.finish(2);
  const Packed packed{
      .values = &initializer(node, 0), .scales = &initializer(node, 1), .axis = axis.value_or(-1)};
  if (!is_of(*packed.values, ::onnx::TensorProto::INT8)) {
    node.unsupported(fmt::format("{} is not an int8 tensor of up to {} axes inside the file",
                                 packed.values->name(), kMaxAxes));
  }
  if (packed.axis < 0 || packed.axis >= packed.values->dims_size()) {
    node.unsupported(fmt::format("its axis is none of {}'s", packed.values->name()));
  }
  if (!is_of(*packed.scales, ::onnx::TensorProto::FLOAT) || packed.scales->dims_size() != 1) {
    node.unsupported(fmt::format("{} is not one row of floats", packed.scales->name()));
  }
  add(node, packed);
}

void TensorReader::read_cast(NodeReader& node) {
  node.require_int("to", ::onnx::TensorProto::FLOAT);
  node.finish(1);
  const Packed packed{.values = &initializer(node, 0)};
  if (!is_of(*packed.values, ::onnx::TensorProto::FLOAT16)) {
    node.unsupported(fmt::format("{} is not a float16 tensor of up to {} axes inside the file",
                                 packed.values->name(), kMaxAxes));
  }
  add(node, packed);
}

std::vector<float> TensorReader::unpack_int8(const NodeReader& node, const Packed& packed,
                                             const Shape& shape) {
  const auto axis = static_cast<std::size_t>(packed.axis);
  const std::vector<std::int8_t> values = raw_values<std::int8_t>(*packed.values, shape);
  const Shape row = shape_of(*packed.scales);
  const std::vector<float> scales = raw_values<float>(*packed.scales, row);
  if (row[0] != shape[static_cast<int>(axis)]) {
    damaged(fmt::format("{} has {} scales for the {} channels of {}", node.name(), row[0],
                        shape[static_cast<int>(axis)], packed.values->name()));
  }
  if (!std::ranges::all_of(scales, usable_scale)) {
    damaged(fmt::format("{} holds a scale that is not above 0 and finite", packed.scales->name()));
  }
  std::size_t stride = 1;
  for (std::size_t i = axis + 1; i < shape.extents().size(); ++i) {
    stride *= static_cast<std::size_t>(shape.extents()[i]);
  }
  return from_int8(values, scales, {.channels = scales.size(), .stride = stride});
}

std::vector<float> TensorReader::unpack(const NodeReader& node, const Packed& packed,
                                        Shape& shape) const {
  shape = shape_of(*packed.values);
  if (packed.scales) return unpack_int8(node, packed, shape);
  return from_halves(raw_values<std::uint16_t>(*packed.values, shape));
}

std::vector<float> TensorReader::floats(const NodeReader& node, int input, Shape& shape) const {
  if (const auto packed = packed_.find(node.input(input)); packed != packed_.end()) {
    return unpack(node, packed->second, shape);
  }
  const ::onnx::TensorProto& tensor = initializer(node, input);
  if (!is_of(tensor, ::onnx::TensorProto::FLOAT)) {
    node.unsupported(fmt::format("{} is not a float tensor of up to {} axes inside the file",
                                 tensor.name(), kMaxAxes));
  }
  shape = shape_of(tensor);
  return raw_values<float>(tensor, shape);
}

float TensorReader::scalar(const NodeReader& node, int input) const {
  Shape shape;
  const std::vector<float> values = floats(node, input, shape);
  if (shape != Shape{}) node.unsupported(fmt::format("{} is not a scalar", node.input(input)));
  return values[0];
}

void TensorReader::require_integers(const NodeReader& node, int input,
                                    std::span<const std::int64_t> values,
                                    const std::string& complaint) const {
  const ::onnx::TensorProto& tensor = initializer(node, input);
  if (tensor.data_type() != ::onnx::TensorProto::INT64 ||
      tensor.raw_data().size() != values.size_bytes() ||
      std::memcmp(tensor.raw_data().data(), values.data(), values.size_bytes()) != 0) {
    node.unsupported(complaint);
  }
}

}  // namespace engraft::onnx_format
