#include "engraft/tensor/tensor.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <string>
#include <utility>

#include "engraft/base/error.h"

namespace engraft {
namespace {

constexpr std::align_val_t kAlignment{64};

/// Values still to be set.
float* allocate(std::size_t size) {
  return static_cast<float*>(::operator new[](size * sizeof(float), kAlignment));
}

}  // namespace

void Tensor::Free::operator()(float* data) const {
  ::operator delete[](data, kAlignment);
}

Tensor Tensor::for_overwrite(Shape shape) {
  Tensor tensor;
  tensor.shape_ = std::move(shape);
  tensor.size_ = static_cast<std::size_t>(tensor.shape_.elements());
  tensor.data_.reset(allocate(tensor.size_));
  return tensor;
}

Tensor::Tensor(Shape shape) : Tensor(for_overwrite(std::move(shape))) {
  std::fill_n(data_.get(), size_, 0.0f);
}

Tensor::Tensor(Shape shape, std::span<const float> values)
    : Tensor(for_overwrite(std::move(shape))) {
  if (values.size() != size_) {
    throw Error(ErrorKind::kBadInput, std::to_string(values.size()) + " values for a tensor of " +
                                          shape_.to_string() + "; it takes " +
                                          std::to_string(size_));
  }
  std::copy(values.begin(), values.end(), data_.get());
}

Tensor::Tensor(const Tensor& other) : Tensor() {
  if (other.data_) *this = Tensor(other.shape_, other.values());
}

Tensor& Tensor::operator=(const Tensor& other) {
  if (this != &other) *this = Tensor(other);
  return *this;
}

Tensor::Tensor(Tensor&& other) noexcept
    : shape_(std::exchange(other.shape_, {})),
      size_(std::exchange(other.size_, 0)),
      data_(std::move(other.data_)) {}

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  if (this != &other) {
    shape_ = std::exchange(other.shape_, {});
    size_ = std::exchange(other.size_, 0);
    data_ = std::move(other.data_);
  }
  return *this;
}

std::span<float> Tensor::row(std::int64_t i) {
  assert(i >= 0 && i < shape_[0]);
  const auto stride = size_ / static_cast<std::size_t>(shape_[0]);
  return values().subspan(static_cast<std::size_t>(i) * stride, stride);
}

std::span<const float> Tensor::row(std::int64_t i) const {
  assert(i >= 0 && i < shape_[0]);
  const auto stride = size_ / static_cast<std::size_t>(shape_[0]);
  return values().subspan(static_cast<std::size_t>(i) * stride, stride);
}

}  // namespace engraft
