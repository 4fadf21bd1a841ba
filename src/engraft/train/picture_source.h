#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engraft/image/decode.h"
#include "engraft/train/recent_pictures.h"

namespace engraft {

/// Decoded pictures by number. As many as fit into `memory` are kept: the first that are asked for,
/// since an epoch asks for each picture once and the oldest is then the next to be needed.
/// Thread-safe.
class PictureSource {
 public:
  struct Options {
    DecodeOptions decode;
    std::size_t memory = std::size_t{1} << 30;  ///< bytes
  };
  /// paths must outlive it.
  PictureSource(std::span<const std::filesystem::path> paths, const Options& options);

  /// Errors begin with the path, as read_image()'s.
  [[nodiscard]] std::shared_ptr<const RecentPicture> picture(std::size_t i);

 private:
  std::span<const std::filesystem::path> paths_;
  Options options_;
  std::mutex mutex_;
  std::size_t used_ = 0;
  std::vector<std::shared_ptr<const RecentPicture>> kept_;
};

}  // namespace engraft
