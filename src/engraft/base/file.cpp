#include "engraft/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "engraft/base/error.h"
#include "engraft/base/open_file.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadStep = std::size_t{1} << 16;

[[noreturn]] void fail(ErrorKind kind, const fs::path& path, std::string_view what) {
  throw Error(kind, fmt::format("{}: {}", path.string(), what));
}

}  // namespace

fs::path parent_folder(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void sync_folder(const fs::path& folder) {
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return;
  ::fsync(handle);
  ::close(handle);
}

std::string without_path(std::string_view message, const fs::path& path) {
  const std::string head = path.string() + ": ";
  if (message.starts_with(head)) message.remove_prefix(head.size());
  return std::string(message);
}

Bytes read_file(const fs::path& path, std::uint64_t limit) {
  const OpenFile file(path, limit);
  // One byte more than stat said: the end of the file is then seen without growing. Files whose
  // size stat does not know (/proc) grow in steps.
  Bytes bytes(file.size() > 0 ? file.size() + 1 : kReadStep);
  std::size_t filled = 0;
  for (;;) {
    if (filled == bytes.size()) bytes.resize(bytes.size() + kReadStep);
    const std::size_t got = file.read(std::span(bytes).subspan(filled));
    if (got == 0) break;
    filled += got;
    if (filled > limit)
      fail(ErrorKind::kBadInput, path, fmt::format("is larger than {} bytes", limit));
  }
  bytes.resize(filled);
  return bytes;
}

std::string read_text_file(const fs::path& path, std::uint64_t limit) {
  const Bytes bytes = read_file(path, limit);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  static std::atomic<unsigned> serial{0};
  const fs::path folder = parent_folder(path_);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    fail(ErrorKind::kIo, folder, fmt::format("cannot make this folder: {}", error.message()));
  // File systems stop at 255 bytes a name, so the temporary one takes only the head of a long one.
  const std::string head = path_.filename().string().substr(0, 200);
  do {
    temporary_ = folder / fmt::format(".{}.{}.{}.part", head, ::getpid(), serial++);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);  // left behind by a process that was killed
  if (descriptor_ < 0) {
    const int code = errno;
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot write here: {}", path_.string(), std::strerror(code)));
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail(ErrorKind::kIo, path_, fmt::format("cannot write: {}", std::strerror(errno)));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0)
    fail(ErrorKind::kIo, path_, fmt::format("cannot write: {}", std::strerror(errno)));
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail(ErrorKind::kIo, path_, fmt::format("cannot put in place: {}", std::strerror(errno)));
  }
  ::close(descriptor_);
  descriptor_ = -1;
  sync_folder(parent_folder(path_));
}

void write_file_atomic(const fs::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_file_atomic(const fs::path& path, std::string_view text) {
  write_file_atomic(path, std::as_bytes(std::span(text)));
}

}  // namespace engraft
