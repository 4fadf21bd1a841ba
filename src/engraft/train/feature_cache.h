#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engraft/base/hash.h"

namespace engraft {

/// What one picture gave, as one network sees it.
struct CachedPicture {
  Digest pixels;  ///< of the fitted image, H·W·3 bytes with its size: equal for exact duplicates
  std::vector<float> features;
};

/// Features on disk (SQLite, WAL), keyed by (picture content, network, view). A cache never stops a
/// run: no member throws on account of the file. A damaged one is moved aside to NAME.damaged and
/// begun anew, provided that it is engraft's: it bears SQLite's magic and engraft's mark in its
/// header, or it is named features.sqlite. Any other file is left as it is. There, and where
/// nothing can be written (or read), nothing is kept, and problem() says why. Safe for several
/// processes and threads at once.
class FeatureCache {
 public:
  /// network: fingerprint of the base and its preprocessing together. Missing folders are made.
  FeatureCache(const std::filesystem::path& file, const Digest& network, int feature_size);
  /// Flushes.
  ~FeatureCache();
  FeatureCache(const FeatureCache&) = delete;
  FeatureCache& operator=(const FeatureCache&) = delete;

  /// view: 0 plain, else a number that stands for (seed, index). Entries of another size, or whose
  /// checksum is wrong, are not found.
  [[nodiscard]] std::optional<CachedPicture> find(const Digest& content, std::uint64_t view);
  /// Written in batches; flush() or the destructor writes the rest. Pictures of another size than
  /// feature_size are ignored.
  void put(const Digest& content, std::uint64_t view, CachedPicture picture);
  void flush();

  /// Why entries are not kept, or why the file was begun anew, in one line; empty when all is well.
  [[nodiscard]] std::string problem() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engraft
