#include "engraft/run/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/run/folders.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

/// Every run folder has it.
constexpr std::string_view kMark = "args.json";

/// The last to be put in place: where it stands, the run is complete.
constexpr std::string_view kLast = "results.csv";
/// Names of what is being moved into a folder that is filled in place.
constexpr std::string_view kMoving = ".moving";

/// Of the hidden folder in which files gather.
constexpr std::string_view kPartSuffix = ".part";

void move(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot put in place: {}", to.string(), error.message()));
  }
}

/// To a name that is free: whoever made something of that name meanwhile keeps it.
void move_to_free_name(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  int error = errno;
  if (error == EINVAL || error == ENOSYS) {  // the file system cannot be asked for that
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(to, ignored))) return move(from, to);
    error = EEXIST;
  }
  throw Error(ErrorKind::kIo,
              fmt::format("{}: cannot put in place: {}", to.string(),
                          error == EEXIST ? "another came there during the run; move it away"
                                          : std::strerror(error)));
}

/// Whether a folder holds nothing but what runs of its name left there.
bool holds_parts_alone(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return false;
  const std::string begin = fmt::format(".{}.", folder.filename().string());
  return std::ranges::all_of(names_in(folder), [&](const std::string& name) {
    return name.starts_with(begin) && name.ends_with(kPartSuffix);
  });
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
  return fmt::format(".{}.{}{}", folder.filename().string(), process, kPartSuffix);
}

/// Takes back what a killed process had begun to put into a folder in place. Where it had put all
/// of it there, the run is complete and stays.
void take_back(const fs::path& part, const fs::path& folder) {
  std::error_code error;
  if (!fs::is_regular_file(fs::symlink_status(part / kMoving, error))) return;
  const std::vector<std::string> left = names_in(part);
  std::istringstream moving(read_text_file(part / kMoving));
  std::vector<std::string> moved;
  bool complete = true;
  for (std::string name; std::getline(moving, name);) {
    const bool waits = std::ranges::find(left, name) != left.end();
    complete = complete && !waits;
    const bool plain =
        !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
    if (!waits && plain) moved.push_back(name);
  }
  if (complete) return;
  for (const std::string& name : moved) fs::remove_all(folder / name, error);
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
    if (!gone || name != part_name(folder, process)) continue;
    if (place == folder) take_back(entry->path(), folder);
    fs::remove_all(entry->path(), ignored);
  }
}

bool is_mount_point(const fs::path& folder) {
  struct statx info {};
  constexpr auto kRoot = static_cast<std::uint64_t>(STATX_ATTR_MOUNT_ROOT);
  return ::statx(AT_FDCWD, folder.c_str(), 0, 0, &info) == 0 &&
         (info.stx_attributes & info.stx_attributes_mask & kRoot) != 0;
}

/// Whether an empty folder may give way to another of that name: nobody stands in it, and nothing
/// but its name is lost.
bool may_be_replaced(const fs::path& folder, const fs::path& by) {
  struct stat old_one {
  }, new_one{};
  std::error_code error;
  return ::lstat(folder.c_str(), &old_one) == 0 && S_ISDIR(old_one.st_mode) &&
         ::lstat(by.c_str(), &new_one) == 0 && old_one.st_dev == new_one.st_dev &&
         old_one.st_uid == new_one.st_uid && old_one.st_gid == new_one.st_gid &&
         ::access(folder.c_str(), W_OK | X_OK) == 0 && !fs::equivalent(folder, ".", error) &&
         !is_mount_point(folder);
}

/// Absolute, and without a slash behind it ("runs/photos/").
fs::path full_name(const fs::path& folder) {
  const fs::path full = fs::absolute(folder).lexically_normal();
  return full.has_filename() ? full : full.parent_path();
}

bool is_empty_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) && fs::is_empty(path, error);
}

}  // namespace

void RunFolder::check(const fs::path& final_name) {
  const fs::path full = full_name(final_name);
  if (!holds_parts_alone(full)) require_free_or_run(full);
}

RunFolder::RunFolder(const fs::path& final_name) : final_(full_name(final_name)) {
  remove_abandoned(final_, parent_folder(final_));
  remove_abandoned(final_, final_);  // one that was filled in place
  require_free_or_run(final_);
  std::error_code error;
  made_parent_ = make_folders(parent_folder(final_), error);
  if (!error) make_temporary(parent_folder(final_), error);
  if (is_empty_folder(final_)) {
    if (!error && may_be_replaced(final_, temporary_)) {
      fs::permissions(temporary_, fs::status(final_, error).permissions(), error);
    } else {
      if (!error) fs::remove(temporary_, error);
      in_place_ = true;
      make_temporary(final_, error);
    }
  }
  if (error) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot make the run folder here: {}; choose another with --out",
                            final_name.string(), error.message()));
  }
}

void RunFolder::make_temporary(const fs::path& place, std::error_code& error) {
  temporary_ = place / part_name(final_, ::getpid());
  fs::remove_all(temporary_, error);
  fs::create_directory(temporary_, error);
}

RunFolder::~RunFolder() {
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  if (made_parent_) fs::remove(parent_folder(final_), ignored);  // only if it is empty
}

/// A kill between two moves leaves args.json, so that the folder is known for a run's, no
/// results.csv, so that it is not taken for a complete one, and the list by which the next run of
/// that name takes everything back.
void RunFolder::fill_in_place() {
  std::vector<std::string> names = names_in(temporary_);
  const auto rank = [](const std::string& name) {
    return name == kMark ? 0 : name == kLast ? 2 : 1;
  };
  std::ranges::sort(names, {}, rank);
  write_file_atomic(temporary_ / kMoving, fmt::format("{}\n", fmt::join(names, "\n")));
  try {
    for (const std::string& name : names) move_to_free_name(temporary_ / name, final_ / name);
  } catch (const Error&) {
    take_back(temporary_, final_);
    throw;
  }
  sync_folder(final_);
  std::error_code ignored;  // all is in place
  fs::remove_all(temporary_, ignored);
  temporary_.clear();
}

fs::path RunFolder::commit() {
  if (in_place_) {
    fill_in_place();
    return {};
  }
  require_free_or_run(final_);
  fs::path earlier;
  const bool replaces = is_empty_folder(final_) && may_be_replaced(final_, temporary_);
  if (!replaces && fs::exists(fs::symlink_status(final_))) {
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
