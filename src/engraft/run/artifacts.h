#pragma once

#include <string>
#include <vector>

#include "engraft/run/holdout.h"
#include "engraft/run/run_folder.h"
#include "engraft/run/train_run.h"
#include "engraft/run/training.h"

namespace engraft {

/// What the files of a run are made from.
struct FinishedRun {
  const TrainRequest* request;
  const Material* material;
  const Holdout* holdout;
  const Recipe* recipe;
  const TrainingResult* result;
  const Model* model;
  const TrainSummary* summary;
};

/// Writes every file of the run folder.
void write_artifacts(const FinishedRun& run, const RunFolder& folder, ThreadPool& pool);

/// The tables alone, as they are written: results.csv (one row an epoch), predictions.csv (one row
/// a held-out picture).
[[nodiscard]] std::string results_csv(const std::vector<EpochResult>& history,
                                      const std::vector<StageStart>& stages);
[[nodiscard]] std::string predictions_csv(const FinishedRun& run);

}  // namespace engraft
