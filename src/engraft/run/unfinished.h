#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/train/checkpoint_folder.h"

namespace engraft {

/// Whether a run begins anew or goes on.
enum class Begin { kAnew, kResume };

/// Of event files, in the folders of runs and unfinished runs.
inline constexpr const char* kTensorBoardFolder = "tensorboard";

/// What the folder of an unfinished run ends in.
inline constexpr std::string_view kUnfinishedSuffix = ".unfinished";
/// In it: the command that it was begun with, as JSON. "command" are the words, the subcommand
/// first.
inline constexpr std::string_view kCommandFile = "command.json";

/// One process at a time works in a folder: a lock on it, which goes with the process.
class FolderLock {
 public:
  FolderLock() = default;
  /// Throws Error(kUsage), naming the run, where another process has it. Nothing is locked where
  /// there is no such folder, and on file systems without locks.
  FolderLock(const std::filesystem::path& folder, const std::filesystem::path& run);
  ~FolderLock();
  /// Whether there is a folder under that name, which this is the lock of.
  [[nodiscard]] bool held() const { return descriptor_ >= 0; }
  FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

 private:
  int descriptor_ = -1;
};

/// NAME.unfinished beside a run folder NAME: what a run needs to go on after it was stopped or
/// killed. It holds the command, the plan and the checkpoints, and goes when the run is complete.
class UnfinishedRun {
 public:
  /// The folder for a run of that name.
  [[nodiscard]] static std::filesystem::path folder_of(const std::filesystem::path& run);

  /// The run that a name is of: NAME for NAME.unfinished where only that lies there. Absolute.
  [[nodiscard]] static std::filesystem::path run_of(const std::filesystem::path& name);

  /// Whether there is something to go on with.
  [[nodiscard]] static bool is_there(const std::filesystem::path& run);

  /// Why there is not, and the way out: one sentence that begins with `name`, the run as somebody
  /// named it.
  [[nodiscard]] static std::string why_not(const std::filesystem::path& name);

  /// Whether the run of that name is complete and was only killed before it had removed this
  /// folder; does that now. False where there is nothing or more than that to do.
  [[nodiscard]] static bool settle(const std::filesystem::path& run);

  /// kAnew: makes the folder; one that is there already is moved to NAME.unfinished.1 (or the next
  /// free number) if it holds a checkpoint, else removed. kResume: opens it; throws
  /// Error(kNotFound) if there is none. Error(kIo) where nothing can be written, Error(kUsage)
  /// while another process is at work on the run.
  UnfinishedRun(const std::filesystem::path& run, Begin begin, const std::string& command);
  /// Removes the folder where nothing was saved that would be lost.
  ~UnfinishedRun();
  UnfinishedRun(const UnfinishedRun&) = delete;
  UnfinishedRun& operator=(const UnfinishedRun&) = delete;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] CheckpointFolder& checkpoints() { return checkpoints_; }
  /// Where an earlier unfinished run of that name went; empty if there was none.
  [[nodiscard]] const std::filesystem::path& earlier() const { return earlier_; }
  /// Where that is and the commands that go on with it, in words, with paths as `run`, the name of
  /// this run, was given. Empty if there was none.
  [[nodiscard]] std::string earlier_in_words(const std::filesystem::path& run) const;

  [[nodiscard]] std::optional<std::string> plan() const;
  [[nodiscard]] std::filesystem::path plan_path() const;
  void set_plan(const std::string& json);
  /// The run goes on later: keep the folder even without a checkpoint.
  void keep() { keep_ = true; }
  /// work(), the whole run: removes the folder once that has returned, and keeps it, even without a
  /// checkpoint, where that was stopped or the disk became full.
  template <typename Work>
  auto carry_out(Work&& work) {
    try {
      auto result = work();
      remove();
      return result;
    } catch (const Error& error) {
      keep_if_it_can_go_on(error);
      throw;
    }
  }
  /// To be said right before the run folder is put in place: a file of the run folder by which
  /// settle() knows it again.
  void announce(const std::filesystem::path& results);
  /// The run is complete.
  void remove();

 private:
  void keep_if_it_can_go_on(const Error& error);
  void begin_anew(const std::filesystem::path& run, const std::string& command);
  void make_and_lock(const std::filesystem::path& run);

  FolderLock lock_;
  std::filesystem::path earlier_, folder_;
  CheckpointFolder checkpoints_;
  bool keep_ = false;
};

}  // namespace engraft
