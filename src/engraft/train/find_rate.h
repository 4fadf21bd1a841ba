#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>
#include <string_view>
#include <vector>

namespace engraft {

inline constexpr float kHighestSweepRate = 100;
inline constexpr int kFewestSweepSteps = 20;
inline constexpr int kMostSweepSteps = 100'000;

/// The rates of a range test (Smith 2017, "Cyclical Learning Rates for Training Neural Networks",
/// §3.3): step s = 0 … steps-1 is done at low·(high/low)^(s/(steps-1)).
struct RateSweep {
  float low = 1e-7f;
  float high = 1;
  int steps = 100;

  /// Throws Error(kUsage) unless 0 < low, 10·low ≤ high ≤ kHighestSweepRate and kFewestSweepSteps ≤
  /// steps ≤ kMostSweepSteps.
  void check() const;
  [[nodiscard]] float rate(int step) const;
  /// Steps at the lowest rates, a tenth of all: too few for a smoothed loss to be believed.
  [[nodiscard]] std::size_t start() const;
};

/// Mean losses of one batch, before the step that it is for.
struct BatchLosses {
  float now = 0;       ///< of the network as it is
  float at_start = 0;  ///< of the network that the sweep began with, on the same views
};

/// β of the smoothing. A mean of (1+β)/(1-β) = 19 steps varies as much.
inline constexpr double kRateSmoothing = 0.9;

/// One step of a range test.
///
/// Smith and fastai look at the losses of the batches themselves. Those of a network whose head is
/// trained fall by less than batches differ from each other, so here each batch is compared with
/// itself: d = now - at_start.
struct RatePoint {
  float rate = 0;
  BatchLosses losses;
  /// d, older ones counting less, corrected for the beginning (as in Kingma & Ba 2015, §3):
  /// (1-β)·Σᵢ βˢ⁻ⁱ·dᵢ / (1-βˢ⁺¹)
  double change = 0;
  double error = 0;  ///< standard error of change, from the spread of d about it
};

/// Why a range test ended.
enum class SweepEnd {
  kAllRates,  ///< it came to the highest
  kDiverged,  ///< the loss rose too far, or was no number any more
};

struct RateTest {
  std::vector<RatePoint> points;  ///< all with finite losses
  double level = 0;               ///< mean of at_start
  SweepEnd end = SweepEnd::kAllRates;

  /// The loss of a step, as it would be on a batch that is neither easy nor hard: level + d.
  [[nodiscard]] double loss(std::size_t point) const {
    const BatchLosses& losses = points[point].losses;
    return level + double{losses.now} - double{losses.at_start};
  }
  /// Likewise, smoothed.
  [[nodiscard]] double smoothed(std::size_t point) const { return level + points[point].change; }
};

/// Runs a range test. step(rate) measures a batch and then does a step at the rate; a loss that is
/// no number, or +infinity for a gradient that is none, ends the test. So does a smoothed loss that
/// is, behind the start, above where it began and more than four times its lowest so far (fastai's
/// rule) or twice where it began: smoothed labels do not let it fall far. Errors: kUsage as
/// check(), kBadInput where the very first loss is no number, kCancelled on a stop.
[[nodiscard]] RateTest test_rates(const RateSweep& sweep,
                                  const std::function<BatchLosses(float rate)>& step,
                                  const std::function<void(const RatePoint&)>& on_point = {},
                                  const std::stop_token& stop = {});

/// What a range test has shown.
enum class RateVerdict {
  kFound,         ///< the loss fell, and then rose
  kStillFalling,  ///< it was lowest at the highest rates: better ones may lie above
  kNeverFell,     ///< at no rate, by more than chance
  kRoseAtOnce,    ///< it rose at the lowest rates: better ones may lie below
};
/// "found", "still-falling", "never-fell", "rose-at-once".
[[nodiscard]] std::string_view name_of(RateVerdict verdict);

struct RateSuggestion {
  RateVerdict verdict = RateVerdict::kNeverFell;
  std::size_t minimum = 0;  ///< the point behind the start with the lowest smoothed loss
  // The rest means something for kFound and kStillFalling, and is 0 else.
  std::size_t steepest = 0;    ///< where it falls fastest, from the start to the minimum
  float tenth_of_minimum = 0;  ///< a tenth of the rate at the minimum
  float rate = 0;              ///< the one to take: a third of it, to two digits

  [[nodiscard]] bool found() const { return rate > 0; }
};

/// Reads a range test. Two rules are known, both of them fastai's: the rate at which the loss falls
/// fastest (the slope is that of a line through the smoothed losses of about half a decade), and a
/// tenth of the rate at which it is lowest. For rates that are the peak of a warm-up and a cosine
/// both are timid. Flowers, 400 photos to train and 100 to validate, last stage, AdamW, mean
/// validation loss of three seeds; fastest at 1.3e-5, lowest at 1.3e-4:
///   rate 1.3e-5: 0.435    5e-5: 0.418    1.3e-4: 0.402    3e-4: 0.395
/// The minimum itself is no rate to take, for the smoothed loss lags: plain descent may go astray
/// there. A third of it leaves room for that. Errors: kUsage for a test without points.
///
/// The loss has fallen where change is below -3.5·error and below -level/100 at some point behind
/// the start (which noise alone does in one test of twenty). Where it has not, it has risen at once
/// if it is as far above 0 at the end of the start, or the test was over in twice the start.
[[nodiscard]] RateSuggestion suggest_rate(const RateTest& test, const RateSweep& sweep);

}  // namespace engraft
