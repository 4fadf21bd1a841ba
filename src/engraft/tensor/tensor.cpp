#include "engraft/tensor/tensor.h"

#include <algorithm>
#include <cassert>
#include <new>

namespace engraft {
namespace {
constexpr std::align_val_t kAlignment{64};
}  // namespace

void Tensor::Free::operator()(float* data) const {
  ::operator delete[](data, kAlignment);
}

Tensor::Tensor(Shape shape)
    : shape_(std::move(shape)), size_(static_cast<std::size_t>(shape_.elements())) {
  data_.reset(static_cast<float*>(::operator new[](size_ * sizeof(float), kAlignment)));
  std::fill_n(data_.get(), size_, 0.0f);
}

Tensor::Tensor(Shape shape, std::span<const float> values) : Tensor(std::move(shape)) {
  assert(values.size() == size_);
  std::copy(values.begin(), values.end(), data_.get());
}

Tensor::Tensor(const Tensor& other) : Tensor() {
  if (other.data_) *this = Tensor(other.shape_, other.values());
}

Tensor& Tensor::operator=(const Tensor& other) {
  if (this != &other) *this = Tensor(other);
  return *this;
}

std::span<float> Tensor::row(std::int64_t i) {
  const auto stride = size_ / static_cast<std::size_t>(shape_[0]);
  return values().subspan(static_cast<std::size_t>(i) * stride, stride);
}

std::span<const float> Tensor::row(std::int64_t i) const {
  const auto stride = size_ / static_cast<std::size_t>(shape_[0]);
  return values().subspan(static_cast<std::size_t>(i) * stride, stride);
}

}  // namespace engraft
