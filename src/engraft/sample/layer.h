#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "engraft/image/image.h"
#include "engraft/sample/colour.h"
#include "engraft/sample/libcairo.h"

namespace engraft::plates {

enum class LayerKind {
  kColour,  ///< premultiplied sRGB with alpha
  kMask,    ///< alpha alone
};

/// A transparent Cairo surface as large as the picture, with its context. One that is never drawn
/// on takes no memory.
class Layer {
 public:
  Layer(Size size, LayerKind kind) : size_(size), kind_(kind) {}

  /// To draw on it.
  [[nodiscard]] cairo_t* cairo();
  /// Has never been drawn on: there are no rows.
  [[nodiscard]] bool blank() const { return data_ == nullptr; }
  /// What has been drawn, one row: 4 bytes a pixel (kColour) or 1 (kMask). Call flush() first.
  [[nodiscard]] const std::uint8_t* row(int y) const { return data_ + y * stride_; }
  [[nodiscard]] std::uint8_t* row(int y) { return data_ + y * stride_; }
  void flush();
  [[nodiscard]] Size size() const { return size_; }

  /// kMask: two box filters of the given radius in pixels: a triangle.
  void blur(int radius);

 private:
  struct Destroy {
    void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
    void operator()(cairo_t* cairo) const { cairo_destroy(cairo); }
  };
  Size size_;
  LayerKind kind_;
  std::unique_ptr<cairo_surface_t, Destroy> surface_;
  std::unique_ptr<cairo_t, Destroy> cairo_;
  std::uint8_t* data_ = nullptr;
  std::ptrdiff_t stride_ = 0;
};

/// A colour layer's pixel in linear light.
struct Sample {
  Rgb colour;
  float alpha = 0;
};
[[nodiscard]] inline Sample sample_of(const std::uint8_t* pixel) {
  std::uint32_t argb = 0;
  std::memcpy(&argb, pixel, sizeof argb);
  const std::uint32_t alpha = argb >> 24;
  if (alpha == 0) return {};
  const auto channel = [&](int shift) {
    const std::uint32_t straight = (argb >> shift & 0xFF) * 255 / alpha;
    return linear_of(static_cast<std::uint8_t>(std::min(straight, 255u)));
  };
  return {.colour = {channel(16), channel(8), channel(0)},
          .alpha = static_cast<float>(alpha) / 255.0f};
}

/// Source colour from 0xRRGGBB and opacity.
void set_source(cairo_t* cairo, std::uint32_t srgb, double alpha = 1);

}  // namespace engraft::plates
