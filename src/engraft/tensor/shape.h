#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace engraft {

/// Extents of a tensor, outermost first; activations are [N,H,W,C]. Each extent ≥ 0.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) : extents_(extents) {}
  explicit Shape(std::vector<std::int64_t> extents) : extents_(std::move(extents)) {}

  [[nodiscard]] int rank() const { return static_cast<int>(extents_.size()); }
  /// Negative axes count from the end.
  [[nodiscard]] std::int64_t operator[](int axis) const;
  /// Product of the extents; 1 for rank 0. Throws Error(kBadInput) when it is negative or does not
  /// fit 48 bits.
  [[nodiscard]] std::int64_t elements() const;
  [[nodiscard]] const std::vector<std::int64_t>& extents() const { return extents_; }
  /// "[1,224,224,3]"
  [[nodiscard]] std::string to_string() const;
  bool operator==(const Shape&) const = default;

 private:
  std::vector<std::int64_t> extents_;
};

}  // namespace engraft
