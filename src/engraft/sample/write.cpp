#include <fmt/format.h>

#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/image/encode.h"
#include "engraft/sample/plates.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

constexpr int kFewestPictures = 2;
constexpr int kMostPictures = 100000;
constexpr int kJpegQuality = 90;

void check_folder(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: is a file, not a folder; name a new folder", folder.string()));
  }
  const bool empty = fs::is_empty(folder, error);
  if (error) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot be read: {}", folder.string(), error.message()));
  }
  if (!empty) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("{}: the folder is not empty; name a new or an empty one", folder.string()));
  }
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
  }
}

struct Entry {
  Plate kind;
  int index;
  std::string name;
};

/// The clean half first; of an odd count the larger half.
std::vector<Entry> entries_of(int count) {
  std::vector<Entry> entries;
  const int clean = (count + 1) / 2;
  for (int i = 0; i < clean; ++i)
    entries.push_back({Plate::kClean, i, fmt::format("clean_{:03}.jpg", i)});
  for (int i = 0; i < count - clean; ++i) {
    entries.push_back({Plate::kDirty, i, fmt::format("dirty_{:03}.jpg", i)});
  }
  return entries;
}

/// Takes away what was begun, unless all went well: a set without its labels is of no use, and the
/// next attempt needs the folder empty.
class Unfinished {
 public:
  Unfinished(fs::path folder, const std::vector<Entry>& entries)
      : folder_(std::move(folder)), entries_(entries), was_there_(fs::exists(folder_)) {}
  ~Unfinished() {
    if (done_) return;
    std::error_code ignored;
    for (const Entry& entry : entries_) fs::remove(folder_ / entry.name, ignored);
    if (!was_there_) fs::remove(folder_, ignored);
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  void finish() { done_ = true; }

 private:
  fs::path folder_;
  const std::vector<Entry>& entries_;
  bool was_there_;
  bool done_ = false;
};

std::string labels_csv(const std::vector<Entry>& entries) {
  std::string table = "filename,label\n";
  for (const Entry& entry : entries) {
    table += fmt::format("{},{}\n", entry.name, entry.kind == Plate::kClean ? "clean" : "dirty");
  }
  return table;
}

}  // namespace

void write_plates(const fs::path& folder, const SampleOptions& options, ThreadPool& pool,
                  Progress& progress, const std::stop_token& stop) {
  if (options.count < kFewestPictures || options.count > kMostPictures) {
    throw Error(ErrorKind::kUsage, fmt::format("{} sample pictures: give a number from {} to {}",
                                               options.count, kFewestPictures, kMostPictures));
  }
  check_folder(folder);
  throw_if_stopped(stop);
  const std::vector<Entry> entries = entries_of(options.count);
  Unfinished unfinished(folder, entries);
  make_folder(folder);
  progress.begin("Drawing plates", options.count, "pictures");
  std::mutex mutex;
  std::int64_t done = 0;
  pool.for_each(entries.size(), [&](std::size_t i, int) {
    throw_if_stopped(stop);
    const Entry& entry = entries[i];
    const Image image =
        draw_plate(entry.kind, options.seed, static_cast<std::uint64_t>(entry.index));
    write_file_atomic(folder / entry.name, encode_jpeg(image, kJpegQuality));
    const std::scoped_lock lock(mutex);
    progress.update(++done);
  });
  write_file_atomic(folder / "labels.csv", labels_csv(entries));
  unfinished.finish();
  progress.end();
}

}  // namespace engraft
