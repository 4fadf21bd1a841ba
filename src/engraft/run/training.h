#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engraft/model/model.h"
#include "engraft/run/holdout.h"
#include "engraft/run/material.h"
#include "engraft/run/recipe.h"
#include "engraft/run/unfinished.h"
#include "engraft/train/picture_source.h"

namespace engraft {

/// What every training of a run shares: the one that makes the model, and those of the folds.
struct TrainingJob {
  const TrainRequest& request;
  const Material& material;
  const TrainingRows& rows;
  const Holdout& holdout;
  const Network& base;  ///< pixels → features; from scratch: unused
  /// Of the base: empty in float32, and from scratch.
  const ActivationRanges& ranges;
  const Network* scratch;  ///< from scratch: the whole network, at random
  Preprocessing preprocessing;
  Recipe recipe;
  Tensor features_in_floats =
      {};  ///< [held_out, F], for a head alone in 8-bit integers; else empty
  std::size_t picture_memory = 0;   ///< bytes for decoded pictures
  std::size_t boundary_memory = 0;  ///< bytes for what frozen parts made of pictures
  UnfinishedRun& unfinished;
  std::string
      identity;  ///< of everything that the bits depend on; a checkpoint of another is refused
  ThreadPool& pool;
  Progress& progress;
  std::stop_token stop;
};

/// The trained network, and what it or its twins of the other folds said of pictures that they had
/// not seen.
struct TrainingResult {
  Network network;                   ///< pixels → probabilities
  std::optional<Network> last;       ///< after the last epoch, where `network` is an earlier one
  ActivationRanges ranges;           ///< of `network`, in 8-bit integers
  ActivationRanges last_ranges;      ///< of `last`
  std::vector<EpochResult> history;  ///< of it, or with folds the mean over them
  std::vector<StageStart> stages;    ///< of the history
  int best_epoch = 0;                ///< whose weights `network` has; 0 with folds
  /// The best epoch of the stage that did worse on the validation pictures; 0: none was compared.
  int rival_epoch = 0;
  std::vector<std::size_t> held_out;  ///< samples, ascending
  Tensor probabilities;               ///< [held_out, classes], in the run's precision
  Tensor in_floats;  ///< the same in float32, where that is another precision; else empty
  std::vector<double> fold_accuracies;  ///< with cross-validation
};

/// The samples that a run's accuracy is measured on, ascending.
[[nodiscard]] std::vector<std::size_t> held_out_samples(const Holdout& holdout);

/// Of every sample.
[[nodiscard]] std::vector<std::filesystem::path> paths_of(const Material& material);

/// How a training decodes its pictures.
[[nodiscard]] DecodeOptions decode_options_of(const TrainingJob& job);

/// Trains on what the holdout leaves and judges on what it holds out; with folds once a fold, and
/// once more on everything for the network that is kept. Errors are those of train_head and
/// FineTuner.
[[nodiscard]] TrainingResult run_training(const TrainingJob& job);

}  // namespace engraft
