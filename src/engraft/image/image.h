#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace engraft {

/// Width and height in pixels.
struct Size {
  int width = 0;
  int height = 0;
  bool operator==(const Size&) const = default;
};

/// An upright picture: 8-bit sRGB, three channels interleaved R G B, rows top to bottom without
/// padding. pixels.size() == 3 · width · height.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  Image() = default;
  /// Black.
  Image(int w, int h)
      : width(w),
        height(h),
        pixels(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3) {}

  [[nodiscard]] const std::uint8_t* row(int y) const { return pixels.data() + offset(y); }
  [[nodiscard]] std::uint8_t* row(int y) { return pixels.data() + offset(y); }
  [[nodiscard]] Size size() const { return {width, height}; }
  bool operator==(const Image&) const = default;

 private:
  [[nodiscard]] std::size_t offset(int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) * 3;
  }
};

}  // namespace engraft
