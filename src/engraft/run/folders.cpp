#include "engraft/run/folders.h"

#include <fmt/format.h>

#include "engraft/base/file.h"

namespace engraft {

namespace fs = std::filesystem;

fs::path next_free(const fs::path& path) {
  for (int number = 1;; ++number) {
    fs::path candidate = path;
    candidate += fmt::format(".{}", number);
    if (!fs::exists(fs::symlink_status(candidate))) return candidate;
  }
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

bool make_folders(const fs::path& folder, std::error_code& error) {
  std::vector<fs::path> missing;
  std::error_code ignored;
  fs::path above = folder;
  while (above.has_relative_path() && !fs::exists(above, ignored)) {
    missing.push_back(above);
    above = above.parent_path();
  }
  fs::create_directories(folder, error);
  if (error) return false;
  for (const fs::path& made : missing) sync_folder(parent_folder(made));
  return !missing.empty();
}

}  // namespace engraft
