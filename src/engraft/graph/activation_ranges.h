#pragma once

#include <map>
#include <string>

namespace engraft {

/// Between which bounds values were seen to lie.
struct ActivationRange {
  float low = 0, high = 0;
  bool operator==(const ActivationRange&) const = default;
};

/// By the name of a graph's value: what 8-bit arithmetic needs to know (engine/calibration.h).
using ActivationRanges = std::map<std::string, ActivationRange, std::less<>>;

}  // namespace engraft
