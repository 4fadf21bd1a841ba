#pragma once

#include <span>
#include <string>

#include "engraft/report/drawings.h"
#include "growth_measure.h"

namespace engraft::bench {

/// Small multiples: a panel a question, three in a row. A line is vermilion or blue, with its name
/// and last value at its right end; what it is held against is a dashed grey line; notes stand
/// below the places of the x axis.
[[nodiscard]] Drawing growth_drawing(std::span<const Growth> growths, const std::string& machine);

}  // namespace engraft::bench
