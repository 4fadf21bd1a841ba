#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engraft/base/hash.h"
#include "engraft/base/progress.h"
#include "engraft/base/thread_pool.h"
#include "engraft/graph/activation_ranges.h"
#include "engraft/graph/surgery.h"
#include "engraft/image/preprocessing.h"
#include "engraft/tensor/tensor.h"

namespace engraft {

struct FeatureRequest {
  const Network* base = nullptr;  ///< output: a vector of features
  Preprocessing preprocessing;
  Orientation orientation = Orientation::kUpright;
  const ActivationRanges* ranges = nullptr;  ///< PlanOptions::ranges
  std::filesystem::path cache;               ///< SQLite file; empty: no cache
};

/// What became of a picture.
struct PictureStatus {
  std::string error;  ///< why it could not be read; empty: it could
  Digest content;     ///< of the file's bytes
  Digest pixels;      ///< of what the network sees in view 0: equal for exact duplicates
};

struct Features {
  Tensor values;  ///< [pictures, feature_size]; zeros where status has an error
  std::vector<PictureStatus> pictures;  ///< as paths
  std::size_t from_cache = 0;           ///< how many were not computed
};

/// Reads, decodes, fits and runs every picture through the base, in micro-batches over the pool,
/// using and filling the cache. A stop keeps what was computed (in the cache) and throws
/// Error(kCancelled).
[[nodiscard]] Features extract_features(const FeatureRequest& request,
                                        std::span<const std::filesystem::path> paths,
                                        ThreadPool& pool, Progress& progress,
                                        const std::stop_token& stop = {});

/// Augmented views 1…views of each picture: [pictures · views, feature_size], views of a picture
/// next to each other.
[[nodiscard]] Tensor extract_views(const FeatureRequest& request,
                                   std::span<const std::filesystem::path> paths, int views,
                                   std::uint64_t seed, ThreadPool& pool, Progress& progress,
                                   const std::stop_token& stop = {});

}  // namespace engraft
