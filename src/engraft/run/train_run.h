#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engraft/base/progress.h"
#include "engraft/data/dataset.h"
#include "engraft/eval/metrics.h"
#include "engraft/model/model.h"
#include "engraft/run/recipe.h"
#include "engraft/train/fine_tune.h"
#include "engraft/train/head.h"

namespace engraft {

/// Everything that a training run depends on.
struct TrainRequest {
  std::filesystem::path pictures;  ///< the folder
  DatasetOptions dataset;
  OnBad on_bad = OnBad::kSkip;

  double validation =
      0.2;  ///< share of the pictures held out, when neither folders nor `split` say which
  bool validation_wanted = false;  ///< refuse folders that say it, and so leave `validation` idle
  std::filesystem::path
      split;      ///< a split.csv of an earlier run, also one of folds; empty: drawn from the seed
  int folds = 0;  ///< ≥ 2: cross-validation

  std::filesystem::path base;  ///< the model file that the head is set on
  std::string base_note;       ///< what a reader of the figures must know of it; may be empty
  LoadOptions load;
  FeatureLevel level = FeatureLevel::kPooled;
  int views = 0;          ///< augmented views of each training picture, beside the plain one
  TrainOptions training;  ///< of the head

  RecipeKind recipe = RecipeKind::kAuto;
  FineTuneOptions fine_tune;       ///< of the stages after the head
  std::string tuning_given;        ///< the options of fine_tune that somebody set: "--ema, --clip"
  float width = 1.0f;              ///< from scratch: of the network
  double budget = 0;               ///< seconds that the run should take at most; 0: any
  std::uint64_t memory = 0;        ///< bytes that training may take; 0: what the machine has
  double checkpoint_seconds = 30;  ///< between two checkpoints, at least
  std::string command = "{}";      ///< JSON, kept with the checkpoints for whoever resumes
  bool resume = false;             ///< go on with the unfinished run of that name
  /// What the model is made for: features are extracted in it, and its accuracy is that in it.
  /// Back-propagation is in floats all the same.
  Precision precision = Precision::kFloat32;
  bool tensorboard = false;  ///< write event files, too

  Orientation orientation = Orientation::kUpright;
  int threads = 0;              ///< 0: one per core; the result does not depend on it
  std::filesystem::path cache;  ///< of features; empty: none
  std::filesystem::path
      run;  ///< the run folder to make; an earlier one of that name is kept as NAME.1, NAME.2, …
  std::string arguments = "{}";  ///< JSON, saved as args.json
};

/// A stage of training in a run's history.
struct StageStart {
  std::string name;     ///< "head", "last", "all", …
  int first_epoch = 1;  ///< of the history, which counts on through the stages
};

/// What a run came to; the run folder holds the same and more.
struct TrainSummary {
  std::filesystem::path run;
  std::filesystem::path
      earlier;  ///< where an earlier run of the same name went; empty: there was none
  std::vector<std::string> class_names;
  Precision precision = Precision::kFloat32;  ///< of the model
  Evaluation evaluation;                      ///< in that precision
  std::optional<Evaluation> in_floats;        ///< with kInt8: in float32, on the same pictures
  std::string evaluated_on;                   ///< "47 validation pictures"
  std::vector<double> folds;                  ///< accuracy of each, with cross-validation
  std::vector<EpochResult> history;           ///< with folds the mean over them
  std::vector<StageStart> stages;             ///< of the history
  std::string recipe;                         ///< what was done and why, in a sentence
  int best_epoch = 0;                         ///< the one kept; 0 with folds
  std::vector<Problem> problems;
  std::vector<std::string> notes;  ///< what a reader of the figures must know
  double seconds = 0;
};

/// Pictures and labels → a run folder: model.onnx, report.html, curves.png, confusion.png,
/// predictions.png, results.csv, predictions.csv, split.csv, args.json. The folder appears when all
/// of it is written, or not at all. Equal requests give equal bytes in every file but for the times
/// in results.csv and report.html. With folds, each picture is judged by the one model that has not
/// seen it, no fold chooses an epoch, and model.onnx is then trained on all pictures.
///
/// Until then, NAME.unfinished beside it holds what is needed to go on after a stop or a crash; a
/// resumed run gives the same bytes as one that was never stopped.
[[nodiscard]] TrainSummary train_run(const TrainRequest& request, Progress& progress,
                                     const std::stop_token& stop = {});

}  // namespace engraft
