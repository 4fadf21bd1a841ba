#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "engraft/formats/safetensors.h"
#include "engraft/train/checkpoint.h"

namespace engraft {

/// A checkpoint that was read, and from where.
struct FoundCheckpoint {
  Checkpoint checkpoint;
  std::filesystem::path path;
  /// One sentence where newer ones could not be read, naming each and why; else empty.
  std::string warning;
};

/// The same as a file, for trainings with a form of their own.
struct FoundFile {
  SafetensorsFile file;
  std::int64_t step = 0;
  std::filesystem::path path;
  std::string warning;
};

/// The checkpoints of a run in a folder. A run has phases, one after the other, such as "fold2" or
/// "final": letters, digits, '-', '_' and '.', at most 100, not a '.' first; anything else is
/// Error(kUsage). Files are
///   PHASE-000123.safetensors  the training of that phase after 123 steps; the last two are kept
///   PHASE-result.safetensors  what the rest of the run needs of a phase that is over
/// with their digest, so that no changed bit goes unnoticed. Everything else in the folder is left
/// alone, but for what a killed run left of these files half written. One process at a time writes
/// to a folder. Errors begin with the path.
class CheckpointFolder {
 public:
  /// Touches nothing; the folder is made when something is saved.
  explicit CheckpointFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

  /// Writes the checkpoint of state.step: afterwards it is on the disk, and of this phase only it
  /// and the last one before it are kept. What cannot be removed stays, without an error. Throws
  /// Error(kIo) where it cannot be written, saying what is kept and how to go on: earlier
  /// checkpoints are then as they were. Other errors as to_safetensors().
  void save(const std::string& phase, const Checkpoint& checkpoint, const CheckpointLayout& layout);

  /// The same for a checkpoint in a form of its own.
  void save(const std::string& phase, std::int64_t step, const SafetensorsFile& file);

  /// The newest checkpoint that can be read: one that is damaged, or of another training, makes
  /// room for the one before. Nothing if there is none; throws Error(kBadInput) if there are some
  /// and none can be read, saying why, and for a folder that is none.
  [[nodiscard]] std::optional<FoundCheckpoint> latest(const std::string& phase,
                                                      const CheckpointLayout& layout) const;

  /// The same for one in a form of its own: check() throws for a file that will not do.
  using Check = std::function<void(const FoundFile& found)>;
  [[nodiscard]] std::optional<FoundFile> latest(const std::string& phase, const Check& check) const;

  /// Writes the result of a phase that is over, then removes its checkpoints. Errors as save()'s,
  /// which leave them.
  void save_result(const std::string& phase, const SafetensorsFile& result);

  /// Where the result of a phase is, if it has one.
  [[nodiscard]] std::filesystem::path result_path(const std::string& phase) const;

  /// The result of a phase, if it has one. Throws Error(kBadInput) for a damaged one, and what
  /// read_file throws.
  [[nodiscard]] std::optional<SafetensorsFile> result(const std::string& phase) const;

  /// Removes checkpoints and results of every phase, not the folder. Throws Error(kIo) where that
  /// fails.
  void remove_all();

 private:
  std::filesystem::path folder_;
};

}  // namespace engraft
