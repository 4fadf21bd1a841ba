#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/image/decoders.h"
#include "engraft/image/libtiff.h"

namespace engraft::decoders {
namespace {

constexpr std::int64_t kMaxSingleAllocation = std::int64_t{1} << 31;
/// A strip or tile may hold this much whatever the picture's size: tiles are larger than small
/// pictures.
constexpr std::uint64_t kSmallBlock = std::uint64_t{4} << 20;
/// Four samples of 16 bits, twice over.
constexpr std::uint64_t kMaxBytesPerPixel = 16;

struct TiffSource {
  Input bytes;
  std::uint64_t at = 0;
  std::string first_error;
};

TiffSource& source_of(thandle_t handle) {
  return *static_cast<TiffSource*>(handle);
}

tmsize_t read_tiff(thandle_t handle, void* to, tmsize_t length) {
  TiffSource& source = source_of(handle);
  if (length <= 0 || source.at >= source.bytes.size()) return 0;
  const std::size_t count =
      std::min(static_cast<std::size_t>(length), source.bytes.size() - source.at);
  std::memcpy(to, source.bytes.data() + source.at, count);
  source.at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t write_nothing(thandle_t, void*, tmsize_t) {
  return 0;
}

toff_t seek_source(thandle_t handle, toff_t offset, int whence) {
  TiffSource& source = source_of(handle);
  switch (whence) {
    case SEEK_CUR:
      source.at += offset;
      break;
    case SEEK_END:
      source.at = source.bytes.size() + offset;
      break;
    default:
      source.at = offset;
  }
  return source.at;
}

int close_nothing(thandle_t) {
  return 0;
}

toff_t size_of_source(thandle_t handle) {
  return source_of(handle).bytes.size();
}

int map_source(thandle_t handle, void** base, toff_t* size) {
  // The library's interface takes a plain pointer but only reads through it.
  *base = const_cast<std::byte*>(source_of(handle).bytes.data());
  *size = source_of(handle).bytes.size();
  return 1;
}

void unmap_nothing(thandle_t, void*, toff_t) {}

int keep_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto* source = static_cast<TiffSource*>(user);
  if (source->first_error.empty()) {
    std::array<char, 256> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    source->first_error = line.data();
    std::ranges::replace(source->first_error, '\n', ' ');
  }
  return 1;  // handled: nothing is printed
}

int drop_warning(TIFF*, void*, const char*, const char*, va_list) {
  return 1;
}

struct TiffDeleter {
  void operator()(TIFF* file) const { TIFFClose(file); }
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
  void operator()(TIFFRGBAImage* reader) const { TIFFRGBAImageEnd(reader); }
};
template <typename T>
using OwnedTiff = std::unique_ptr<T, TiffDeleter>;
using TiffFile = OwnedTiff<TIFF>;

TiffFile open_tiff(TiffSource& source) {
  const OwnedTiff<TIFFOpenOptions> options(TIFFOpenOptionsAlloc());
  if (!options) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxSingleAllocation);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), drop_warning, &source);
  return TiffFile(TIFFClientOpenExt("picture", "r", &source, read_tiff, write_nothing, seek_source,
                                    close_nothing, size_of_source, map_source, unmap_nothing,
                                    options.get()));
}

[[noreturn]] void fail(const TiffSource& source) {
  throw Error(ErrorKind::kBadInput,
              fmt::format("is a damaged or truncated TIFF ({})",
                          source.first_error.empty() ? "cannot be read" : source.first_error));
}

/// The size that the header claims, after checks that reading it takes memory in proportion.
Size checked_size(TIFF* file, const TiffSource& source, const DecodeOptions& options) {
  std::uint32_t width = 0, height = 0;
  if (!TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &width) ||
      !TIFFGetField(file, TIFFTAG_IMAGELENGTH, &height)) {
    fail(source);
  }
  check_size(width, height, options);
  const std::uint64_t pixels = std::uint64_t{width} * height;
  const std::uint64_t block = TIFFIsTiled(file) ? TIFFTileSize64(file) : TIFFStripSize64(file);
  if (block == 0 || block > std::max(pixels * kMaxBytesPerPixel, kSmallBlock)) {
    throw Error(ErrorKind::kBadInput, "is a damaged TIFF: its blocks do not fit its size");
  }
  return {static_cast<int>(width), static_cast<int>(height)};
}

/// Every layout and colour that libtiff can turn to RGBA (premultiplied), as stored.
std::vector<std::uint32_t> read_rgba(TIFF* file, const TiffSource& source, Size size) {
  std::array<char, 1024> reason{};
  if (!TIFFRGBAImageOK(file, reason.data())) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("is a TIFF of a kind that cannot be read ({})", reason.data()));
  }
  TIFFRGBAImage reader{};
  constexpr int kStopOnError = 1;
  if (!TIFFRGBAImageBegin(&reader, file, kStopOnError, reason.data())) fail(source);
  const OwnedTiff<TIFFRGBAImage> end(&reader);
  // Both the same: rows come as the file has them, and all eight orientations are applied later.
  reader.orientation = ORIENTATION_TOPLEFT;
  reader.req_orientation = ORIENTATION_TOPLEFT;
  std::vector<std::uint32_t> raster(static_cast<std::size_t>(size.width) *
                                    static_cast<std::size_t>(size.height));
  if (!TIFFRGBAImageGet(&reader, raster.data(), static_cast<std::uint32_t>(size.width),
                        static_cast<std::uint32_t>(size.height))) {
    fail(source);
  }
  return raster;
}

}  // namespace

Stored tiff(Input bytes, const DecodeOptions& options) {
  TiffSource source{.bytes = bytes, .first_error = {}};
  const TiffFile file = open_tiff(source);
  if (!file) fail(source);
  const Size size = checked_size(file.get(), source, options);
  std::uint16_t orientation = ORIENTATION_TOPLEFT;
  TIFFGetFieldDefaulted(file.get(), TIFFTAG_ORIENTATION, &orientation);

  const std::vector<std::uint32_t> raster = read_rgba(file.get(), source, size);
  Stored stored{.image = Image(size.width, size.height),
                .orientation = orientation_from_number(orientation)};
  std::uint8_t* to = stored.image.pixels.data();
  for (const std::uint32_t pixel : raster) {
    const std::uint32_t white = 255 - TIFFGetA(pixel);
    *to++ = static_cast<std::uint8_t>(std::min<std::uint32_t>(TIFFGetR(pixel) + white, 255));
    *to++ = static_cast<std::uint8_t>(std::min<std::uint32_t>(TIFFGetG(pixel) + white, 255));
    *to++ = static_cast<std::uint8_t>(std::min<std::uint32_t>(TIFFGetB(pixel) + white, 255));
  }
  return stored;
}

}  // namespace engraft::decoders
