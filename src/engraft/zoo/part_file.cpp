#include "engraft/zoo/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/base/file.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

fs::path with_suffix(fs::path path, std::string_view suffix) {
  path += suffix;
  return path;
}

[[noreturn]] void fail(const fs::path& path, std::string_view doing, int error = errno) {
  throw Error(ErrorKind::kIo,
              fmt::format("{}: {}: {}", path.string(), doing, std::strerror(error)));
}

/// A line of the state file must stay one line, whatever a server puts into a header.
bool is_one_line(const std::string& text) {
  return text.find_first_of("\r\n") == text.npos;
}

}  // namespace

PartFile::PartFile(fs::path to)
    : to_(std::move(to)),
      part_(with_suffix(to_, ".part")),
      state_file_(with_suffix(part_, ".state")) {
  const fs::path folder = parent_folder(to_);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot make this folder: {}", folder.string(), error.message()));
  }
}

PartFile::~PartFile() {
  if (descriptor_ >= 0 && size_ == 0) remove();
  unlock();
}

void PartFile::unlock() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

bool PartFile::try_lock() {
  const int descriptor = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(part_, "cannot write here");
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(descriptor);
    if (error == EWOULDBLOCK || error == EINTR) return false;
    fail(part_, "cannot lock", error);
  }
  // Whoever had the lock may have renamed or removed the file in between; then this one is not it.
  struct stat mine = {};
  struct stat named = {};
  const bool same = ::fstat(descriptor, &mine) == 0 && ::stat(part_.c_str(), &named) == 0 &&
                    mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
  if (!same) {
    ::close(descriptor);
    return false;
  }
  descriptor_ = descriptor;
  size_ = mine.st_size;
  read_state();
  return true;
}

void PartFile::read_state() {
  state_ = {};
  std::string text;
  try {
    text = read_text_file(state_file_, 1 << 16);
  } catch (const Error&) {
    return;  // without it the part is of no use, and is not used
  }
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string key = line.substr(0, space);
    const std::string value = space < line.size() ? line.substr(space + 1) : "";
    if (key == "url") state_.url = value;
    if (key == "etag") state_.etag = value;
    if (key == "modified") state_.modified = value;
    if (key == "total") {
      std::from_chars(value.data(), value.data() + value.size(), state_.total);
    }
    begin = end + 1;
  }
}

void PartFile::begin(const PartState& state) {
  discard();
  if (!is_one_line(state.url) || !is_one_line(state.etag) || !is_one_line(state.modified)) return;
  write_file_atomic(state_file_, fmt::format("url {}\netag {}\nmodified {}\ntotal {}\n", state.url,
                                             state.etag, state.modified, state.total));
  state_ = state;
}

void PartFile::discard() {
  // The state goes first: bytes without a state are never continued, a state without bytes is.
  ::unlink(state_file_.c_str());
  state_ = {};
  if (::ftruncate(descriptor_, 0) != 0) fail(part_, "cannot write");
  size_ = 0;
}

void PartFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(descriptor_, bytes.data(), bytes.size(), size_);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail(part_, "cannot write");
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    size_ += put;
  }
}

Digest PartFile::digest() const {
  Sha256 sha;
  Bytes buffer(1 << 18);
  for (std::int64_t at = 0;;) {
    const ssize_t got = ::pread(descriptor_, buffer.data(), buffer.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(part_, "cannot read");
    if (got == 0) return sha.finish();
    sha.update(std::span(buffer).first(static_cast<std::size_t>(got)));
    at += got;
  }
}

void PartFile::finish() {
  if (::fsync(descriptor_) != 0) fail(part_, "cannot write");
  if (::rename(part_.c_str(), to_.c_str()) != 0) fail(to_, "cannot put in place");
  ::unlink(state_file_.c_str());
  sync_folder(parent_folder(to_));
  unlock();
}

void PartFile::remove() {
  if (descriptor_ < 0) return;
  ::unlink(state_file_.c_str());
  ::unlink(part_.c_str());
  state_ = {};
  size_ = 0;
  unlock();
}

}  // namespace engraft
