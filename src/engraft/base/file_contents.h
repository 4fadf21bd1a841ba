#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "engraft/base/arena.h"
#include "engraft/base/file.h"

namespace engraft {

/// A large file's bytes, read once into memory that nobody fills with zeros first, in huge pages
/// where the system has them. Not a mapping of the file: a program that cuts a mapped file short
/// would end this one (SIGBUS); what was read stays as it was.
class FileContents {
 public:
  /// Throws what read_file throws. Of a file that grows meanwhile, what was there at first.
  explicit FileContents(const std::filesystem::path& path, std::uint64_t limit = kMaxFileSize);

  [[nodiscard]] std::span<const std::byte> bytes() const { return {memory_.data(), size_}; }

 private:
  Arena memory_;
  std::size_t size_ = 0;
};

}  // namespace engraft
