#include <fmt/format.h>
#include <spng.h>

#include <cstring>
#include <memory>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/image/decoders.h"

namespace engraft::decoders {
namespace {

/// Text and colour profiles past this are not for a picture; compressed ones could unpack to
/// anything.
constexpr std::size_t kMaxChunkMemory = std::size_t{64} << 20;

struct DecoderDeleter {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, DecoderDeleter>;

[[noreturn]] void fail_png(int code) {
  if (code == SPNG_EMEM) throw std::bad_alloc();
  if (code == SPNG_IO_EOF || code == SPNG_EOF || code == SPNG_EIDAT_TOO_SHORT) {
    throw Error(ErrorKind::kBadInput, "is a truncated PNG: the file ends before the picture does");
  }
  throw Error(ErrorKind::kBadInput, fmt::format("is a damaged PNG ({})", spng_strerror(code)));
}

void require_png(int code) {
  if (code != SPNG_OK) fail_png(code);
}

/// How the rows are asked of the library and what is left to do with them.
struct RowFormat {
  int format = SPNG_FMT_RGB8;
  int flags = 0;
  std::size_t bytes_per_pixel = 3;
};

RowFormat row_format(spng_ctx* context, const spng_ihdr& header) {
  spng_trns transparency{};
  const bool has_alpha = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
                         header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA ||
                         spng_get_trns(context, &transparency) == SPNG_OK;
  // The library cuts 16 bits to 8; asking for all of them lets the rounding happen here.
  if (header.bit_depth == 16) return {SPNG_FMT_RGBA16, SPNG_DECODE_TRNS, 8};
  if (has_alpha) return {SPNG_FMT_RGBA8, SPNG_DECODE_TRNS, 4};
  return {};
}

/// round over white of 16-bit straight RGBA, to 8 bits in one rounding.
void compose_row_16(const std::uint8_t* row, int width, std::uint8_t* rgb) {
  constexpr std::uint64_t kFull = 65535, kDivisor = kFull * 257;
  for (int x = 0; x < width; ++x, row += 8, rgb += 3) {
    std::uint16_t p[4];
    std::memcpy(p, row, sizeof p);
    const std::uint64_t alpha = p[3];
    for (int c = 0; c < 3; ++c) {
      const std::uint64_t value = p[c] * alpha + kFull * (kFull - alpha);
      rgb[c] = static_cast<std::uint8_t>((value + kDivisor / 2) / kDivisor);
    }
  }
}

void store_row(const RowFormat& format, const std::uint8_t* row, int width, std::uint8_t* rgb) {
  switch (format.format) {
    case SPNG_FMT_RGBA16:
      return compose_row_16(row, width, rgb);
    case SPNG_FMT_RGBA8:
      return compose_row(row, width, Alpha::kStraight, rgb);
    default:
      std::memcpy(rgb, row, static_cast<std::size_t>(width) * 3);
  }
}

/// One row in memory at a time.
void decode_rows(spng_ctx* context, const RowFormat& format, Image& image) {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(image.width) * format.bytes_per_pixel);
  require_png(spng_decode_image(context, nullptr, 0, format.format,
                                format.flags | SPNG_DECODE_PROGRESSIVE));
  for (int y = 0; y < image.height; ++y) {
    const int code = spng_decode_row(context, row.data(), row.size());
    if (code != SPNG_OK && !(code == SPNG_EOI && y == image.height - 1)) fail_png(code);
    store_row(format, row.data(), image.width, image.row(y));
  }
}

/// Adam7 needs the whole picture at hand.
void decode_interlaced(spng_ctx* context, const RowFormat& format, Image& image) {
  const std::size_t stride = static_cast<std::size_t>(image.width) * format.bytes_per_pixel;
  std::vector<std::uint8_t> rows(stride * static_cast<std::size_t>(image.height));
  require_png(spng_decode_image(context, rows.data(), rows.size(), format.format, format.flags));
  for (int y = 0; y < image.height; ++y) {
    store_row(format, rows.data() + stride * static_cast<std::size_t>(y), image.width,
              image.row(y));
  }
}

}  // namespace

Stored png(Input bytes, const DecodeOptions& options) {
  const Context context(spng_ctx_new(0));
  if (!context) throw std::bad_alloc();
  require_png(spng_set_chunk_limits(context.get(), kMaxChunkMemory, kMaxChunkMemory));
  require_png(spng_set_png_buffer(context.get(), bytes.data(), bytes.size()));
  spng_ihdr header{};
  require_png(spng_get_ihdr(context.get(), &header));
  check_size(header.width, header.height, options);

  Stored stored{.image = Image(static_cast<int>(header.width), static_cast<int>(header.height))};
  const RowFormat format = row_format(context.get(), header);
  if (header.interlace_method == SPNG_INTERLACE_NONE) {
    decode_rows(context.get(), format, stored.image);
  } else {
    decode_interlaced(context.get(), format, stored.image);
  }
  require_png(spng_decode_chunks(context.get()));  // an eXIf chunk may follow the picture
  spng_exif exif{};
  if (spng_get_exif(context.get(), &exif) == SPNG_OK) {
    stored.orientation = exif_orientation(std::as_bytes(std::span(exif.data, exif.length)));
  }
  return stored;
}

}  // namespace engraft::decoders
