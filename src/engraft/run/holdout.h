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
  /// Every fold's, and the one that makes the model.
  [[nodiscard]] int trainings() const { return fold_count() + 1; }
  /// What the model is trained on: ascending, with folds all.
  [[nodiscard]] std::vector<std::size_t> trained() const;
  /// Pictures that all trainings together see in an epoch, and look at for validation.
  [[nodiscard]] std::size_t trained_in_an_epoch() const;
  [[nodiscard]] std::size_t validated_in_an_epoch() const;
};

/// split.csv, whichever of the two it is.
[[nodiscard]] std::string holdout_csv(const Holdout& holdout, const Dataset& dataset);

/// The split that a request asks for: its folds, its split file, the folders, or a draw from the
/// seed.
[[nodiscard]] Holdout hold_out(const Material& material, const TrainRequest& request);

}  // namespace engraft
