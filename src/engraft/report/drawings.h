#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engraft/base/file.h"
#include "engraft/image/image.h"
#include "engraft/report/run_record.h"

typedef struct _cairo cairo_t;  // NOLINT: as cairo.h declares it

namespace engraft {

/// A drawing: its size and one function that paints it, whatever the surface, on a white ground. It
/// holds copies of what it shows and may outlive the RunRecord.
struct Drawing {
  double width = 0, height = 0;  ///< in points
  std::function<void(cairo_t*)> paint;
};

/// Makes sure that drawings can be drawn: before a long computation rather than behind it. Throws
/// Error(kUnsupported) where Cairo is missing.
void require_drawing();

/// Accuracy and loss per epoch, side by side, training and validation, the best epoch marked. A
/// series of NaN alone is left out; NaN is a gap; what is off the scale (a spike, infinity) is a
/// triangle at the upper edge.
[[nodiscard]] Drawing curves(const RunRecord& run);

/// The confusion matrix: a row per true class, counts, the share of the row as depth of colour,
/// blue on the diagonal and vermilion off it.
[[nodiscard]] Drawing confusion(const RunRecord& run);

/// The first 20 pictures with true and predicted label and probability; a red frame and a cross
/// mark the wrong ones.
[[nodiscard]] Drawing predictions(const RunRecord& run);

/// One picture of them.
[[nodiscard]] Drawing prediction_card(const ShownPrediction& prediction);

/// What augmentation makes of a training picture.
struct AugmentedView {
  Image picture;
  std::string note = {};  ///< a few words below it; may be empty
};
struct AugmentedRow {
  Image original;     ///< as it is without augmentation
  std::string label;  ///< its class
  std::vector<AugmentedView> views;
};
struct AugmentedSheet {
  std::string title;
  std::string summary;  ///< what is on, in a line; may be empty
  std::vector<AugmentedRow> rows;
};

/// A contact sheet: a row per picture, the original with its class at the left, its views at the
/// right, ten rows of eight views at most. The pictures are of one shape, that of the network's
/// input; one of another shape is stretched to that of the first.
[[nodiscard]] Drawing augmented(const AugmentedSheet& sheet);

/// scale: pixels a point. Throws Error(kUsage) when a side would have no or more than 32767 pixels.
[[nodiscard]] Bytes to_png(const Drawing& drawing, double scale = 2);
[[nodiscard]] std::string to_svg(const Drawing& drawing);

}  // namespace engraft
