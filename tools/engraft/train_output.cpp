#include "train_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "evaluation_output.h"
#include "terminal.h"

namespace engraft::cli {
namespace {

/// The training at a glance: first, best and last epoch and some between; results.csv has them all.
std::string history_text(const TrainSummary& summary) {
  constexpr int kRows = 8;
  const int epochs = static_cast<int>(summary.history.size());
  const int every = std::max(1, (epochs + kRows - 1) / kRows);
  std::string text = "epoch    loss  val loss  accuracy  val accuracy\n";
  for (const EpochResult& epoch : summary.history) {
    const bool best = epoch.epoch == summary.best_epoch;
    const bool between = epoch.epoch % every == 0 && epochs - epoch.epoch >= (every + 1) / 2;
    if (!best && epoch.epoch != 1 && epoch.epoch != epochs && !between) continue;
    text += fmt::format("{:5}  {:.4f}  {:8.4f}  {:6.1f} %  {:10.1f} %{}\n", epoch.epoch,
                        epoch.train_loss, epoch.val_loss, 100 * epoch.train_accuracy,
                        100 * epoch.val_accuracy, best ? "  kept" : "");
  }
  return text + "\n";
}

}  // namespace

void print_json(const TrainSummary& summary) {
  nlohmann::ordered_json result{{"run", summary.run.string()}};
  result.update(accuracy_json(summary.evaluation));
  if (summary.in_floats) {
    result["precision"] = name_of(summary.precision);
    result[name_of(Precision::kFloat32)] = accuracy_json(*summary.in_floats);
  }
  result["seconds"] = summary.seconds;
  if (!summary.folds.empty()) result["folds"] = summary.folds;
  result["recipe"] = summary.recipe.empty() ? "head" : summary.recipe;
  result["stages"] = nlohmann::ordered_json::array();
  for (const StageStart& stage : summary.stages) {
    result["stages"].push_back({{"name", stage.name}, {"first_epoch", stage.first_epoch}});
  }
  result["epochs"] = summary.history.size();
  result["best_epoch"] = summary.best_epoch > 0 ? nlohmann::ordered_json(summary.best_epoch)
                                                : nlohmann::ordered_json();
  result["notes"] = summary.notes;
  print_result(result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void print_for_people(const TrainSummary& summary) {
  std::string text = history_text(summary) + evaluation_text({.evaluation = summary.evaluation,
                                                              .on = summary.evaluated_on,
                                                              .in_floats = summary.in_floats});
  if (!summary.folds.empty()) {
    text += "\nFolds:";
    for (const double fold : summary.folds) text += fmt::format("  {:.1f} %", 100 * fold);
    text += "\n";
  }
  text +=
      fmt::format("\nOne mistake more or less is {:.1f} points.\n", 100.0 / summary.evaluation.n);
  if (!summary.recipe.empty()) text += summary.recipe + "\n";
  for (const std::string& note : summary.notes) text += note + "\n";
  text += fmt::format("\nModel   {}\nReport  {}\nTime    {:.1f} s\n",
                      (summary.run / "model.onnx").string(), (summary.run / "report.html").string(),
                      summary.seconds);
  if (!summary.earlier.empty())
    text += fmt::format("The earlier run is kept as {}\n", summary.earlier.string());
  print_result(text);
}

}  // namespace engraft::cli
