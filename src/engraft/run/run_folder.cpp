#include "engraft/run/run_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <system_error>

#include "engraft/base/error.h"
#include "engraft/base/file.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

/// Every run folder has it.
constexpr std::string_view kMark = "args.json";

fs::path next_free(const fs::path& path) {
  for (int number = 1;; ++number) {
    fs::path candidate = path;
    candidate += fmt::format(".{}", number);
    if (!fs::exists(fs::symlink_status(candidate))) return candidate;
  }
}

void move(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot put in place: {}", to.string(), error.message()));
  }
}

/// What stands under the name must be an earlier run, or empty: nothing else is moved aside.
void require_free_or_run(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(folder, error))) return;
  const bool ours = fs::is_directory(folder, error) &&
                    (fs::exists(folder / kMark, error) || fs::is_empty(folder, error));
  if (!ours) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("{}: is there already and no run of engraft's; choose another place with --out",
                    folder.string()));
  }
}

std::string part_name(const fs::path& folder, ::pid_t process) {
  return fmt::format(".{}.{}.part", folder.filename().string(), process);
}

/// Removes from a place what runs of that name left whose process is gone: it was killed, or the
/// machine went down.
void remove_abandoned(const fs::path& folder, const fs::path& place) {
  const std::string begin = fmt::format(".{}.", folder.filename().string());
  std::error_code error;
  for (fs::directory_iterator entry(place, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(begin)) continue;
    ::pid_t process = 0;
    const char* digits = name.data() + begin.size();
    std::from_chars(digits, name.data() + name.size(), process);
    const bool gone = process > 0 && ::kill(process, 0) != 0 && errno == ESRCH;
    std::error_code ignored;
    if (gone && name == part_name(folder, process)) fs::remove_all(entry->path(), ignored);
  }
}

}  // namespace

RunFolder::RunFolder(const fs::path& final_name) {
  final_ = fs::absolute(final_name).lexically_normal();
  if (!final_.has_filename()) final_ = final_.parent_path();  // "runs/photos/"
  remove_abandoned(final_, parent_folder(final_));
  remove_abandoned(final_, final_);  // one that was filled in place
  require_free_or_run(final_);
  std::error_code error;
  in_place_ = fs::is_directory(final_, error) && fs::is_empty(final_, error);
  temporary_ = (in_place_ ? final_ : parent_folder(final_)) / part_name(final_, ::getpid());
  fs::remove_all(temporary_, error);
  made_parent_ = fs::create_directories(parent_folder(final_), error);
  if (!error) fs::create_directory(temporary_, error);
  if (error) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot make the run folder here: {}; choose another with --out",
                            final_name.string(), error.message()));
  }
}

RunFolder::~RunFolder() {
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  if (made_parent_) fs::remove(parent_folder(final_), ignored);  // only if it is empty
}

void RunFolder::fill_in_place() {
  for (const auto& entry : fs::directory_iterator(temporary_)) {
    move(entry.path(), final_ / entry.path().filename());
  }
  fs::remove(temporary_);
  temporary_.clear();
  sync_folder(final_);
}

fs::path RunFolder::commit() {
  if (in_place_) {
    fill_in_place();
    return {};
  }
  require_free_or_run(final_);
  fs::path earlier;
  if (fs::exists(fs::symlink_status(final_))) {
    earlier = next_free(final_);
    move(final_, earlier);
  }
  try {
    move(temporary_, final_);
  } catch (const Error&) {
    if (!earlier.empty()) move(earlier, final_);
    throw;
  }
  temporary_.clear();
  sync_folder(parent_folder(final_));
  return earlier;
}

}  // namespace engraft
