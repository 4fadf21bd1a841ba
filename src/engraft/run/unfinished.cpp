#include "engraft/run/unfinished.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/hash.h"
#include "engraft/run/folders.h"
#include "engraft/run/set_aside.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPlan = "plan.json";
/// The digest of a file in the run folder that was about to be put in place.
constexpr std::string_view kAnnounced = "complete";
/// Whose digest: it has the times of the run in it, which no other run has.
constexpr std::string_view kResults = "results.csv";

std::string digest_of(const fs::path& file) {
  return sha256(read_file(file)).hex() + "\n";
}

bool is_checkpoint(const std::string& name) {
  return name.ends_with(".safetensors");
}

bool holds_checkpoints(const fs::path& folder) {
  return std::ranges::any_of(names_in(folder), is_checkpoint);
}

/// Whether AtomicFile made this name for one of our files, and a killed process left it.
bool is_half_written(const std::string& name) {
  if (!name.ends_with(".part")) return false;
  return std::ranges::any_of(
      std::array{kCommandFile, kPlan, kAnnounced},
      [&](std::string_view file) { return name.starts_with(fmt::format(".{}.", file)); });
}

/// A folder, and one that nobody else has put something into.
bool is_only_ours(const fs::path& folder) {
  return fs::is_directory(fs::symlink_status(folder)) &&
         std::ranges::all_of(names_in(folder), [](const std::string& name) {
           return name == kCommandFile || name == kPlan || name == kAnnounced ||
                  name == kTensorBoardFolder || is_checkpoint(name) ||
                  (name.starts_with('.') && name.ends_with(".part"));
         });
}

/// Removes what is ours beside checkpoints. What says that the run is complete goes last.
void clear_notes(const fs::path& folder) {
  std::error_code ignored;
  for (const std::string& name : names_in(folder)) {
    if (is_half_written(name)) fs::remove(folder / name, ignored);
  }
  fs::remove_all(folder / kTensorBoardFolder, ignored);
  fs::remove(folder / kPlan, ignored);
  fs::remove(folder / kCommandFile, ignored);
  fs::remove(folder / kAnnounced, ignored);
}

/// Removes what is ours, and last the folder if nothing else is in it: from then on the name may be
/// somebody else's, who has made such a folder anew.
void clear(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(fs::symlink_status(folder, ignored))) return;
  try {
    CheckpointFolder(folder).remove_all();
  } catch (const Error&) {  // it stays, with what is in it
  }
  clear_notes(folder);
  fs::remove(folder, ignored);
}

/// Whether the run folder is the one that was about to be put in place when the process ended.
bool is_placed(const fs::path& folder, const fs::path& run) {
  if (!fs::exists(run / kResults)) return false;
  if (!fs::exists(folder / kCommandFile)) {  // it was removing what is there
    return is_only_ours(folder) && !holds_checkpoints(folder);
  }
  return fs::exists(folder / kAnnounced) &&
         read_text_file(folder / kAnnounced) == digest_of(run / kResults);
}

/// Whether that name is still of the folder that was opened: its last owner may have removed it
/// before it gave the lock back.
bool is_still(const fs::path& folder, int descriptor) {
  struct stat named {
  }, opened{};
  return ::stat(folder.c_str(), &named) == 0 && ::fstat(descriptor, &opened) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

[[noreturn]] void nothing_to_resume(const fs::path& run) {
  throw Error(ErrorKind::kNotFound, UnfinishedRun::why_not(run));
}

/// Without the slash behind "runs/photos/".
fs::path without_slash(const fs::path& path) {
  const fs::path plain = path.lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

bool is_run(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "args.json", error);
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder, const fs::path& run) {
  do {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor_ < 0) return;
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      ::close(descriptor_);
      throw Error(ErrorKind::kUsage,
                  fmt::format("{}: another engraft is at work on this run; wait for it to end, or "
                              "choose another place with --out",
                              run.string()));
    }
  } while (!is_still(folder, descriptor_));
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

fs::path UnfinishedRun::folder_of(const fs::path& run) {
  fs::path folder = without_slash(fs::absolute(run));
  folder += kUnfinishedSuffix;
  return folder;
}

fs::path UnfinishedRun::run_of(const fs::path& name) {
  const fs::path run = without_slash(fs::absolute(name));
  const std::string last = run.filename().string();
  const bool is_longer =
      last.size() > kUnfinishedSuffix.size() && last.ends_with(kUnfinishedSuffix);
  if (!is_longer || is_run(run) || is_there(run)) return run;
  return run.parent_path() / last.substr(0, last.size() - kUnfinishedSuffix.size());
}

