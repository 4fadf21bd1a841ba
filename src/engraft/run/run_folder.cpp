#include "engraft/run/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "engraft/base/error.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

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
  if (error)
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot put in place: {}", to.string(), error.message()));
}

}  // namespace

RunFolder::RunFolder(fs::path final_name) : final_(std::move(final_name)) {
  if (!final_.has_filename()) final_ = final_.parent_path();  // "runs/photos/"
  temporary_ =
      parent_of(final_) / fmt::format(".{}.{}.part", final_.filename().string(), ::getpid());
  std::error_code error;
  fs::remove_all(temporary_, error);
  fs::create_directories(temporary_, error);
  if (error) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot make the run folder here: {}; choose another with --out",
                            final_.string(), error.message()));
  }
}

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

fs::path RunFolder::commit() {
  fs::path earlier;
  if (fs::exists(fs::symlink_status(final_))) {
    earlier = next_free(final_);
    move(final_, earlier);
  }
  move(temporary_, final_);
  temporary_.clear();
  if (const int folder = ::open(parent_of(final_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return earlier;
}

}  // namespace engraft
