#pragma once

#include <filesystem>
#include <optional>

#include "engraft/report/tensorboard.h"
#include "engraft/train/head.h"

namespace engraft {

/// Event files of a run's trainings, which grow beside the checkpoints, one folder a training; one
/// that is resumed is told anew.
class EventLog {
 public:
  /// No folder: nothing is written.
  explicit EventLog(std::optional<std::filesystem::path> folder) : folder_(std::move(folder)) {}

  /// Begins the file of a training. Throws Error(kIo).
  void open(const std::string& training);
  /// An epoch, `before` having gone before its first. Throws Error(kIo).
  void add(const EpochResult& epoch, int before);

 private:
  std::optional<std::filesystem::path> folder_;
  std::optional<TensorBoardWriter> writer_;
};

/// Copies what an EventLog has written. Throws Error(kIo).
void copy_events(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace engraft
