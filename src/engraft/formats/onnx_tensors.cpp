#include "engraft/formats/onnx_tensors.h"

#include <fmt/format.h>
#include <onnx.pb.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

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

/// A tensor's bytes, as many as values of that size make up its shape.
std::span<const char> raw_bytes(const ::onnx::TensorProto& tensor, const Shape& shape,
                                std::size_t size) {
  const std::string& raw = tensor.raw_data();
  if (static_cast<std::uint64_t>(shape.elements()) != raw.size() / size || raw.size() % size != 0) {
    damaged(fmt::format("{} {} has {} bytes", tensor.name(), shape.to_string(), raw.size()));
  }
  return raw;
}

/// Values as they lie in a file, where they begin at any address.
template <typename T>
void copy_values(std::span<const char> bytes, std::span<T> to) {
  if (!to.empty()) std::memcpy(to.data(), bytes.data(), to.size_bytes());
}

}  // namespace

StoredTensor::StoredTensor(const ::onnx::TensorProto& tensor, Type type)
    : type_(type), shape_(shape_of(tensor)) {
  const std::size_t size = type == Type::kFloat ? 4 : type == Type::kHalf ? 2 : 1;
  bytes_ = raw_bytes(tensor, shape_, size);
  if (shape_.rank() > 0 && shape_[0] > 0) {
    row_size_ = bytes_.size() / size / static_cast<std::size_t>(shape_[0]);
  }
}

void StoredTensor::read_rows(std::size_t first, std::span<float> to) const {
  if (to.empty()) return;
  const std::size_t begin = first * row_size_;
  switch (type_) {
    case Type::kFloat:
      return copy_values(bytes_.subspan(begin * sizeof(float)), to);
    case Type::kHalf: {
      std::vector<std::uint16_t> halves(to.size());
      copy_values(bytes_.subspan(begin * sizeof(std::uint16_t)), std::span(halves));
      return from_halves(halves, to);
    }
    case Type::kInt8: {
      const std::span<const float> scales =
          axis_ == 0 ? std::span(scales_).subspan(first, to.size() / row_size_) : scales_;
      std::size_t stride = 1;
      for (std::size_t i = axis_ + 1; i < shape_.extents().size(); ++i) {
        stride *= static_cast<std::size_t>(shape_.extents()[i]);
      }
      return from_int8({reinterpret_cast<const std::int8_t*>(bytes_.data()) + begin, to.size()},
                       scales, {.channels = scales.size(), .stride = stride}, to);
    }
  }
}

Tensor StoredTensor::all() const {
  Tensor result = Tensor::for_overwrite(shape_);
  read_rows(0, result.values());
  return result;
}

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

StoredTensor TensorReader::stored_int8(const NodeReader& node, const Packed& packed) {
  StoredTensor result(*packed.values, StoredTensor::Type::kInt8);
  const Shape& shape = result.shape();
  const StoredTensor scales(*packed.scales, StoredTensor::Type::kFloat);
  result.axis_ = static_cast<std::size_t>(packed.axis);
  const std::int64_t channels = shape[static_cast<int>(packed.axis)];
  if (scales.shape()[0] != channels) {
    damaged(fmt::format("{} has {} scales for the {} channels of {}", node.name(),
                        scales.shape()[0], channels, packed.values->name()));
  }
  result.scales_.resize(static_cast<std::size_t>(channels));
  scales.read_rows(0, result.scales_);
  if (!std::ranges::all_of(result.scales_, usable_scale)) {
    damaged(fmt::format("{} holds a scale that is not above 0 and finite", packed.scales->name()));
  }
  return result;
}

StoredTensor TensorReader::stored(const NodeReader& node, int input) const {
  if (const auto packed = packed_.find(node.input(input)); packed != packed_.end()) {
    if (packed->second.scales) return stored_int8(node, packed->second);
    return {*packed->second.values, StoredTensor::Type::kHalf};
  }
  const ::onnx::TensorProto& tensor = initializer(node, input);
  if (!is_of(tensor, ::onnx::TensorProto::FLOAT)) {
    node.unsupported(fmt::format("{} is not a float tensor of up to {} axes inside the file",
                                 tensor.name(), kMaxAxes));
  }
  return {tensor, StoredTensor::Type::kFloat};
}

float TensorReader::scalar(const NodeReader& node, int input) const {
  const Tensor value = stored(node, input).all();
  if (value.shape() != Shape{}) {
    node.unsupported(fmt::format("{} is not a scalar", node.input(input)));
  }
  return value.values()[0];
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
