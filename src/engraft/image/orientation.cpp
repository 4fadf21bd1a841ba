#include "engraft/image/orientation.h"

#include <libexif/exif-data.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace engraft {
namespace {

constexpr std::string_view kExifPrefix("Exif\0\0", 6);
/// An APP1 segment's limit; what cameras write is far below it.
constexpr std::size_t kMaxExif = std::size_t{1} << 24;

struct ExifDataDeleter {
  void operator()(ExifData* data) const { exif_data_unref(data); }
};
using ExifDataPointer = std::unique_ptr<ExifData, ExifDataDeleter>;

ExifDataPointer parse(const std::vector<unsigned char>& block) {
  ExifDataPointer data(exif_data_new());
  if (!data) return data;
  // Only the tag as it stands is wanted: no repairs, no maker notes.
  exif_data_unset_option(data.get(), EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
  exif_data_set_option(data.get(), EXIF_DATA_OPTION_DONT_CHANGE_MAKER_NOTE);
  exif_data_load_data(data.get(), block.data(), static_cast<unsigned int>(block.size()));
  return data;
}

/// Where a stored pixel goes: upright offset = start + x · step_x + y · step_y, in pixels.
struct Walk {
  std::ptrdiff_t start = 0, step_x = 0, step_y = 0;
};

Walk walk_of(ExifOrientation orientation, std::ptrdiff_t width, std::ptrdiff_t height) {
  const std::ptrdiff_t last = width * height - 1;
  switch (orientation) {
    case ExifOrientation::kUpright:
      return {0, 1, width};
    case ExifOrientation::kMirrored:
      return {width - 1, -1, width};
    case ExifOrientation::kRotated180:
      return {last, -1, -width};
    case ExifOrientation::kUpsideDown:
      return {width * (height - 1), 1, -width};
    case ExifOrientation::kTransposed:
      return {0, height, 1};
    case ExifOrientation::kNeedsClockwise:
      return {height - 1, height, -1};
    case ExifOrientation::kTransversed:
      return {last, -height, -1};
    case ExifOrientation::kNeedsCounter:
      return {height * (width - 1), -height, 1};
  }
  return {0, 1, width};
}

}  // namespace

ExifOrientation orientation_from_number(int number) {
  return number >= 1 && number <= 8 ? static_cast<ExifOrientation>(number)
                                    : ExifOrientation::kUpright;
}

ExifOrientation exif_orientation(std::span<const std::byte> exif) {
  if (exif.size() < 8 || exif.size() > kMaxExif) return ExifOrientation::kUpright;
  const auto* first = reinterpret_cast<const unsigned char*>(exif.data());
  std::vector<unsigned char> block;
  block.reserve(exif.size() + kExifPrefix.size());
  if (std::memcmp(first, kExifPrefix.data(), kExifPrefix.size()) != 0) {
    block.assign(kExifPrefix.begin(), kExifPrefix.end());
  }
  block.insert(block.end(), first, first + exif.size());

  const ExifDataPointer data = parse(block);
  if (!data) return ExifOrientation::kUpright;
  const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->data == nullptr || entry->components < 1) {
    return ExifOrientation::kUpright;
  }
  const ExifByteOrder order = exif_data_get_byte_order(data.get());
  if (entry->format == EXIF_FORMAT_SHORT && entry->size >= 2) {
    return orientation_from_number(exif_get_short(entry->data, order));
  }
  if (entry->format == EXIF_FORMAT_LONG && entry->size >= 4) {
    return orientation_from_number(
        static_cast<int>(std::min<ExifLong>(exif_get_long(entry->data, order), 9)));
  }
  return ExifOrientation::kUpright;
}

bool swaps_sides(ExifOrientation orientation) {
  return static_cast<int>(orientation) >= static_cast<int>(ExifOrientation::kTransposed);
}

Image turn_upright(Image stored, ExifOrientation orientation) {
  if (orientation == ExifOrientation::kUpright) return stored;
  Image upright = swaps_sides(orientation) ? Image(stored.height, stored.width)
                                           : Image(stored.width, stored.height);
  const Walk walk = walk_of(orientation, stored.width, stored.height);
  for (int y = 0; y < stored.height; ++y) {
    const std::uint8_t* from = stored.row(y);
    std::ptrdiff_t to = walk.start + y * walk.step_y;
    for (int x = 0; x < stored.width; ++x, from += 3, to += walk.step_x) {
      std::copy_n(from, 3, upright.pixels.data() + 3 * to);
    }
  }
  return upright;
}

}  // namespace engraft
