#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engraft/base/hash.h"

namespace engraft {

/// What one picture gave, as one network sees it.
struct CachedPicture {
  Digest pixels;  ///< of the fitted image, H·W·3 bytes with its size: equal for exact duplicates
  std::vector<float> features;
};

/// Features on disk (SQLite, WAL), keyed by (picture content, network, view). Damaged or foreign
/// files are put aside and begun anew: a cache never stops a run. Safe for several processes at
/// once.
class FeatureCache {
 public:
  /// network: fingerprint of the base and its preprocessing together.
  FeatureCache(const std::filesystem::path& file, const Digest& network, int feature_size);
  ~FeatureCache();

  /// view: 0 plain, else a number that stands for (seed, index).
  [[nodiscard]] std::optional<CachedPicture> find(const Digest& content, std::uint64_t view);
  /// Written in batches; flush() or the destructor writes the rest. Thread-safe.
  void put(const Digest& content, std::uint64_t view, CachedPicture picture);
  void flush();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engraft
