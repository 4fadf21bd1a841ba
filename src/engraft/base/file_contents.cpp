#include "engraft/base/file_contents.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"
#include "engraft/base/open_file.h"

namespace engraft {
namespace {

Arena memory_for(std::size_t bytes, const std::filesystem::path& path) {
  try {
    return Arena(bytes);
  } catch (const Error&) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: there is no memory for its {} MB", path.string(), bytes >> 20));
  }
}

}  // namespace

FileContents::FileContents(const std::filesystem::path& path, std::uint64_t limit) {
  const OpenFile file(path, limit);
  if (file.size() == 0) {  // or the system does not know it (/proc): then only reading tells
    const Bytes bytes = read_file(path, limit);
    memory_ = memory_for(bytes.size(), path);
    std::ranges::copy(bytes, memory_.data());
    size_ = bytes.size();
    return;
  }
  memory_ = memory_for(file.size(), path);
  const std::span<std::byte> room(memory_.data(), file.size());
  while (size_ < room.size()) {
    const std::size_t got = file.read(room.subspan(size_));
    if (got == 0) break;
    size_ += got;
  }
}

}  // namespace engraft
