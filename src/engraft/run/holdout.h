#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>
#include <vector>

#include "engraft/run/material.h"

namespace engraft {

/// Which picture is used for what.
struct Holdout {
  std::vector<Subset> subsets;  ///< of each sample, without folds
  std::vector<int> folds;       ///< of each sample, with cross-validation; else empty
  [[nodiscard]] std::vector<std::size_t> samples_in(Subset subset) const;
  /// 0 without cross-validation.
  [[nodiscard]] int fold_count() const;
};

/// split.csv, whichever of the two it is.
[[nodiscard]] std::string holdout_csv(const Holdout& holdout, const Dataset& dataset);

/// The split that a request asks for: its folds, its split file, the folders, or a draw from the
/// seed.
[[nodiscard]] Holdout hold_out(const Material& material, const TrainRequest& request);

/// A trained head and what it, or its twins of the other folds, said of pictures that they had not
/// seen.
struct HeadResult {
  TrainedHead head;                     ///< what goes into the model
  std::vector<EpochResult> history;     ///< of it, or with folds the mean over them
  std::vector<std::size_t> held_out;    ///< samples, ascending
  Tensor probabilities;                 ///< [held_out, classes]
  std::vector<double> fold_accuracies;  ///< with cross-validation
};

/// Trains on what the holdout leaves and judges on what it holds out; with folds once a fold, and
/// once more on everything for the head that is kept. Errors are those of train_head.
[[nodiscard]] HeadResult train_with_holdout(const Material& material, const TrainingRows& rows,
                                            const Holdout& holdout, const TrainRequest& request,
                                            Progress& progress, const std::stop_token& stop);

}  // namespace engraft
