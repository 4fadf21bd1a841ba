#include "engraft/model/prepared_model.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "engraft/base/crc32c.h"
#include "engraft/base/error.h"
#include "engraft/formats/keras_h5.h"
#include "engraft/zoo/zoo.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

/// To be raised with what load_model() makes of weights: older copies are not read then.
constexpr int kGeneration = 1;

/// A file may change within its time's resolution, unseen, while it is this young.
constexpr std::chrono::seconds kYoung{2};

/// What a copy is made of.
struct Original {
  std::string name;   ///< of every copy of the file's, to begin with
  std::string stamp;  ///< that changes with the file
  bool young = false;

  [[nodiscard]] fs::path copy_in(const fs::path& folder) const {
    return folder / (name + stamp + ".onnx");
  }
  bool operator==(const Original&) const = default;
};

std::chrono::nanoseconds since_1970(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::optional<Original> look_at(const fs::path& path, const LoadOptions& options) {
  std::error_code error;
  const fs::path whole = fs::canonical(path, error);
  struct ::stat file {};
  if (error || ::stat(whole.c_str(), &file) != 0) return std::nullopt;
  const auto modified = since_1970(file.st_mtim), changed = since_1970(file.st_ctim);
  const auto age = std::chrono::system_clock::now().time_since_epoch() - modified;
  return Original{
      .name = fmt::format("{:08x}-{}-{}-", crc32c(std::as_bytes(std::span(whole.native()))),
                          options.image_size.value_or(0), kGeneration),
      .stamp = fmt::format("{:x}-{:x}-{:x}-{:x}-{:x}", file.st_size, modified.count(),
                           changed.count(), file.st_dev, file.st_ino),
      .young = age < kYoung};
}

std::optional<Model> load_copy(const fs::path& copy) {
  std::error_code error;
  if (!fs::is_regular_file(copy, error)) return std::nullopt;
  try {
    return load_model(copy);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void keep(const Model& model, const Original& original, const fs::path& folder) {
  try {
    save_model(model, original.copy_in(folder));
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      const fs::path& other = entry.path();
      if (other.filename().string().starts_with(original.name) && other.extension() == ".onnx" &&
          other != original.copy_in(folder)) {
        fs::remove(other);
      }
    }
  } catch (const Error&) {  // then the weights are read again next time
  } catch (const fs::filesystem_error&) {
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
