#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engraft/base/hash.h"
#include "engraft/base/progress.h"
#include "engraft/base/thread_pool.h"
#include "engraft/image/decode.h"
#include "engraft/image/image.h"

namespace engraft {

/// A picture in memory, no larger than is of use.
struct StoredPicture {
  Digest content;     ///< of the file's bytes; of a drawn picture, of its pixels
  Image image;        ///< empty where `error` is not
  std::string error;  ///< why it could not be read; empty when it could
};

struct PictureStoreOptions {
  int short_side = 256;  ///< larger pictures are scaled down to it
  Orientation orientation = Orientation::kUpright;
  std::size_t memory = std::size_t{1} << 30;  ///< bytes that all together may take
};

/// Decodes pictures once, over the pool. Progress counts them. Throws Error(kUsage) where they take
/// more memory than they may, saying how much would do, and Error(kCancelled) on a stop.
[[nodiscard]] std::vector<StoredPicture> store_pictures(
    std::span<const std::filesystem::path> paths, const PictureStoreOptions& options,
    ThreadPool& pool, Progress& progress, const std::stop_token& stop = {});

/// The picture with its short side scaled down to `short_side`, or as it is where that is no
/// smaller.
[[nodiscard]] Image shrunk(Image image, int short_side);

}  // namespace engraft
