#include "engraft/train/picture_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/image/resize.h"

namespace engraft {
namespace {

/// Pictures between two looks at stop and progress.
constexpr std::size_t kAtATime = 64;

StoredPicture read_picture(const std::filesystem::path& path, const PictureStoreOptions& options) {
  StoredPicture stored;
  try {
    const Bytes bytes = read_file(path);
    stored.content = sha256(bytes);
    const Size enough{options.short_side, options.short_side};
    stored.image =
        shrunk(decode_image(bytes, {.orientation = options.orientation, .enough = enough}),
               options.short_side);
  } catch (const Error& error) {
    stored.error = without_path(error.what(), path);
  }
  return stored;
}

}  // namespace

Image shrunk(Image image, int short_side) {
  const int least = std::min(image.width, image.height);
  if (least <= short_side) return image;
  const double factor = static_cast<double>(short_side) / least;
  const auto side = [&](int length) {
    return std::max(short_side, static_cast<int>(std::lround(length * factor)));
  };
  return resize(image, {side(image.width), side(image.height)},
                Interpolation::kBilinearAntialiased);
}

std::vector<StoredPicture> store_pictures(std::span<const std::filesystem::path> paths,
                                          const PictureStoreOptions& options, ThreadPool& pool,
                                          Progress& progress, const std::stop_token& stop) {
  std::vector<StoredPicture> stored(paths.size());
  std::atomic<std::size_t> used = 0;
  progress.begin("Reading pictures", static_cast<std::int64_t>(paths.size()), "pictures");
  for (std::size_t begin = 0; begin < paths.size(); begin += kAtATime) {
    throw_if_stopped(stop);
    const std::size_t count = std::min(kAtATime, paths.size() - begin);
    pool.for_each(count, [&](std::size_t i, int) {
      StoredPicture& picture = stored[begin + i];
      picture = read_picture(paths[begin + i], options);
      used += picture.image.pixels.size();
    });
    const std::size_t done = begin + count;
    if (used > options.memory) {
      constexpr double kMegabyte = 1 << 20;
      const double all =
          static_cast<double>(used) / static_cast<double>(done) * static_cast<double>(paths.size());
      throw Error(
          ErrorKind::kUsage,
          fmt::format("{} pictures take about {:.0f} MB of memory, and {:.0f} MB are free for "
                      "them; give fewer pictures, or a smaller size",
                      paths.size(), std::ceil(all / kMegabyte),
                      static_cast<double>(options.memory) / kMegabyte));
    }
    progress.update(static_cast<std::int64_t>(done));
  }
  progress.end();
  return stored;
}

}  // namespace engraft
