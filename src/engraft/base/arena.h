#pragma once

#include <cstddef>

namespace engraft {

/// Zeroed memory straight from the system, on a page boundary, in huge pages where the system has
/// them and the size is worth it, the last one too where it is more than half used: page faults
/// otherwise take a good part of a short run.
class Arena {
 public:
  Arena() = default;
  /// Throws Error(kInternal) when the system has no such amount.
  explicit Arena(std::size_t bytes);
  ~Arena();
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;

  [[nodiscard]] std::byte* data() const { return data_; }

 private:
  void* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  std::byte* data_ = nullptr;
};

}  // namespace engraft
