#pragma once

#include <string>
#include <vector>

#include "engraft/report/drawings.h"

namespace engraft {

/// One step of a learning-rate range test.
struct RateCurvePoint {
  double rate = 0;
  double loss = 0;      ///< of the step's batch
  double smoothed = 0;  ///< of the steps so far
};

/// A rate worth a word.
struct RateMark {
  enum class Kind {
    kSuggestion,  ///< a large dot in vermilion, and a bold label
    kLandmark     ///< a small ring
  };
  double rate = 0;
  std::string label;
  Kind kind = Kind::kLandmark;
};

/// What rate_curve() draws.
struct RateCurve {
  std::string title;
  std::string remark;   ///< in small below the title; may be empty
  std::string verdict;  ///< where there is nothing to mark, a few words above the curve
  std::vector<RateCurvePoint> points;  ///< by rate, which rises
  std::vector<RateMark> marks;         ///< on the smoothed line
};

/// Loss over learning rate, which has a logarithmic axis: a faint dot a batch, the smoothed loss as
/// a line, and the marks on it. The loss axis does not begin at 0: it is scaled to the fall of the
/// smoothed loss. What lies off that scale is left out, and the rates end soon after the line has
/// left it at the upper edge for good. Points that are not numbers, or have a rate that is not
/// above 0, are left out, too.
[[nodiscard]] Drawing rate_curve(const RateCurve& curve);

}  // namespace engraft
