#include "engraft/image/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <string_view>

#include "engraft/base/error.h"
#include "engraft/image/decoders.h"

namespace engraft {
namespace {

constexpr std::string_view kReadable =
    "engraft reads JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC and AVIF";

/// Pictures and things mistaken for pictures that deserve their name in the message.
struct KnownSignature {
  std::size_t offset;
  std::string_view magic;
  std::string_view name;
};

using namespace std::string_view_literals;
constexpr std::array<KnownSignature, 12> kUnreadable{{
    {0, "%PDF-"sv, "a PDF document"},
    {0, "\xFF\x0A"sv, "a JPEG XL picture"},
    {0, "\0\0\0\x0CJXL "sv, "a JPEG XL picture"},
    {0, "\0\0\0\x0CjP  "sv, "a JPEG 2000 picture"},
    {0, "\xFF\x4F\xFF\x51"sv, "a JPEG 2000 picture"},
    {0, "8BPS"sv, "a Photoshop document"},
    {0, "\0\0\1\0"sv, "an icon (ICO)"},
    {0, "v/1\1"sv, "an OpenEXR picture"},
    {0, "<svg"sv, "an SVG drawing"},
    {0, "PK\3\4"sv, "a ZIP archive"},
    {4, "ftyp"sv, "a video"},
    {0, "\x1A\x45\xDF\xA3"sv, "a video"},
}};

bool looks_like_text(std::string_view head) {
  return std::ranges::all_of(head, [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return code >= 0x20 ? code != 0x7F : code == '\n' || code == '\r' || code == '\t';
  });
}

[[noreturn]] void refuse_unknown(std::span<const std::byte> bytes) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const KnownSignature& known : kUnreadable) {
    if (all.size() > known.offset && all.substr(known.offset).starts_with(known.magic)) {
      throw Error(ErrorKind::kUnsupported, fmt::format("is {}; {}", known.name, kReadable));
    }
  }
  const std::string_view head = all.substr(0, 512);
  if (looks_like_text(head)) {
    const bool markup = head.find('<') != head.npos && head.find("html") != head.npos;
    throw Error(ErrorKind::kBadInput,
                fmt::format("is {}, not a picture", markup ? "a web page" : "text"));
  }
  throw Error(ErrorKind::kBadInput, fmt::format("is not a picture; {}", kReadable));
}

decoders::Stored decode_stored(std::span<const std::byte> bytes, const DecodeOptions& options) {
  if (bytes.empty()) throw Error(ErrorKind::kBadInput, "is empty (0 bytes)");
  switch (image_format(bytes)) {
    case ImageFormat::kJpeg:
      return decoders::jpeg(bytes, options);
    case ImageFormat::kPng:
      return decoders::png(bytes, options);
    case ImageFormat::kWebp:
      return decoders::webp(bytes, options);
    case ImageFormat::kGif:
      return decoders::gif(bytes, options);
    case ImageFormat::kBmp:
      return decoders::bmp(bytes, options);
    case ImageFormat::kTiff:
      return decoders::tiff(bytes, options);
    case ImageFormat::kHeif:
      return decoders::heif(bytes, options);
    case ImageFormat::kUnknown:
      break;
  }
  refuse_unknown(bytes);
}

}  // namespace

namespace decoders {

void check_size(std::int64_t width, std::int64_t height, const DecodeOptions& options) {
  if (width < 1 || height < 1) {
    throw Error(ErrorKind::kBadInput, fmt::format("claims a size of {} × {}", width, height));
  }
  // Sides past 2^31 cannot come from any header that is read here, so the product is safe.
  if (width > INT32_MAX || height > INT32_MAX || width * height > options.max_pixels) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("claims {} × {} pixels, more than the limit of {} million", width,
                            height, options.max_pixels / 1'000'000));
  }
}

void compose_row(const std::uint8_t* rgba, int width, Alpha alpha, std::uint8_t* rgb) {
  for (int x = 0; x < width; ++x, rgba += 4, rgb += 3) {
    const std::uint32_t a = rgba[3];
    for (int c = 0; c < 3; ++c) {
      rgb[c] = alpha == Alpha::kStraight
                   ? over_white(rgba[c], a)
                   : static_cast<std::uint8_t>(std::min<std::uint32_t>(rgba[c] + (255 - a), 255));
    }
  }
}

}  // namespace decoders

Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options) {
  try {
    decoders::Stored stored = decode_stored(bytes, options);
    if (options.orientation == Orientation::kAsStored) return std::move(stored.image);
    return turn_upright(std::move(stored.image), stored.orientation);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::kBadInput, "needs more memory to decode than this machine gives");
  }
}

Image read_image(const std::filesystem::path& path, const DecodeOptions& options) {
  const Bytes bytes = read_file(path);
  try {
    return decode_image(bytes, options);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}", path.string(), error.what()));
  }
}

}  // namespace engraft
