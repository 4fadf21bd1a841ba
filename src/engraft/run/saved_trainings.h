#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "engraft/base/progress.h"
#include "engraft/run/fold_result.h"
#include "engraft/train/checkpoint_folder.h"
#include "engraft/train/fine_tune.h"

namespace engraft {

/// What a run keeps of its trainings until it is complete: checkpoints of those at hand, results of
/// the folds that are over. Errors begin with the file.
class SavedTrainings {
 public:
  /// identity: of everything that the bits depend on; what was saved by a run of another is refused
  /// with Error(kBadInput).
  SavedTrainings(CheckpointFolder& folder, std::string identity)
      : folder_(folder), identity_(std::move(identity)) {}

  /// Goes on where the newest checkpoint of a training is, if it has one; says which ones could not
  /// be read. Errors as CheckpointFolder::latest()'s and FineTuner::restore()'s.
  void restore(const std::string& training, FineTuner& tuner, Progress& progress) const;
  void save(const std::string& training, const FineTuner& tuner);

  /// Errors as fold_result_from()'s, with a way out.
  [[nodiscard]] std::optional<FoldResult> result(const std::string& fold,
                                                 const FoldShape& expected) const;
  /// The fold's checkpoints go.
  void save_result(const std::string& fold, const FoldResult& result);

 private:
  void require_same_run(const std::filesystem::path& file,
                        const std::map<std::string, std::string>& metadata) const;

  CheckpointFolder& folder_;
  std::string identity_;
};

}  // namespace engraft
