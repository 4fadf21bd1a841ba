#pragma once

#include <cassert>
#include <complex>
#include <cstdint>

namespace engraft::reference {

/// Extents of one picture's activations, [height, width, channels].
struct Extents {
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::int64_t channels = 1;

  [[nodiscard]] std::int64_t pixels() const { return height * width; }
  [[nodiscard]] std::int64_t elements() const { return pixels() * channels; }
  bool operator==(const Extents&) const = default;
};

/// A window that slides over a picture with zeros added around it.
struct Window {
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::int64_t stride = 1;  ///< both ways
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;

  /// Places of the window: ⌊(H + top + bottom − height) / stride⌋ + 1, and so for the width.
  [[nodiscard]] Extents places(const Extents& input, std::int64_t channels) const {
    return {.height = (input.height + top + bottom - height) / stride + 1,
            .width = (input.width + left + right - width) / stride + 1,
            .channels = channels};
  }
};

/// What a branch may look at: the value itself, or the real part of a complex number. The imaginary
/// part then carries a derivative through unharmed (the complex step).
template <typename T>
[[nodiscard]] T real_part(const T& value) {
  return value;
}
template <typename T>
[[nodiscard]] T real_part(const std::complex<T>& value) {
  return value.real();
}

}  // namespace engraft::reference
