#include "engraft/train/schedule.h"

#include <cmath>
#include <numbers>

namespace engraft {

float Schedule::rate(std::int64_t step) const {
  const std::int64_t warm = std::llround(static_cast<double>(warmup) * static_cast<double>(total));
  if (step < warm) {
    return peak * static_cast<float>(static_cast<double>(step + 1) / static_cast<double>(warm));
  }
  const double along = static_cast<double>(step - warm) / static_cast<double>(total - warm);
  return peak * static_cast<float>(0.5 * (1 + std::cos(std::numbers::pi * along)));
}

}  // namespace engraft
