#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "engraft/image/decode.h"

namespace engraft {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::uint32_t big_endian_32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::uint32_t little_endian_32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// "BM" alone could begin a sentence; the size of the header that follows settles it.
bool is_bmp(std::string_view text) {
  constexpr std::array<std::uint32_t, 7> kHeaderSizes{12, 40, 52, 56, 64, 108, 124};
  return text.size() >= 18 && text.starts_with("BM") &&
         std::ranges::find(kHeaderSizes, little_endian_32(text.substr(14))) != kHeaderSizes.end();
}

/// An ISO base media file whose major or compatible brands include a still picture's.
bool is_heif(std::string_view text) {
  constexpr std::array<std::string_view, 10> kBrands{"heic", "heix", "heim", "heis", "hevc",
                                                     "hevx", "mif1", "msf1", "avif", "avis"};
  if (text.size() < 16 || text.substr(4, 4) != "ftyp") return false;
  const std::size_t box = std::min<std::size_t>(big_endian_32(text), text.size());
  for (std::size_t at = 8; at + 4 <= box; at += 4) {
    if (at == 12) continue;  // the minor version stands between the major and the other brands
    if (std::ranges::find(kBrands, text.substr(at, 4)) != kBrands.end()) return true;
  }
  return false;
}

bool is_tiff(std::string_view text) {
  using namespace std::string_view_literals;
  return text.starts_with("II*\0"sv) || text.starts_with("MM\0*"sv) ||
         text.starts_with("II+\0"sv) || text.starts_with("MM\0+"sv);
}

}  // namespace

ImageFormat image_format(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  if (text.starts_with("\xFF\xD8\xFF")) return ImageFormat::kJpeg;
  if (text.starts_with("\x89PNG\r\n\x1A\n")) return ImageFormat::kPng;
  if (text.size() >= 12 && text.starts_with("RIFF") && text.substr(8, 4) == "WEBP") {
    return ImageFormat::kWebp;
  }
  if (text.starts_with("GIF87a") || text.starts_with("GIF89a")) return ImageFormat::kGif;
  if (is_tiff(text)) return ImageFormat::kTiff;
  if (is_heif(text)) return ImageFormat::kHeif;
  if (is_bmp(text)) return ImageFormat::kBmp;
  return ImageFormat::kUnknown;
}

std::string_view name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::kUnknown:
      return "unknown";
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kWebp:
      return "WebP";
    case ImageFormat::kGif:
      return "GIF";
    case ImageFormat::kBmp:
      return "BMP";
    case ImageFormat::kTiff:
      return "TIFF";
    case ImageFormat::kHeif:
      return "HEIF";
  }
  return "unknown";
}

}  // namespace engraft
