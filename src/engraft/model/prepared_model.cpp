#include "engraft/model/prepared_model.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engraft/base/crc32c.h"
#include "engraft/formats/keras_h5.h"
#include "engraft/zoo/zoo.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

/// To be raised with what load_model() makes of weights: older copies are not read then.
constexpr int kGeneration = 1;

/// A file may change within its time's resolution, unseen, while it is this young.
constexpr double kYoungSeconds = 2;

/// What is half-written, and this old, was left by a program that ended while it wrote.
constexpr std::chrono::hours kLeftBehind{24};

std::uint32_t checksum(const std::string& text) {
  return crc32c(std::as_bytes(std::span(text)));
}

/// What a copy is made of.
struct Original {
  std::string file;   ///< every copy of the file's begins with it
  std::string stamp;  ///< changes with the file
  bool young = false;

  [[nodiscard]] fs::path copy_in(const fs::path& folder) const {
    return folder / (file + stamp + ".onnx");
  }
  bool operator==(const Original&) const = default;
};

std::optional<Original> look_at(const fs::path& path, const LoadOptions& options) {
  std::error_code error;
  const fs::path whole = fs::canonical(path, error);
  struct ::stat found {};
  if (error || ::stat(whole.c_str(), &found) != 0) return std::nullopt;
  const ::timespec modified = found.st_mtim, changed = found.st_ctim;
  return Original{
      // A name says what size of pictures weights are for; a link may have another than its target.
      .file = fmt::format(
          "{:08x}-{:08x}-{}-{}-", checksum(whole.native()), checksum(path.filename().native()),
          options.image_size ? std::to_string(*options.image_size) : "own", kGeneration),
      .stamp = fmt::format("{:x}-{:x}.{:x}-{:x}.{:x}-{:x}", found.st_size, modified.tv_sec,
                           modified.tv_nsec, changed.tv_sec, changed.tv_nsec, found.st_ino),
      .young = std::abs(std::difftime(std::time(nullptr), modified.tv_sec)) < kYoungSeconds};
}

/// Nothing where there is none, or it is damaged.
std::optional<Model> load_copy(const fs::path& copy) {
  try {
    std::error_code error;
    if (fs::is_regular_file(copy, error)) return load_model(copy);
  } catch (const std::exception&) {
  }
  return std::nullopt;
}

/// Whether a name, behind a dot or not, begins as those of copies do: with two checksums.
bool is_ours(std::string_view name) {
  constexpr std::size_t kDigits = 8;
  if (name.starts_with('.')) name.remove_prefix(1);
  for (int i = 0; i < 2; ++i) {
    if (name.find_first_not_of("0123456789abcdef") != kDigits || name[kDigits] != '-') return false;
    name.remove_prefix(kDigits + 1);
  }
  return true;
}

/// Takes out what the file's copy stands in the place of, copies beyond the newest few, and what
/// was left half-written. What others keep in the folder stays.
void tidy(const fs::path& folder, const fs::path& copy, const std::string& file) {
  using Dated = std::pair<fs::file_time_type, fs::path>;
  std::vector<Dated> others;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    const std::string name = path.filename().string();
    if (path == copy || !is_ours(name) || !entry.is_regular_file()) continue;
    const auto written = entry.last_write_time();
    if (path.extension() == ".part") {
      if (fs::file_time_type::clock::now() - written > kLeftBehind) fs::remove(path);
    } else if (path.extension() == ".onnx" && name.starts_with(file)) {
      fs::remove(path);
    } else if (path.extension() == ".onnx") {
      others.emplace_back(written, path);
    }
  }
  std::ranges::sort(others, std::greater());
  for (std::size_t i = kMostPreparedModels - 1; i < others.size(); ++i)
    fs::remove(others[i].second);
}

/// Without it the weights are read again next time, so nothing that goes wrong here matters.
void keep(const Model& model, const Original& original, const fs::path& folder) {
  try {
    save_model(model, original.copy_in(folder));
    tidy(folder, original.copy_in(folder), original.file);
  } catch (const std::exception&) {
  }
}

}  // namespace

Model load_prepared_model(const fs::path& path, const LoadOptions& options,
                          const fs::path& folder) {
  if (folder.empty() || is_embedded_model(path) || !is_hdf5(path)) return load_model(path, options);
  const std::optional<Original> original = look_at(path, options);
  if (original) {
    if (auto model = load_copy(original->copy_in(folder))) return std::move(*model);
  }
  Model model = load_model(path, options);
  if (original && !original->young && original == look_at(path, options)) {
    keep(model, *original, folder);
  }
  return model;
}

}  // namespace engraft
