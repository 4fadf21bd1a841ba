#pragma once

#include <nlohmann/json.hpp>
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

/// Accuracy and its kin, the classes, and who was taken for whom: for a terminal.
[[nodiscard]] std::string evaluation_text(const Evaluation& evaluation,
                                          const std::string& evaluated_on);

}  // namespace engraft::cli
