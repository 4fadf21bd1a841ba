#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "engraft/base/edit_distance.h"
#include "engraft/base/hash.h"
#include "engraft/zoo/zoo.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) && !fs::is_directory(path, error);
}

/// The names of the zoo nearest to what was written, nearest first, at most three.
std::vector<std::string_view> near_names(std::string written) {
  std::ranges::transform(written, written.begin(), [](unsigned char c) {
    return c == '-' || c == ' ' ? '_' : static_cast<char>(std::tolower(c));
  });
  std::vector<std::pair<std::size_t, std::string_view>> ranked;
  for (const ZooEntry& entry : zoo()) {
    // Somebody who wrote the beginning of a name is near to every name that goes on from there.
    const bool begins = written.size() >= 4 && entry.name.starts_with(written);
    ranked.emplace_back(begins ? 0 : edit_distance(written, entry.name), entry.name);
  }
  std::ranges::stable_sort(ranked, {}, &std::pair<std::size_t, std::string_view>::first);
  std::vector<std::string_view> names;
  for (const auto& [distance, name] : ranked) {
    if (names.size() < 3 && distance <= std::max<std::size_t>(3, name.size() / 3)) {
      names.push_back(name);
    }
  }
  return names;
}

bool looks_like_file(std::string_view text) {
  const std::string extension = fs::path(text).extension().string();
  return text.find('/') != std::string_view::npos || extension == ".onnx" || extension == ".h5" ||
         extension == ".hdf5" || extension == ".keras" || extension == ".pth" ||
         extension == ".tflite" || extension == ".safetensors" || extension == ".pb";
}

[[noreturn]] void fail_unknown(const std::string& written) {
  std::error_code ignored;
  if (fs::is_directory(written, ignored)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: is a folder; a model is one file, for example {}/model.onnx",
                            written, written));
  }
  if (looks_like_file(written)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: no such model file; check the path, or give the name of a "
                            "pre-trained model such as {} (engraft models lists them)",
                            written, kDefaultModel));
  }
  const auto near = near_names(written);
  if (near.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: neither a file nor the name of a model; engraft models lists the "
                            "names, the default is {}",
                            written, kDefaultModel));
  }
  throw Error(ErrorKind::kNotFound,
              fmt::format("{}: neither a file nor the name of a model; did you mean {}?", written,
                          fmt::join(near, ", ")));
}

/// A file, where it is to lie, and where somebody may put it by hand.
struct Wanted {
  std::string url;
  fs::path to, by_hand;
  [[nodiscard]] std::string way_out() const {
    return fmt::format("fetch {} where there is a network and put it there as {}", url,
                       by_hand.string());
  }
};

constexpr const char* kOffline = "downloads are switched off ($ENGRAFT_OFFLINE)";

/// Downloads, and says on failure what a person without a network can do.
fs::path fetch(const Wanted& wanted, const ZooPlaces& places, Progress& progress,
               const std::stop_token& stop, const DownloadOptions& options) {
  if (places.offline) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: not found, and {}; {}", wanted.to.filename().string(), kOffline,
                            wanted.way_out()));
  }
  try {
    download(wanted.url, wanted.to, options, progress, stop);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNetwork) throw;
    throw Error(ErrorKind::kNetwork, fmt::format("{}; if it cannot be downloaded here, {}",
                                                 error.what(), wanted.way_out()));
  }
  return wanted.to;
}

void require_cache(const ZooPlaces& places, const std::string& what) {
  if (!places.cache.empty()) return;
  throw Error(ErrorKind::kNotFound,
              fmt::format("{}: there is no folder to keep it in; set HOME, XDG_CACHE_HOME or "
                          "ENGRAFT_MODELS",
                          what));
}

/// The entry's file where it lies already; empty where it does not.
fs::path find_here(const ZooEntry& entry, const ZooPlaces& places) {
  for (const fs::path& folder : search_order(places)) {
    if (is_file(folder / entry.file)) return folder / entry.file;
  }
  return {};
}

Wanted wanted(const ZooEntry& entry, const ZooPlaces& places) {
  std::string url = entry.url;
  if (!places.mirror.empty()) {
    url = fmt::format("{}{}{}", places.mirror, places.mirror.ends_with('/') ? "" : "/", entry.file);
  }
  const fs::path& by_hand = places.folders.empty() ? places.cache : places.folders.front();
  return {.url = url, .to = places.cache / entry.file, .by_hand = by_hand / entry.file};
}

fs::path find_in_zoo(const ZooEntry& entry, const ZooPlaces& places, Progress& progress,
                     const std::stop_token& stop, const DownloadOptions& options) {
  if (entry.embedded()) return entry.name;
  if (fs::path here = find_here(entry, places); !here.empty()) return here;
  require_cache(places, entry.name);
  return fetch(wanted(entry, places), places, progress, stop, options);
}

