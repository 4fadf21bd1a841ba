#include "engraft/train/picture_source.h"

#include "engraft/base/error.h"
#include "engraft/base/file.h"

namespace engraft {

PictureSource::PictureSource(std::span<const std::filesystem::path> paths, const Options& options)
    : paths_(paths), options_(options), kept_(paths.size()) {}

std::shared_ptr<const RecentPicture> PictureSource::picture(std::size_t i) {
  {
    const std::lock_guard lock(mutex_);
    if (kept_[i]) return kept_[i];
  }
  const Bytes bytes = read_file(paths_[i]);
  std::shared_ptr<const RecentPicture> decoded;
  try {
    decoded = std::make_shared<const RecentPicture>(
        RecentPicture{.content = sha256(bytes), .image = decode_image(bytes, options_.decode)});
  } catch (const Error& error) {
    throw Error(error.kind(), paths_[i].string() + ": " + error.what());
  }
  const std::lock_guard lock(mutex_);
  const std::size_t size = decoded->image.pixels.size();
  if (!kept_[i] && used_ + size <= options_.memory) {
    used_ += size;
    kept_[i] = decoded;
  }
  return decoded;
}

}  // namespace engraft
