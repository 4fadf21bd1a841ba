#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>

#include "engraft/base/error.h"
#include "engraft/formats/half.h"
#include "engraft/formats/safetensors.h"

namespace engraft {
namespace {

struct TypeName {
  std::string_view name;
  std::size_t bytes;
};

/// By DType.
constexpr std::array<TypeName, 13> kTypes{{{"BOOL", 1},
                                           {"U8", 1},
                                           {"I8", 1},
                                           {"U16", 2},
                                           {"I16", 2},
                                           {"F16", 2},
                                           {"BF16", 2},
                                           {"U32", 4},
                                           {"I32", 4},
                                           {"F32", 4},
                                           {"U64", 8},
                                           {"I64", 8},
                                           {"F64", 8}}};

template <typename T>
constexpr DType kTypeOf = DType::kF32;
template <>
constexpr DType kTypeOf<double> = DType::kF64;
template <>
constexpr DType kTypeOf<std::int64_t> = DType::kI64;
template <>
constexpr DType kTypeOf<std::uint64_t> = DType::kU64;

}  // namespace

std::string_view name_of(DType dtype) {
  return kTypes.at(static_cast<std::size_t>(dtype)).name;
}

std::size_t size_of(DType dtype) {
  return kTypes.at(static_cast<std::size_t>(dtype)).bytes;
}

template <typename T>
SafetensorsEntry make_entry(Shape shape, std::span<const T> values) {
  if (static_cast<std::uint64_t>(shape.elements()) != values.size()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} values for a tensor of {}", values.size(), shape.to_string()));
  }
  const auto bytes = std::as_bytes(values);
  return {kTypeOf<T>, std::move(shape), {bytes.begin(), bytes.end()}};
}
template SafetensorsEntry make_entry(Shape, std::span<const float>);
template SafetensorsEntry make_entry(Shape, std::span<const double>);
template SafetensorsEntry make_entry(Shape, std::span<const std::int64_t>);
template SafetensorsEntry make_entry(Shape, std::span<const std::uint64_t>);

SafetensorsEntry make_entry(const Tensor& tensor) {
  return make_entry(tensor.shape(), tensor.values());
}

template <typename T>
std::vector<T> values_of(const SafetensorsEntry& entry) {
  if (entry.dtype != kTypeOf<T>) {
    throw Error(ErrorKind::kBadInput, fmt::format("a tensor is {}, {} is needed",
                                                  name_of(entry.dtype), name_of(kTypeOf<T>)));
  }
  std::vector<T> values(entry.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), entry.bytes.data(), values.size() * sizeof(T));
  return values;
}
template std::vector<float> values_of(const SafetensorsEntry&);
template std::vector<double> values_of(const SafetensorsEntry&);
template std::vector<std::int64_t> values_of(const SafetensorsEntry&);
template std::vector<std::uint64_t> values_of(const SafetensorsEntry&);

Tensor to_tensor(const SafetensorsEntry& entry) {
  const bool half = entry.dtype == DType::kF16;
  if (!half && entry.dtype != DType::kBF16 && entry.dtype != DType::kF32) {
    throw Error(
        ErrorKind::kUnsupported,
        fmt::format("{} is not held by a float; F32, F16 and BF16 are", name_of(entry.dtype)));
  }
  Tensor tensor(entry.shape);
  if (tensor.size() * size_of(entry.dtype) != entry.bytes.size()) {
    throw Error(ErrorKind::kUsage, fmt::format("a tensor of {} has {} bytes",
                                               entry.shape.to_string(), entry.bytes.size()));
  }
  if (entry.dtype == DType::kF32) {
    if (tensor.size() > 0) std::memcpy(tensor.data(), entry.bytes.data(), entry.bytes.size());
    return tensor;
  }
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    std::uint16_t value = 0;
    std::memcpy(&value, entry.bytes.data() + i * sizeof value, sizeof value);
    tensor.data()[i] =
        half ? half_to_float(value) : std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
  }
  return tensor;
}

}  // namespace engraft
