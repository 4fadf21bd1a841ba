#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "engraft/eval/metrics.h"

namespace engraft::cli {

/// {"accuracy", "interval": [low, high], "n"}: the part of the JSON that train and evaluate share.
[[nodiscard]] nlohmann::ordered_json accuracy_json(const Evaluation& evaluation);
/// [{"label", "n", "precision", "recall", "f1"}…], each measure {"value", "interval"}.
[[nodiscard]] nlohmann::ordered_json per_class_json(const Evaluation& evaluation);
/// label,n,predicted,precision,precision_low,…: a row a class.
[[nodiscard]] std::string per_class_csv(const Evaluation& evaluation);

/// What evaluation_text() tells of.
struct Evaluated {
  const Evaluation& evaluation;
  std::string on;                              ///< "47 validation pictures"
  const std::optional<Evaluation>& in_floats;  ///< where `evaluation` is in 8-bit integers
};

/// Accuracy and its kin, the classes, and who was taken for whom: for a terminal.
[[nodiscard]] std::string evaluation_text(const Evaluated& evaluated);

/// What to say of a model that had to be calibrated on so many of the pictures that it is given.
[[nodiscard]] std::string calibration_notice(std::size_t pictures);

}  // namespace engraft::cli
