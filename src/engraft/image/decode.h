#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engraft/base/file.h"
#include "engraft/image/image.h"

namespace engraft {

enum class ImageFormat {
  kUnknown,
  kJpeg,
  kPng,
  kWebp,
  kGif,
  kBmp,
  kTiff,
  kHeif /* HEIC and AVIF */
};

/// The format by the first bytes; the file's name is never asked.
[[nodiscard]] ImageFormat image_format(std::span<const std::byte> bytes);
[[nodiscard]] std::string_view name_of(ImageFormat format);

enum class Orientation { kUpright /* apply EXIF */, kAsStored };

struct DecodeOptions {
  Orientation orientation = Orientation::kUpright;
  /// The smallest upright size that still serves: a JPEG may be decoded at 1/2, 1/4 or 1/8 by its
  /// DCT, but no side gets shorter than this. {0, 0}: full size.
  Size enough{};
  /// Pictures with more pixels than this, as their header says, are refused before memory is taken.
  std::int64_t max_pixels = std::int64_t{1} << 28;
};

/// Decodes one picture (of an animation, the first frame). Alpha is composed over white, 16 bits
/// are rounded to 8, grey and CMYK become RGB. Errors: kBadInput for anything broken, truncated,
/// too large or not a picture, kUnsupported for a format that cannot be read. Messages do not name
/// the file: they say what is wrong with it, and the caller, who knows the name, puts it in front
/// (see read_image).
[[nodiscard]] Image decode_image(std::span<const std::byte> bytes,
                                 const DecodeOptions& options = {});

/// Reads and decodes a file; errors are one line that begins with the path.
[[nodiscard]] Image read_image(const std::filesystem::path& path,
                               const DecodeOptions& options = {});

}  // namespace engraft
