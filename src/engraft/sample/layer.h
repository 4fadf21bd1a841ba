#pragma once

#include <cairo.h>

#include <cstdint>
#include <memory>

#include "engraft/image/image.h"
#include "engraft/sample/colour.h"

namespace engraft::plates {

enum class LayerKind {
  kColour,  ///< premultiplied sRGB with alpha
  kMask,    ///< alpha alone
};

/// A transparent Cairo surface as large as the picture, with its context.
class Layer {
 public:
  Layer(Size size, LayerKind kind);

  [[nodiscard]] cairo_t* cairo() const { return cairo_.get(); }
  /// What has been drawn, one row: 4 bytes a pixel (kColour) or 1 (kMask). Call flush() first.
  [[nodiscard]] const std::uint8_t* row(int y) const { return data_ + y * stride_; }
  [[nodiscard]] std::uint8_t* row(int y) { return data_ + y * stride_; }
  void flush() const { cairo_surface_flush(surface_.get()); }
  [[nodiscard]] Size size() const { return size_; }

  /// kMask: three box filters of the given radius in pixels, close to a Gaussian.
  void blur(int radius);

 private:
  struct Destroy {
    void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
    void operator()(cairo_t* cairo) const { cairo_destroy(cairo); }
  };
  Size size_;
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
[[nodiscard]] Sample sample_of(const std::uint8_t* pixel);

/// Source colour from 0xRRGGBB and opacity.
void set_source(cairo_t* cairo, std::uint32_t srgb, double alpha = 1);

}  // namespace engraft::plates
