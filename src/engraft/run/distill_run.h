#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/base/progress.h"
#include "engraft/data/dataset.h"
#include "engraft/eval/metrics.h"
#include "engraft/image/decode.h"
#include "engraft/image/image.h"
#include "engraft/train/distiller.h"

namespace engraft {

/// Everything that a distillation depends on.
struct DistillRequest {
  std::vector<std::filesystem::path> pictures;  ///< files and folders, with all below them
  Orientation orientation = Orientation::kUpright;
  std::size_t drawn = 0;                         ///< pictures that `draw` adds to them
  std::function<Image(std::size_t index)> draw;  ///< a function of the index alone
  double hold_out = 0.05;                        ///< share of the pictures, at least one; 0: none

  std::filesystem::path teacher;    ///< a model file
  std::optional<int> teacher_size;  ///< side of the pictures that it looks at; none: the student's
  /// "mobilenet_v2_WIDTH_SIZE", which starts from random weights, or a model file to go on from.
  std::string student;
  DistillOptions options;

  /// Labelled pictures, a folder per class: how well a head does on the student's features, in five
  /// folds. Never learnt from, also where they are among `pictures`. Empty: none.
  std::filesystem::path probe;
  DatasetOptions probe_dataset;

  double budget = 0;               ///< seconds that the run should take at most; 0: any
  std::uint64_t memory = 0;        ///< bytes; 0: three quarters of what the machine has left
  double checkpoint_seconds = 60;  ///< between two checkpoints, at least
  int threads = 0;                 ///< 0: one per core; the result does not depend on it
  std::filesystem::path out;       ///< the student: NAME.onnx, also as it is at each look
  std::string arguments = "{}";    ///< JSON: args.json; what the result depends on
  std::string command = "{}";      ///< JSON, kept with the checkpoints for whoever resumes
  bool resume = false;
  std::optional<int> new_epochs;  ///< resuming: another length
};

/// What came of it; the report says the same and more.
struct DistillSummary {
  std::filesystem::path model, run;
  std::filesystem::path earlier;  ///< where an earlier run of the same name went
  std::size_t pictures = 0;       ///< that were learnt from
  std::size_t held_out = 0;
  Estimate agreement;  ///< with the teacher's first answer, on those held out
  std::size_t probed = 0;
  Estimate probe;          ///< accuracy of heads on the student's features
  Estimate teacher_probe;  ///< and on the teacher's
  std::vector<DistillResult> history;
  std::vector<Problem> problems;
  std::vector<std::string> notes;
  double views_per_second = 0;  ///< of this process
  double seconds = 0;
};

inline constexpr std::string_view kRunOfModelSuffix = "-run";
/// The folder of report.html, results.csv, curves.png and args.json beside NAME.onnx: NAME-run.
[[nodiscard]] std::filesystem::path run_of_model(const std::filesystem::path& out);

/// Pictures without labels and a teacher → a student, and a run folder beside it. Until that is
/// complete, NAME-run.unfinished holds what is needed to go on after a stop or a crash; a resumed
/// run gives the same bits as one that was never stopped.
[[nodiscard]] DistillSummary distill_run(const DistillRequest& request, Progress& progress,
                                         const std::stop_token& stop = {});

}  // namespace engraft
