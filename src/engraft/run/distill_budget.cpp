#include "engraft/run/distill_budget.h"

#include <algorithm>

#include "engraft/run/stopwatch.h"

namespace engraft {
namespace {

constexpr std::int64_t kTrialSteps = 8;

/// Seconds of an epoch without a look, from its first steps. Of several, the very first is not
/// counted: memory is taken in it, and kernels are made.
double epoch_seconds(Distiller& distiller) {
  const DistillState start = distiller.state();
  const std::int64_t steps = std::min(kTrialSteps, distiller.steps_per_epoch());
  const std::int64_t uncounted = steps > 1 ? 1 : 0;
  for (std::int64_t i = 0; i < uncounted; ++i) distiller.step();
  const double looking = distiller.seconds_looking();
  const Stopwatch watch;
  for (std::int64_t i = uncounted; i < steps; ++i) distiller.step();
  const double seconds = watch.seconds() - (distiller.seconds_looking() - looking);
  distiller.restore(start);
  return seconds / static_cast<double>(steps - uncounted) *
         static_cast<double>(distiller.steps_per_epoch());
}

/// Of a run that looks at nothing.
int epochs_without_looks(double seconds, const DistillTimes& times, int views) {
  const double first = views * times.fresh;
  const double epochs = views == 0 || seconds < first ? seconds / times.fresh
                                                      : views + (seconds - first) / times.returned;
  return static_cast<int>(std::clamp<double>(epochs, 1, DistillOptions::kMostEpochs));
}

double seconds_of(int epochs, const DistillTimes& times, const DistillOptions& options) {
  const int fresh = options.views == 0 ? epochs : std::min(epochs, options.views);
  return fresh * times.fresh + (epochs - fresh) * times.returned +
         distill_looks(options, epochs) * times.look;
}

}  // namespace

DistillTimes measure_distilling(Distiller& distiller) {
  DistillTimes times;
  times.fresh = epoch_seconds(distiller);
  times.returned = epoch_seconds(distiller);
  const Stopwatch watch;
  (void)distiller.look();
  times.look = watch.seconds();
  return times;
}

int epochs_in(double seconds, const DistillTimes& times, const DistillOptions& options) {
  // From above, for a longer run may have fewer looks and take less time.
  int epochs = epochs_without_looks(seconds, times, options.views);
  while (epochs > 1 && seconds_of(epochs, times, options) > seconds) --epochs;
  return epochs;
}

}  // namespace engraft
