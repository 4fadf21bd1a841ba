#include <fmt/format.h>
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/image/decoders.h"

namespace engraft::decoders {
namespace {

constexpr std::uint8_t kGifWhite = 255;

struct GifSource {
  Input bytes;
  std::size_t at = 0;
};

int read_gif(GifFileType* file, GifByteType* to, int length) {
  auto* source = static_cast<GifSource*>(file->UserData);
  const std::size_t count =
      std::min(static_cast<std::size_t>(std::max(length, 0)), source->bytes.size() - source->at);
  std::memcpy(to, source->bytes.data() + source->at, count);
  source->at += count;
  return static_cast<int>(count);
}

[[noreturn]] void fail_gif(int code) {
  switch (code) {
    case D_GIF_ERR_NOT_ENOUGH_MEM:
      throw std::bad_alloc();
    case D_GIF_ERR_READ_FAILED:
    case D_GIF_ERR_EOF_TOO_SOON:
      throw Error(ErrorKind::kBadInput,
                  "is a truncated GIF: the file ends before the picture does");
    default: {
      const char* text = GifErrorString(code);
      throw Error(ErrorKind::kBadInput,
                  fmt::format("is a damaged GIF ({})", text ? text : "unknown error"));
    }
  }
}

struct GifCloser {
  void operator()(GifFileType* file) const { DGifCloseFile(file, nullptr); }
};
using GifFile = std::unique_ptr<GifFileType, GifCloser>;

void require(const GifFile& file, int result) {
  if (result != GIF_OK) fail_gif(file->Error);
}

/// Reads one extension; a graphics control block sets the transparent colour.
void read_extension(const GifFile& file, int& transparent) {
  int kind = 0;
  GifByteType* block = nullptr;  // length byte first
  require(file, DGifGetExtension(file.get(), &kind, &block));
  while (block != nullptr) {
    GraphicsControlBlock control{};
    if (kind == GRAPHICS_EXT_FUNC_CODE &&
        DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) {
      transparent = control.TransparentColor;
    }
    require(file, DGifGetExtensionNext(file.get(), &block));
  }
}

/// Up to the first picture; returns its transparent colour or NO_TRANSPARENT_COLOR.
int seek_first_frame(const GifFile& file) {
  int transparent = NO_TRANSPARENT_COLOR;
  for (;;) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    require(file, DGifGetRecordType(file.get(), &record));
    switch (record) {
      case IMAGE_DESC_RECORD_TYPE:
        require(file, DGifGetImageHeader(file.get()));
        return transparent;
      case EXTENSION_RECORD_TYPE:
        read_extension(file, transparent);
        break;
      case TERMINATE_RECORD_TYPE:
        throw Error(ErrorKind::kBadInput, "is a GIF without a picture in it");
      default:
        break;
    }
  }
}

/// The frame's rows in the order in which the file has them.
std::vector<int> row_order(const GifImageDesc& frame) {
  std::vector<int> order;
  order.reserve(static_cast<std::size_t>(frame.Height));
  struct Pass {
    int first, step;
  };
  constexpr std::array<Pass, 4> kInterlaced{{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  constexpr std::array<Pass, 1> kPlain{{{0, 1}}};
  const std::span<const Pass> passes =
      frame.Interlace ? std::span<const Pass>(kInterlaced) : std::span<const Pass>(kPlain);
  for (const Pass& pass : passes) {
    for (int y = pass.first; y < frame.Height; y += pass.step) order.push_back(y);
  }
  return order;
}

void draw(const GifFile& file, int transparent, Image& canvas) {
  const GifImageDesc& frame = file->Image;
  const ColorMapObject* colours = frame.ColorMap ? frame.ColorMap : file->SColorMap;
  if (colours == nullptr) throw Error(ErrorKind::kBadInput, "is a GIF without colours");
  std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));
  for (const int y : row_order(frame)) {
    require(file, DGifGetLine(file.get(), line.data(), frame.Width));
    std::uint8_t* to = canvas.row(frame.Top + y) + 3 * frame.Left;
    for (const int index : line) {
      // Colours that the table does not have are see-through, as browsers take them.
      if (index != transparent && index < colours->ColorCount) {
        const GifColorType& colour = colours->Colors[index];
        to[0] = colour.Red;
        to[1] = colour.Green;
        to[2] = colour.Blue;
      }
      to += 3;
    }
  }
}

}  // namespace

Stored gif(Input bytes, const DecodeOptions& options) {
  GifSource source{.bytes = bytes};
  int code = 0;
  const GifFile file(DGifOpen(&source, read_gif, &code));
  if (!file) fail_gif(code);
  const int transparent = seek_first_frame(file);
  const GifImageDesc& frame = file->Image;
  check_size(frame.Width, frame.Height, options);
  // A first frame that sticks out widens the canvas, as in browsers.
  const int width = std::max(file->SWidth, frame.Left + frame.Width);
  const int height = std::max(file->SHeight, frame.Top + frame.Height);
  check_size(width, height, options);
  Stored stored{.image = Image(width, height)};
  std::ranges::fill(stored.image.pixels, kGifWhite);
  draw(file, transparent, stored.image);
  return stored;
}

}  // namespace engraft::decoders
