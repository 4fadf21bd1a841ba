#include "engraft/base/open_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "engraft/base/error.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(ErrorKind kind, const fs::path& path, std::string_view what) {
  throw Error(kind, fmt::format("{}: {}", path.string(), what));
}

[[noreturn]] void fail_errno(const fs::path& path, std::string_view doing) {
  const int error = errno;
  const bool missing = error == ENOENT || error == ENOTDIR;
  refuse(missing ? ErrorKind::kNotFound : ErrorKind::kIo, path,
         fmt::format("{}: {}", doing, std::strerror(error)));
}

/// Bytes of an open file, which must be a regular one.
std::size_t checked_size(int descriptor, const fs::path& path, std::uint64_t limit) {
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) fail_errno(path, "cannot stat");
  if (S_ISDIR(info.st_mode)) refuse(ErrorKind::kIo, path, "is a folder, not a file");
  // A pipe may never answer, a device never end.
  if (!S_ISREG(info.st_mode)) refuse(ErrorKind::kIo, path, "is not a regular file");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > limit) {
    refuse(ErrorKind::kBadInput, path, fmt::format("is {} bytes; the limit is {}", size, limit));
  }
  return size;
}

}  // namespace

OpenFile::OpenFile(const fs::path& path, std::uint64_t limit)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) fail_errno(path, "cannot open");
  try {
    size_ = checked_size(descriptor_, path, limit);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

OpenFile::~OpenFile() {
  ::close(descriptor_);
}

std::size_t OpenFile::read(std::span<std::byte> to) const {
  for (;;) {
    const ssize_t got = ::read(descriptor_, to.data(), to.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) fail_errno(path_, "cannot read");
  }
}

}  // namespace engraft
