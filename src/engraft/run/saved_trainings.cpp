#include "engraft/run/saved_trainings.h"

#include <fmt/format.h>

#include <utility>

#include "engraft/base/error.h"
#include "engraft/run/recipe.h"

namespace engraft {
namespace {

constexpr const char* kTrainingIdentity = "run";

}  // namespace

void SavedTrainings::restore(const std::string& training, FineTuner& tuner,
                             Progress& progress) const {
  auto found = folder_.latest(training,
                              {.parameters = tuner.parameters(), .statistics = tuner.statistics()});
  if (!found) return;
  if (!found->warning.empty()) progress.note(found->warning);
  require_same_run(found->path, found->checkpoint.metadata);
  try {
    tuner.restore(std::move(found->checkpoint.state));
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}", found->path.string(), error.what()));
  }
}

void SavedTrainings::save(const std::string& training, const FineTuner& tuner) {
  folder_.save(training, {.state = tuner.state(), .metadata = {{kTrainingIdentity, identity_}}},
               {.parameters = tuner.parameters(), .statistics = tuner.statistics()});
}

std::optional<FoldResult> SavedTrainings::result(const std::string& fold,
                                                 const FoldShape& expected) const {
  const auto file = folder_.result(fold);
  if (!file) return std::nullopt;
  const std::filesystem::path path = folder_.result_path(fold);
  require_same_run(path, file->metadata);
  try {
    return fold_result_from(*file, expected);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: damaged: {}; remove it, and {} is run again",
                                          path.string(), error.what(), fold));
  }
}

void SavedTrainings::save_result(const std::string& fold, const FoldResult& result) {
  SafetensorsFile file = to_safetensors(result);
  file.metadata = {{kTrainingIdentity, identity_}};
  folder_.save_result(fold, file);
}

void SavedTrainings::require_same_run(const std::filesystem::path& file,
                                      const std::map<std::string, std::string>& metadata) const {
  const auto found = metadata.find(kTrainingIdentity);
  if (found != metadata.end() && found->second == identity_) return;
  throw Error(ErrorKind::kBadInput, has_changed(file.string()));
}

}  // namespace engraft
