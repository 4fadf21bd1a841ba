#include "engraft/base/file_contents.h"

#include <fmt/format.h>

#include "engraft/base/error.h"
#include "engraft/base/open_file.h"

namespace engraft {

FileContents::FileContents(const std::filesystem::path& path, std::uint64_t limit) {
  const OpenFile file(path, limit);
  try {
    memory_ = Arena(file.size());
  } catch (const Error&) {
    throw Error(ErrorKind::kIo, fmt::format("{}: there is no memory for its {} MB", path.string(),
                                            file.size() >> 20));
  }
  const std::span<std::byte> room(memory_.data(), file.size());
  while (size_ < room.size()) {
    const std::size_t got = file.read(room.subspan(size_));
    if (got == 0) break;
    size_ += got;
  }
}

}  // namespace engraft
