#include "engraft/report/photograph.h"

#include <cstdint>
#include <cstring>

#include "engraft/image/encode.h"
#include "engraft/report/libcairo.h"

namespace engraft {
namespace {

constexpr int kJpegQuality = 86;

Photograph surface_of(const Image& image) {
  Photograph surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, image.width, image.height),
                     DestroySurface());
  unsigned char* const data = cairo_image_surface_get_data(surface.get());
  if (data == nullptr) return nullptr;
  const int stride = cairo_image_surface_get_stride(surface.get());
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* from = image.row(y);
    for (int x = 0; x < image.width; ++x, from += 3) {
      const std::uint32_t pixel = 0xFF000000u | from[0] << 16 | from[1] << 8 | from[2];
      std::memcpy(data + y * std::ptrdiff_t{stride} + x * 4, &pixel, sizeof pixel);
    }
  }
  cairo_surface_mark_dirty(surface.get());
  return surface;
}

void attach_jpeg(cairo_surface_t* surface, const Image& image) {
  auto jpeg = std::make_unique<Bytes>(encode_jpeg(image, kJpegQuality));
  const auto* data = reinterpret_cast<const unsigned char*>(jpeg->data());
  const auto size = static_cast<unsigned long>(jpeg->size());
  const auto free_jpeg = [](void* bytes) { delete static_cast<Bytes*>(bytes); };
  if (cairo_surface_set_mime_data(surface, CAIRO_MIME_TYPE_JPEG, data, size, free_jpeg,
                                  jpeg.get()) == CAIRO_STATUS_SUCCESS) {
    static_cast<void>(jpeg.release());  // the surface's now
  }
}

}  // namespace

Photograph photograph(const Image& image) {
  if (image.width < 1 || image.height < 1) return nullptr;
  Photograph surface = surface_of(image);
  if (surface) attach_jpeg(surface.get(), image);
  return surface;
}

void draw_photograph(cairo_t* cairo, const Photograph& photograph, const Rectangle& box,
                     double radius) {
  cairo_save(cairo);
  rounded_rectangle(cairo, box, radius);
  cairo_clip(cairo);
  if (photograph) {
    const double width = cairo_image_surface_get_width(photograph.get());
    const double height = cairo_image_surface_get_height(photograph.get());
    cairo_translate(cairo, box.x, box.y);
    cairo_scale(cairo, box.width / width, box.height / height);
    cairo_set_source_surface(cairo, photograph.get(), 0, 0);
    cairo_pattern_set_extend(cairo_get_source(cairo), CAIRO_EXTEND_PAD);
    cairo_rectangle(cairo, 0, 0, width, height);
  } else {
    set_colour(cairo, palette::kGrid);
    cairo_rectangle(cairo, box.x, box.y, box.width, box.height);
  }
  cairo_fill(cairo);
  cairo_restore(cairo);
}

}  // namespace engraft
