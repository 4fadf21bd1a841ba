#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engraft/eval/metrics.h"
#include "engraft/image/image.h"

namespace engraft {

/// A point of the training curves. Accuracies and losses as in results.csv; NaN: not measured.
struct CurvePoint {
  int epoch = 0;
  float train_loss = 0, val_loss = 0, train_accuracy = 0, val_accuracy = 0;
};

/// Where a stage of training begins.
struct CurveStage {
  std::string name;     ///< "head", "last"
  int first_epoch = 1;  ///< of the curve
};

/// A picture with what the model made of it.
struct ShownPrediction {
  Image picture;  ///< small, for display
  std::string name;
  std::string true_label, predicted_label;
  float probability = 0;  ///< of the predicted label
  [[nodiscard]] bool right() const { return true_label == predicted_label; }
};

/// Everything that a report shows; drawings and page are functions of it.
struct RunRecord {
  std::string title;  ///< the run's name
  std::vector<std::string> class_names;
  std::vector<CurvePoint> curve;  ///< may be empty
  std::vector<CurveStage>
      stages;          ///< of the curve; a line is drawn where one after the first begins
  int best_epoch = 0;  ///< of the curve; marks nothing if it is not among its epochs
  Evaluation evaluation;
  /// Where the model is in 8-bit integers, as `evaluation` then is: in float32, on the same
  /// pictures.
  std::optional<Evaluation> in_floats;
  std::string evaluated_on;  ///< "47 validation pictures", "5 folds, every picture held out once"
  std::vector<double> fold_accuracies;       ///< with cross-validation
  std::vector<ShownPrediction> predictions;  ///< a fair draw of those judged, up to 20
  std::vector<ShownPrediction> mistakes;     ///< the wrong ones, most confident first, up to 20
  std::vector<std::pair<std::string, std::string>>
      facts;  ///< name, value: model, pictures, split, settings …
  std::vector<std::string>
      notes;  ///< sentences a reader must know; what one mistake is worth comes by itself
  std::vector<std::pair<std::string, std::string>>
      problems;  ///< file or row, what is wrong with it
};

}  // namespace engraft
