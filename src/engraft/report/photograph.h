#pragma once

#include <memory>

#include "engraft/image/image.h"
#include "engraft/report/canvas.h"

typedef struct _cairo_surface cairo_surface_t;  // NOLINT: as cairo.h declares it

namespace engraft {

/// A picture as Cairo paints it; shared by the copies of a drawing. Null where there is no picture.
using Photograph = std::shared_ptr<cairo_surface_t>;

/// An SVG will carry it as a JPEG; Cairo would write a PNG of several times the size. Null for an
/// empty picture.
[[nodiscard]] Photograph photograph(const Image& image);

/// Stretched over the box, with round corners; a grey ground where there is none.
void draw_photograph(cairo_t* cairo, const Photograph& photograph, const Rectangle& box,
                     double radius);

}  // namespace engraft
