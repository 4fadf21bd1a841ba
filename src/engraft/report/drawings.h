#pragma once

#include <functional>
#include <string>

#include "engraft/base/file.h"
#include "engraft/report/run_record.h"

typedef struct _cairo cairo_t;

namespace engraft {

/// A drawing: its size and one function that paints it, whatever the surface.
struct Drawing {
  double width = 0, height = 0;  ///< in points
  std::function<void(cairo_t*)> paint;
};

[[nodiscard]] Drawing curves(
    const RunRecord& run);  ///< accuracy and loss per epoch, training and validation
[[nodiscard]] Drawing confusion(const RunRecord& run);  ///< the confusion matrix
[[nodiscard]] Drawing predictions(
    const RunRecord& run);  ///< up to 20 pictures, true and predicted label, wrong ones marked

/// scale: pixels a point.
[[nodiscard]] Bytes to_png(const Drawing& drawing, double scale = 2);
[[nodiscard]] std::string to_svg(const Drawing& drawing);

}  // namespace engraft
