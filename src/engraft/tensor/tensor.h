#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "engraft/tensor/shape.h"

namespace engraft {

/// A dense float32 array that owns its memory, 64-byte aligned (a cache line, an AVX-512 vector),
/// row-major. Copying copies the values; moving is free.
class Tensor {
 public:
  Tensor() = default;
  /// Zeros.
  explicit Tensor(Shape shape);
  /// Values still to be set: for large tensors that are written whole, which zeros would cost
  /// twice the memory traffic.
  [[nodiscard]] static Tensor for_overwrite(Shape shape);
  /// A copy of values. Throws Error(kBadInput) unless values.size() == shape.elements().
  Tensor(Shape shape, std::span<const float> values);
  Tensor(const Tensor& other);
  Tensor& operator=(const Tensor& other);
  /// The other is empty afterwards.
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor() = default;

  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] float* data() { return data_.get(); }
  [[nodiscard]] const float* data() const { return data_.get(); }
  [[nodiscard]] std::span<float> values() { return {data_.get(), size_}; }
  [[nodiscard]] std::span<const float> values() const { return {data_.get(), size_}; }
  /// Row i of the outermost axis; i in [0, shape()[0]).
  [[nodiscard]] std::span<float> row(std::int64_t i);
  [[nodiscard]] std::span<const float> row(std::int64_t i) const;

 private:
  struct Free {
    void operator()(float* data) const;
  };

  Shape shape_;
  std::size_t size_ = 0;
  std::unique_ptr<float[], Free> data_;
};

}  // namespace engraft
