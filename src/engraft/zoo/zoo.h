#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/base/progress.h"
#include "engraft/zoo/download.h"

namespace engraft {

/// A pre-trained network that engraft knows by name.
struct ZooEntry {
  std::string name;  ///< mobilenet_v2_1.0_224
  std::string file;  ///< the file's own name at its source
  std::string url;
  int image_size = 0;           ///< pixels a side
  float width = 0;              ///< α: multiplies every layer's channels
  std::int64_t parameters = 0;  ///< with the 1000-class top
  std::optional<float> top1;    ///< documented ImageNet top-1 in percent, where one is
};

/// All of them, the default first.
[[nodiscard]] std::span<const ZooEntry> zoo();
inline constexpr std::string_view kDefaultModel = "mobilenet_v2_1.0_224";

/// The entry of that name (or whose file has that name); null if there is none.
[[nodiscard]] const ZooEntry* find_entry(std::string_view name);

/// Where models are looked for. Filled from the environment by places_from_environment().
struct ZooPlaces {
  std::vector<std::filesystem::path> folders;  ///< $ENGRAFT_MODELS, ':' between; read only
  std::filesystem::path cache;  ///< $XDG_CACHE_HOME/engraft or ~/.cache/engraft; empty: there is
                                ///< nowhere to download to
  std::string mirror;    ///< $ENGRAFT_MIRROR: address of a folder with the files of the zoo, asked
                         ///< in place of the official one
  bool offline = false;  ///< $ENGRAFT_OFFLINE (anything but empty or 0): never download
};
[[nodiscard]] ZooPlaces places_from_environment();

/// The folders that a model of the zoo is looked for in, first to last, before it is downloaded.
[[nodiscard]] std::vector<std::filesystem::path> search_order(const ZooPlaces& places);

/// Where a URL that a user wrote is kept: in the cache, under a digest of the address and its own
/// file name.
[[nodiscard]] std::filesystem::path cached_url(const std::string& url, const ZooPlaces& places);

/// The file for what a user wrote after --model: an existing file; an http(s) URL, downloaded into
/// the cache once; or a name of the zoo, looked for in search_order(), then downloaded into the
/// cache. Not found and not to be had: one Error(kNotFound or kNetwork) that names the file, the
/// address and the folder to put it in. A name that is nearly one of the zoo's is answered with
/// the nearest.
[[nodiscard]] std::filesystem::path find_model(const std::string& name_file_or_url,
                                               const ZooPlaces& places, Progress& progress,
                                               const std::stop_token& stop = {},
                                               const DownloadOptions& options = {});

}  // namespace engraft
