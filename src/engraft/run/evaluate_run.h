#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engraft/base/progress.h"
#include "engraft/data/dataset.h"
#include "engraft/eval/metrics.h"
#include "engraft/model/classifier.h"

namespace engraft {

/// Which model to judge, and on which labelled pictures.
struct EvaluateRequest {
  std::filesystem::path pictures;
  DatasetOptions dataset;  ///< class_names are taken from the model
  OnBad on_bad = OnBad::kSkip;
  std::filesystem::path model;
  LoadOptions load;
  std::optional<Precision> precision = {};  ///< none: the one that the model was made for
  Orientation orientation = Orientation::kUpright;
  int threads = 0;
};

/// What came of it; evaluation covers the pictures that could be read.
struct EvaluateSummary {
  std::vector<std::string> class_names;
  Precision precision = Precision::kFloat32;  ///< in which the model was run
  Evaluation evaluation;
  std::optional<Evaluation> in_floats;  ///< with kInt8: in float32, on the same pictures
  /// The model had no ranges, and got them from so many of these very pictures.
  std::size_t calibrated_on = 0;
  std::vector<Problem> problems;
  int seen_in_training =
      0;  ///< pictures whose very bytes the model was trained on: they prove nothing
  double seconds = 0;
};

/// How well a model does on labelled pictures; in 8-bit integers also how well it would in float32.
/// A model without ranges gets them from the pictures themselves (not their labels). Classes of the
/// pictures that the model does not know are an Error that lists them.
[[nodiscard]] EvaluateSummary evaluate_run(const EvaluateRequest& request, Progress& progress,
                                           const std::stop_token& stop = {});

}  // namespace engraft
