#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace engraft {

/// A regular file, open for reading from its begin.
class OpenFile {
 public:
  /// Errors: kNotFound if it is not there, kIo if it cannot be opened or is no regular file,
  /// kBadInput if it is larger than limit.
  OpenFile(const std::filesystem::path& path, std::uint64_t limit);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  /// Bytes when it was opened; 0 where the system does not know (/proc).
  [[nodiscard]] std::size_t size() const { return size_; }

  /// The next bytes, as many as there is room for or fewer; none at the end. Throws Error(kIo).
  [[nodiscard]] std::size_t read(std::span<std::byte> to) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::size_t size_ = 0;
};

}  // namespace engraft
