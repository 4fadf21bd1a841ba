#pragma once

#include <cstddef>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "engraft/base/progress.h"
#include "engraft/run/train_run.h"
#include "engraft/train/find_rate.h"

namespace engraft {

/// What to do where a file of the name is there already.
enum class OnExisting { kRefuse, kReplace };

/// Everything that a search for a learning rate depends on.
struct FindRateRequest {
  /// Pictures, split, base, threads, cache, how the head is trained, and (fine_tune) how the
  /// network then is; the sweep takes the place of fine_tune's rate, schedule and epochs. Folds,
  /// recipe, run folder and what belongs to it have no say.
  TrainRequest train;
  RateSweep sweep;
  /// The drawing to make: a PNG, or an SVG where the name ends in .svg. Empty: rates.png in the
  /// current folder, or, where that is there, rates.1.png, rates.2.png, …
  std::filesystem::path drawing;
  OnExisting on_existing = OnExisting::kRefuse;  ///< a drawing of that name
};

struct FindRateSummary {
  std::filesystem::path drawing;
  RateTest test;
  RateSuggestion suggestion;
  std::string verdict;       ///< in a sentence or two: what the test has shown and what to do
  std::size_t pictures = 0;  ///< that it trained on
  std::vector<Problem> problems;
  double seconds = 0;
};

/// Throws Error, before any work: kUsage for options out of their range, naming the option of the
/// command line and the values it takes, and for a drawing that is there already or would be of
/// another kind; kNotFound for a folder of pictures that is not there.
void validate(const FindRateRequest& request);

/// Trains a head as train_run() does, sets it on the base, and then trains on in steps of rising
/// rate: a learning-rate range test. The network is thrown away; what stays is the drawing. Equal
/// requests give equal points and equal bytes of the drawing, for any number of threads.
[[nodiscard]] FindRateSummary find_rate_run(const FindRateRequest& request, Progress& progress,
                                            const std::stop_token& stop = {});

/// A rate as one types it, to two digits: "3e-4", "1.3e-5"; from 0.1 on "0.13".
[[nodiscard]] std::string rate_text(double rate);

}  // namespace engraft
