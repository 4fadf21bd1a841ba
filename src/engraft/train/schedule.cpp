#include "engraft/train/schedule.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>
#include <string>

#include "engraft/base/error.h"

namespace engraft {
namespace {

constexpr std::int64_t kMostSteps = 1'000'000'000'000'000;
constexpr int kMostPieces = 1000;  // times kMostSteps still fits 64 bits

constexpr double kOneCycleRise = 0.3;  // share of all steps
constexpr double kOneCycleStart = 1.0 / 25;
constexpr double kOneCycleEnd = 1e-4;

std::int64_t share_of(double share, std::int64_t total) {
  return std::llround(share * static_cast<double>(total));
}

/// From 1 at 0 to 0 at 1.
double half_cosine(double along) {
  return 0.5 * (1 + std::cos(std::numbers::pi * along));
}

/// In shares of the peak.
double one_cycle(std::int64_t step, std::int64_t total) {
  const std::int64_t rise = share_of(kOneCycleRise, total);
  if (step < rise) {
    const double along = static_cast<double>(step) / static_cast<double>(rise);
    return kOneCycleStart + (1 - kOneCycleStart) * along;
  }
  const std::int64_t fall = total - 1 - rise;
  if (fall == 0) return 1;  // a run too short to come down again
  const double along = static_cast<double>(step - rise) / static_cast<double>(fall);
  return kOneCycleEnd + (1 - kOneCycleEnd) * half_cosine(along);
}

}  // namespace

std::string_view name_of(ScheduleKind schedule) {
  switch (schedule) {
    case ScheduleKind::kConstant:
      return "constant";
    case ScheduleKind::kCosine:
      return "cosine";
    case ScheduleKind::kStep:
      return "step";
    case ScheduleKind::kOneCycle:
      return "one-cycle";
  }
  throw Error(ErrorKind::kInternal, "a schedule without a name");
}

void Schedule::check() const {
  require(peak > 0 && std::isfinite(peak),
          fmt::format("the learning rate must be above 0, not {}: 0.001 is a usual one", peak));
  require(warmup >= 0 && warmup < 1,
          fmt::format("the warm-up's share must be in [0, 1), not {}: 0.05 is a usual one, 0 for "
                      "none",
                      warmup));
  require(total >= 1 && total <= kMostSteps,
          fmt::format("a schedule needs 1 to {} steps, not {}", kMostSteps, total));
  require(pieces >= 1 && pieces <= kMostPieces,
          fmt::format("a step schedule has 1 to {} pieces, not {}: 3 is a usual number",
                      kMostPieces, pieces));
  require(factor > 0 && factor <= 1,
          fmt::format("a step schedule's factor must be in (0, 1], not {}: 0.1 is a usual one",
                      factor));
}

float Schedule::rate(std::int64_t step) const {
  if (kind == ScheduleKind::kOneCycle) return peak * static_cast<float>(one_cycle(step, total));
  const std::int64_t warm = share_of(warmup, total);
  if (step < warm) {
    return peak * static_cast<float>(static_cast<double>(step + 1) / static_cast<double>(warm));
  }
  switch (kind) {
    case ScheduleKind::kCosine: {
      const double along = static_cast<double>(step - warm) / static_cast<double>(total - warm);
      return peak * static_cast<float>(half_cosine(along));
    }
    case ScheduleKind::kStep: {
      const auto drops = static_cast<double>(pieces * step / total);
      return peak * static_cast<float>(std::pow(static_cast<double>(factor), drops));
    }
    default:
      return peak;
  }
}

}  // namespace engraft
