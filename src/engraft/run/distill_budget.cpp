#include "engraft/run/distill_budget.h"

#include <algorithm>
#include <chrono>

namespace engraft {
namespace {

constexpr std::int64_t kTrialSteps = 8;
constexpr double kMostEpochs = 1e6;

/// Seconds of an epoch, from its first steps. Of several, the very first is not counted: memory is
/// taken in it, and kernels are made.
double epoch_seconds(Distiller& distiller) {
  using Clock = std::chrono::steady_clock;
  const DistillState start = distiller.state();
  const std::int64_t steps = std::min(kTrialSteps, distiller.steps_per_epoch());
  const std::int64_t uncounted = steps > 1 ? 1 : 0;
  for (std::int64_t i = 0; i < uncounted; ++i) distiller.step();
  const auto begin = Clock::now();
  for (std::int64_t i = uncounted; i < steps; ++i) distiller.step();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  distiller.restore(start);
  return seconds / static_cast<double>(steps - uncounted) *
         static_cast<double>(distiller.steps_per_epoch());
}

}  // namespace

DistillTimes measure_distilling(Distiller& distiller) {
  const double fresh = epoch_seconds(distiller);
  return {.fresh = fresh, .returned = epoch_seconds(distiller)};
}

int epochs_in(double seconds, const DistillTimes& times, int views) {
  const double first = views * times.fresh;
  const double epochs = views == 0 || seconds < first ? seconds / times.fresh
                                                      : views + (seconds - first) / times.returned;
  return static_cast<int>(std::clamp(epochs, 1.0, kMostEpochs));
}

}  // namespace engraft