bool UnfinishedRun::is_there(const fs::path& run) {
  std::error_code error;
  return fs::exists(folder_of(run) / kCommandFile, error);
}

std::string UnfinishedRun::why_not(const fs::path& name) {
  const fs::path run = run_of(name);
  std::error_code error;
  std::string_view why =
      "there is no unfinished run of that name to resume; --resume runs/photos goes on with what "
      "lies in runs/photos.unfinished";
  if (is_run(run)) {
    why = fs::exists(run / kResults, error)
              ? "it is complete, see report.html in it; to train again leave out --resume"
              : "it is not complete, but nothing is left to go on with; begin it anew without "
                "--resume";
  } else if (fs::exists(run, error)) {
    why =
        "is no run of engraft's, for it has no args.json; name the run that was stopped: --resume "
        "runs/photos goes on with what lies in runs/photos.unfinished";
  }
  return fmt::format("{}: {}", name.string(), why);
}

bool UnfinishedRun::settle(const fs::path& run) {
  const fs::path folder = folder_of(run);
  if (!fs::exists(folder)) return false;
  const FolderLock lock(folder, run);
  if (!lock.held() || !is_placed(folder, run)) return false;
  clear(folder);
  return true;
}

UnfinishedRun::UnfinishedRun(const fs::path& run, Begin begin, const std::string& command)
    : folder_(folder_of(run)), checkpoints_(folder_) {
  const bool there = fs::exists(fs::symlink_status(folder_));
  const bool was_complete = there && settle(run);
  if (begin == Begin::kAnew) {
    begin_anew(run, command);
    return;
  }
  if (was_complete) nothing_to_resume(run);
  lock_ = FolderLock(folder_, run);
  if (!lock_.held() || !is_there(run)) nothing_to_resume(run);
  keep_ = true;
}

/// The folder, which nobody else has from now on.
void UnfinishedRun::make_and_lock(const fs::path& run) {
  constexpr int kTries = 100;  // each time, somebody else has removed it before it was locked
  std::error_code error;
  for (int i = 0; i < kTries; ++i) {
    make_folders(folder_, error);
    if (error == std::errc::file_exists) continue;  // it was there when that was tried
    if (error) break;
    lock_ = FolderLock(folder_, run);
    if (lock_.held()) return;
    error = std::make_error_code(std::errc::permission_denied);
  }
  throw Error(ErrorKind::kIo,
              fmt::format("{}: cannot make the folder of checkpoints: {}; choose another place "
                          "with --out",
                          folder_.string(), error.message()));
}

void UnfinishedRun::begin_anew(const fs::path& run, const std::string& command) {
  const auto move_aside = [&] {
    earlier_ = next_free(folder_);
    std::error_code error;
    fs::rename(folder_, earlier_, error);  // where it cannot, making it anew fails and says so
  };
  const fs::file_status there = fs::symlink_status(folder_);
  if (fs::exists(there) && !fs::is_directory(there)) move_aside();
  make_and_lock(run);
  if (holds_checkpoints(folder_) || !is_only_ours(folder_)) {
    const FolderLock earlier = std::move(lock_);
    move_aside();
    make_and_lock(run);
  } else {
    clear_notes(folder_);
  }
  try {
    write_file_atomic(folder_ / kCommandFile, command);
  } catch (const Error&) {
    clear(folder_);
    throw;
  }
}

UnfinishedRun::~UnfinishedRun() {
  if (folder_.empty() || keep_ || holds_checkpoints(folder_)) return;
  clear(folder_);
}

std::string UnfinishedRun::earlier_in_words(const fs::path& run) const {
  return earlier_.empty() ? std::string() : set_aside_in_words(earlier_, without_slash(run));
}

fs::path UnfinishedRun::plan_path() const {
  return folder_ / kPlan;
}

std::optional<std::string> UnfinishedRun::plan() const {
  if (!fs::exists(plan_path())) return std::nullopt;
  return read_text_file(plan_path());
}

void UnfinishedRun::set_plan(const std::string& json) {
  write_file_atomic(plan_path(), json);
}

void UnfinishedRun::announce(const fs::path& results) {
  write_file_atomic(folder_ / kAnnounced, digest_of(results));
}

void UnfinishedRun::keep_if_it_can_go_on(const Error& error) {
  const bool full_disk = error.kind() == ErrorKind::kIo && plan();
  if (error.kind() == ErrorKind::kCancelled || full_disk) keep();
}

void UnfinishedRun::remove() {
  clear(folder_);
  folder_.clear();
}

}  // namespace engraft
