#pragma once

#include <chrono>
#include <cstddef>
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
  std::string name;             ///< mobilenet_v2_1.0_224
  std::string file;             ///< the file's own name at its source
  std::string url;              ///< empty: embedded in the library, there is nothing to download
  int image_size = 0;           ///< pixels a side
  float width = 0;              ///< α: multiplies every layer's channels
  std::int64_t parameters = 0;  ///< with the 1000-class top
  std::optional<float> top1;    ///< ImageNet top-1 in percent, where one is documented
  int top1_pictures = 50'000;   ///< that it was measured on
  [[nodiscard]] bool embedded() const { return url.empty(); }
};

/// All of them, the default first, the embedded one last.
[[nodiscard]] std::span<const ZooEntry> zoo();
inline constexpr std::string_view kDefaultModel = "mobilenet_v2_1.0_224";
/// The one that is part of the library, and needs no file.
inline constexpr std::string_view kEmbeddedModel = "engraft-mini";

/// The bytes of that model's file, an ONNX file of engraft's: assets/engraft-mini.onnx.
[[nodiscard]] std::span<const std::byte> embedded_model();
/// Does a path stand for the embedded model? It does where it is that model's name and no such file
/// is there.
[[nodiscard]] bool is_embedded_model(const std::filesystem::path& path);

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
/// cache; for kEmbeddedModel that name (see is_embedded_model()). Not found and not to be had: one
/// Error(kNotFound or kNetwork) that names the file, the address and the folder to put it in. A
/// name that is nearly one of the zoo's is answered with the nearest.
[[nodiscard]] std::filesystem::path find_model(const std::string& name_file_or_url,
                                               const ZooPlaces& places, Progress& progress,
                                               const std::stop_token& stop = {},
                                               const DownloadOptions& options = {});

/// The model for whoever named none.
struct DefaultModel {
  std::filesystem::path file;  ///< as find_model() gives it
  std::string name;            ///< kDefaultModel, or kEmbeddedModel in its place
  std::string notice;          ///< in its place: why, and how to get the other; one line to print
  std::string note;            ///< the same for a report: what is so on every machine
};
/// kDefaultModel as find_model() finds it; where nothing of it can be had (no network, downloads
/// switched off, nowhere to put it), kEmbeddedModel. Gives a server up that has not begun to answer
/// within `patience`. Throws what find_model() does where a download broke in the middle, or its
/// content is not what it was.
[[nodiscard]] DefaultModel find_default_model(
    const ZooPlaces& places, Progress& progress, const std::stop_token& stop = {},
    const DownloadOptions& options = {},
    std::chrono::milliseconds patience = std::chrono::seconds(5));

}  // namespace engraft