/// Why the file cannot be had; nothing once it is where it is wanted.
std::optional<std::string> try_to_fetch(const Wanted& wanted, const ZooPlaces& places,
                                        Progress& progress, const std::stop_token& stop,
                                        const DownloadOptions& options,
                                        std::chrono::milliseconds patience) {
  if (places.offline) return kOffline;
  if (places.cache.empty()) return "there is no folder to keep it in";
  try {
    return download_if_reachable(wanted.url, wanted.to, options, patience, progress, stop);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNetwork) throw;
    throw Error(ErrorKind::kNetwork,
                fmt::format("{}; --model {} does without", error.what(), kEmbeddedModel));
  }
}

/// How to come by the default's file.
std::string way_to(const Wanted& file, const ZooPlaces& places) {
  const std::string folder = file.by_hand.parent_path().string();
  const bool none = places.cache.empty() && places.folders.empty();
  return fmt::format("fetch {} and {}", file.url,
                     none ? "give it with --model" : "put it into " + folder);
}

}  // namespace

bool is_embedded_model(const fs::path& path) {
  return path == kEmbeddedModel && !is_file(path);
}

ZooPlaces places_from_environment() {
  ZooPlaces places;
  const std::string folders = environment("ENGRAFT_MODELS");
  for (std::size_t begin = 0; begin < folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    if (end > begin) places.folders.emplace_back(folders.substr(begin, end - begin));
    begin = end + 1;
  }
  // The XDG specification has relative paths ignored.
  const fs::path cache = environment("XDG_CACHE_HOME");
  const fs::path home = environment("HOME");
  if (cache.is_absolute()) {
    places.cache = cache / "engraft";
  } else if (home.is_absolute()) {
    places.cache = home / ".cache" / "engraft";
  }
  places.mirror = environment("ENGRAFT_MIRROR");
  const std::string offline = environment("ENGRAFT_OFFLINE");
  places.offline = !offline.empty() && offline != "0";
  return places;
}

std::vector<fs::path> search_order(const ZooPlaces& places) {
  std::vector<fs::path> order = places.folders;
  if (!places.cache.empty()) order.push_back(places.cache);
  return order;
}

fs::path cached_url(const std::string& url, const ZooPlaces& places) {
  const std::string path = url.substr(0, url.find_first_of("?#"));
  std::string name = path.substr(path.rfind('/') + 1);
  std::ranges::transform(name, name.begin(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '_' || c == '-' ? static_cast<char>(c) : '_';
  });
  // The end of the name stays: width and picture size of Keras' weights stand there.
  if (name.size() > 100) name = name.substr(name.size() - 100);
  const std::string digest = sha256(std::as_bytes(std::span(url))).hex().substr(0, 16);
  return places.cache / "url" / (name.empty() ? digest : digest + "-" + name);
}

fs::path find_model(const std::string& name_file_or_url, const ZooPlaces& places,
                    Progress& progress, const std::stop_token& stop,
                    const DownloadOptions& options) {
  if (name_file_or_url.empty()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the model's name is empty; the default is {}", kDefaultModel));
  }
  if (is_file(name_file_or_url)) return name_file_or_url;
  if (is_http_url(name_file_or_url)) {
    require_cache(places, name_file_or_url);
    const fs::path to = cached_url(name_file_or_url, places);
    if (is_file(to)) return to;
    return fetch({.url = name_file_or_url, .to = to, .by_hand = to}, places, progress, stop,
                 options);
  }
  if (name_file_or_url.find("://") != std::string::npos) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: models are downloaded by http and https only", name_file_or_url));
  }
  if (const ZooEntry* entry = find_entry(name_file_or_url)) {
    return find_in_zoo(*entry, places, progress, stop, options);
  }
  fail_unknown(name_file_or_url);
}

DefaultModel find_default_model(const ZooPlaces& places, Progress& progress,
                                const std::stop_token& stop, const DownloadOptions& options,
                                std::chrono::milliseconds patience) {
  const ZooEntry& entry = zoo().front();
  if (fs::path here = find_here(entry, places); !here.empty()) {
    return {.file = std::move(here), .name = entry.name, .notice = {}, .note = {}};
  }
  const Wanted file = wanted(entry, places);
  const auto why = try_to_fetch(file, places, progress, stop, options, patience);
  if (!why) return {.file = file.to, .name = entry.name, .notice = {}, .note = {}};
  const std::string name(kEmbeddedModel);
  return {
      .file = name,
      .name = name,
      .notice = fmt::format("Using {}, the small model that is built in; {} is not here: {}. To "
                            "have that, {}",
                            name, entry.name, *why, way_to(file, places)),
      .note = fmt::format("The base is {}, the small model that is built in, for want of {}, "
                          "which is at {} and knows more.",
                          name, entry.name, entry.url)};
}

}  // namespace engraft
