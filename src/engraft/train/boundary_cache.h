#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace engraft {

/// What a frozen base made of views of pictures, in memory: a view that comes again, in another
/// fold or as the plain view of every epoch, is not computed again. Keeps the first that come, up
/// to a number of bytes. Thread-safe.
class BoundaryCache {
 public:
  explicit BoundaryCache(std::size_t bytes) : bytes_(bytes) {}

  /// Which view of which picture; view 0 is the plain one. maker stands for the frozen network and
  /// all that makes its input from the picture, so that one cache serves trainings of any kind.
  struct Key {
    std::uint64_t maker = 0;
    std::uint64_t view = 0;
    std::size_t picture = 0;
    auto operator<=>(const Key&) const = default;
  };

  /// Copies the entry to `to`; false if there is none.
  [[nodiscard]] bool find(const Key& key, std::span<float> to) const;
  void put(const Key& key, std::span<const float> values);
  /// Bytes of the values that it holds.
  [[nodiscard]] std::size_t used() const;

 private:
  std::size_t bytes_;
  mutable std::mutex mutex_;
  std::size_t used_ = 0;
  std::map<Key, std::vector<float>> entries_;
};

}  // namespace engraft
