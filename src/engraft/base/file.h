#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engraft {

using Bytes = std::vector<std::byte>;

/// Default limit of read_file: no picture, table or model that engraft reads is larger.
inline constexpr std::uint64_t kMaxFileSize = std::uint64_t{2} << 30;

/// The whole file. Errors: kNotFound if it is not there, kIo if it cannot be read (a directory,
/// permissions), kBadInput if it is larger than limit.
[[nodiscard]] Bytes read_file(const std::filesystem::path& path,
                              std::uint64_t limit = kMaxFileSize);
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path,
                                         std::uint64_t limit = kMaxFileSize);

/// The folder that a name lies in; "." for a bare name.
[[nodiscard]] std::filesystem::path parent_folder(const std::filesystem::path& path);

/// Brings a folder's entries to the disk, so that a rename in it outlasts a crash of the machine.
/// Best effort, never an error: some file systems refuse, and the rename itself still holds.
void sync_folder(const std::filesystem::path& folder);

/// What an error about a file says behind "PATH: ", for callers that show the path themselves;
/// messages that begin otherwise come back whole.
[[nodiscard]] std::string without_path(std::string_view message, const std::filesystem::path& path);

/// A file that appears under its final name whole or not at all: written beside it, fsynced, then
/// renamed. Destroyed without commit(), it leaves nothing behind. Missing parent folders are made.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Throws Error(kIo) when anything could not be written; the earlier file, if any, is then
  /// untouched.
  void commit();
  /// Where the bytes go until commit(): for libraries that write to a path themselves.
  [[nodiscard]] const std::filesystem::path& temporary() const { return temporary_; }

 private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

/// Writes a whole file through AtomicFile: afterwards it has these contents, or Error(kIo) is
/// thrown and the earlier file, if any, is untouched. Missing parent folders are made.
void write_file_atomic(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomic(const std::filesystem::path& path, std::string_view text);

}  // namespace engraft
