#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "engraft/base/hash.h"
#include "engraft/image/image.h"

namespace engraft {

/// A decoded picture.
struct RecentPicture {
  Digest content;  ///< of the file's bytes
  Image image;
};

/// The last few decoded pictures, so that the views of one picture, which are asked for close
/// together, decode it once, while memory stays bounded. Thread-safe.
class RecentPictures {
 public:
  explicit RecentPictures(std::size_t capacity) : capacity_(capacity) {}

  /// Null if the picture is not among them.
  [[nodiscard]] std::shared_ptr<const RecentPicture> find(std::size_t picture) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [index, held] : held_) {
      if (index == picture) return held;
    }
    return nullptr;
  }

  void put(std::size_t picture, std::shared_ptr<const RecentPicture> decoded) {
    const std::lock_guard lock(mutex_);
    held_.emplace_back(picture, std::move(decoded));
    if (held_.size() > capacity_) held_.pop_front();
  }

 private:
  std::size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<std::pair<std::size_t, std::shared_ptr<const RecentPicture>>> held_;
};

}  // namespace engraft
