#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engraft/base/progress.h"

namespace engraft {

/// A pre-trained network that engraft knows by name.
struct ZooEntry {
  std::string name;  ///< mobilenet_v2_1.0_224
  std::string file;  ///< the file's own name at its source
  std::string url;
  int image_size = 0;
  float width = 0;
  std::int64_t parameters = 0;
  std::optional<float> top1;  ///< documented ImageNet top-1 in percent, where one is
};

/// All of them, the default first.
[[nodiscard]] std::span<const ZooEntry> zoo();
inline constexpr std::string_view kDefaultModel = "mobilenet_v2_1.0_224";

/// Where models are looked for. Filled from the environment by places_from_environment().
struct ZooPlaces {
  std::vector<std::filesystem::path> folders;  ///< $ENGRAFT_MODELS, read only; may be empty
  std::filesystem::path cache;                 ///< $XDG_CACHE_HOME/engraft or ~/.cache/engraft
  bool offline = false;                        ///< $ENGRAFT_OFFLINE: never download
};
[[nodiscard]] ZooPlaces places_from_environment();

/// The file for what a user wrote after --model: an existing file; a URL; or a name of the zoo,
/// looked for in the folders, then in the cache, then downloaded into the cache. Not found and not
/// to be had: one Error(kNotFound or kNetwork) that names the file, the address and the folder to
/// put it in.
[[nodiscard]] std::filesystem::path find_model(const std::string& name_file_or_url,
                                               const ZooPlaces& places, Progress& progress,
                                               const std::stop_token& stop = {});

}  // namespace engraft
