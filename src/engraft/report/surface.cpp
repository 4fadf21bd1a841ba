// Drawing → PNG and SVG: the same paint function on two surfaces.

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "engraft/base/error.h"
#include "engraft/report/canvas.h"
#include "engraft/report/drawings.h"
#include "engraft/report/libcairo.h"
#include "engraft/report/svg_ids.h"

namespace engraft {
namespace {

/// Cairo's own limit on an image surface's side.
constexpr double kLargestSide = 32767;

using Surface = std::unique_ptr<cairo_surface_t, DestroySurface>;

void check(cairo_status_t status, const char* doing) {
  if (status == CAIRO_STATUS_SUCCESS) return;
  throw Error(ErrorKind::kInternal, fmt::format("{}: {}", doing, cairo_status_to_string(status)));
}

void paint_on(cairo_surface_t* surface, const Drawing& drawing, double scale) {
  check(cairo_surface_status(surface), "making room for a drawing");
  struct DestroyContext {
    void operator()(cairo_t* context) const { cairo_destroy(context); }
  };
  const std::unique_ptr<cairo_t, DestroyContext> cairo(cairo_create(surface));
  cairo_scale(cairo.get(), scale, scale);
  set_colour(cairo.get(), palette::kPaper);
  cairo_paint(cairo.get());
  drawing.paint(cairo.get());
  check(cairo_status(cairo.get()), "painting a drawing");
}

template <typename Container>
cairo_status_t append(void* closure, const unsigned char* data, unsigned int length) {
  auto& bytes = *static_cast<Container*>(closure);
  const auto* begin = reinterpret_cast<const typename Container::value_type*>(data);
  bytes.insert(bytes.end(), begin, begin + length);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

void require_drawing() {
  cairo_t* (*const create)(cairo_surface_t*) = cairo_create;
  static_cast<void>(create);  // it is there
}

Bytes to_png(const Drawing& drawing, double scale) {
  const double width = std::ceil(drawing.width * scale);
  const double height = std::ceil(drawing.height * scale);
  if (!(width >= 1 && height >= 1 && width <= kLargestSide && height <= kLargestSide)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("a drawing of {} by {} pixels cannot be made; give another scale",
                            width, height));
  }
  const Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width),
                                                   static_cast<int>(height)));
  paint_on(surface.get(), drawing, scale);
  Bytes png;
  check(cairo_surface_write_to_png_stream(surface.get(), append<Bytes>, &png), "writing a PNG");
  return png;
}

std::string to_svg(const Drawing& drawing) {
  std::string svg;
  const Surface surface(cairo_svg_surface_create_for_stream(append<std::string>, &svg,
                                                            drawing.width, drawing.height));
  paint_on(surface.get(), drawing, 1);
  cairo_surface_finish(surface.get());
  check(cairo_surface_status(surface.get()), "writing an SVG");
  return number_ids(svg);
}

}  // namespace engraft
