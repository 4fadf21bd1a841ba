#include "engraft/train/cache_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "engraft/train/sqlite.h"

namespace engraft::cache_file {
namespace {

namespace fs = std::filesystem;

fs::path with_suffix(const fs::path& file, const std::string& suffix) {
  fs::path result = file;
  result += suffix;
  return result;
}

// https://www.sqlite.org/fileformat2.html: the magic, and where the application id is, big endian.
constexpr std::string_view kMagic{"SQLite format 3\0", 16};
constexpr std::size_t kOwnerAt = 68;
constexpr std::size_t kOwnerSize = 4;

/// The first bytes of a regular file, as many as there are; opening a pipe would wait for its
/// writer.
std::string head_of(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return {};
  std::string head(kOwnerAt + kOwnerSize, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(stream.gcount()));
  return head;
}

bool bears_mark(std::string_view head) {
  if (!head.starts_with(kMagic) || head.size() < kOwnerAt + kOwnerSize) return false;
  std::int64_t owner = 0;
  for (const char byte : head.substr(kOwnerAt, kOwnerSize)) {
    owner = owner << 8 | static_cast<unsigned char>(byte);
  }
  return owner == kApplicationId;
}

}  // namespace

Identity identity_of(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return {0, 0};
  return {info.st_dev, info.st_ino};
}

bool is_engrafts(const fs::path& file) {
  return file.filename() == kUsualName || bears_mark(head_of(file));
}

bool may_be_database(const fs::path& file) {
  const std::string head = head_of(file);
  return head.empty() || head.starts_with(kMagic);
}

fs::path set_aside(const fs::path& file) {
  fs::path target = with_suffix(file, ".damaged");
  std::error_code error;
  for (int i = 2; fs::exists(target, error); ++i) {
    target = with_suffix(file, fmt::format(".damaged{}", i));
  }
  fs::rename(file, target, error);
  if (error) throw sqlite::Failure{SQLITE_CANTOPEN, "it cannot be moved aside: " + error.message()};
  for (const char* suffix : {"-wal", "-journal"}) {
    fs::rename(with_suffix(file, suffix), with_suffix(target, suffix), error);
  }
  fs::remove(with_suffix(file, "-shm"), error);
  return target;
}

}  // namespace engraft::cache_file
