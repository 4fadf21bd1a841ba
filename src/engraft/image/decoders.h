#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engraft/image/decode.h"
#include "engraft/image/image.h"
#include "engraft/image/orientation.h"

/// The decoders behind decode_image, one for each format. Each checks the header's size against
/// options.max_pixels before it takes memory, and reports everything broken as Error(kBadInput).
namespace engraft::decoders {

/// Pixels as the file stores them and how to turn them upright.
struct Stored {
  Image image;
  ExifOrientation orientation = ExifOrientation::kUpright;
};

using Input = std::span<const std::byte>;

[[nodiscard]] Stored jpeg(Input bytes, const DecodeOptions& options);
[[nodiscard]] Stored png(Input bytes, const DecodeOptions& options);
[[nodiscard]] Stored webp(Input bytes, const DecodeOptions& options);
[[nodiscard]] Stored gif(Input bytes, const DecodeOptions& options);
[[nodiscard]] Stored bmp(Input bytes, const DecodeOptions& options);
[[nodiscard]] Stored tiff(Input bytes, const DecodeOptions& options);
/// The format's own rotation is part of decoding it; an EXIF orientation beside that is a copy for
/// information and is not applied.
[[nodiscard]] Stored heif(Input bytes, const DecodeOptions& options);

/// Error(kBadInput) for an empty picture or one of more than options.max_pixels.
void check_size(std::int64_t width, std::int64_t height, const DecodeOptions& options);

/// round((c · a + 255 · (255 − a)) / 255): a colour of opacity a over white.
[[nodiscard]] inline std::uint8_t over_white(std::uint32_t c, std::uint32_t a) {
  return static_cast<std::uint8_t>((c * a + 255 * (255 - a) + 127) / 255);
}

/// What an 8-bit RGBA row's alpha means.
enum class Alpha { kStraight, kPremultiplied };

/// RGBA row of `width` pixels → RGB row over white.
void compose_row(const std::uint8_t* rgba, int width, Alpha alpha, std::uint8_t* rgb);

[[nodiscard]] inline const std::uint8_t* data_of(Input bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

}  // namespace engraft::decoders
