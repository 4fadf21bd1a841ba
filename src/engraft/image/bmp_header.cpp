#include "engraft/image/bmp_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "engraft/base/error.h"

namespace engraft::decoders::bmp_file {
namespace {

constexpr std::size_t kFileHeader = 14;
constexpr std::uint32_t kCoreHeader = 12;
constexpr std::uint32_t kInfoHeader = 40;
constexpr std::uint32_t kOs2Header = 64;
constexpr std::uint32_t kInfoHeaderWithAlpha = 56;

[[noreturn]] void fail(std::string_view why) {
  throw Error(ErrorKind::kBadInput, fmt::format("is a damaged or truncated BMP ({})", why));
}

/// Little-endian numbers at places that are checked.
class Numbers {
 public:
  explicit Numbers(Input bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::uint32_t u8(std::size_t at) const { return read(at, 1); }
  [[nodiscard]] std::uint32_t u16(std::size_t at) const { return read(at, 2); }
  [[nodiscard]] std::uint32_t u32(std::size_t at) const { return read(at, 4); }

 private:
  [[nodiscard]] std::uint32_t read(std::size_t at, std::size_t count) const {
    if (at > bytes_.size() || bytes_.size() - at < count) fail("the header is cut off");
    std::uint32_t value = 0;
    for (std::size_t i = count; i > 0; --i) {
      value = value << 8 | std::to_integer<std::uint32_t>(bytes_[at + i - 1]);
    }
    return value;
  }

  Input bytes_;
};

Channel channel_of(std::uint32_t mask) {
  if (mask == 0) return {};
  const int shift = std::countr_zero(mask);
  const std::uint32_t top = mask >> shift;
  if ((top & (top + 1)) != 0) fail("a colour mask with gaps");
  return {.mask = mask, .shift = shift, .top = top};
}

Compression compression_of(std::uint32_t code, int bits, std::uint32_t header_size) {
  const bool os2 = header_size == kOs2Header;
  if (code == 0) return Compression::kNone;
  if (code == 1 && bits == 8) return Compression::kRle8;
  if (code == 2 && bits == 4) return Compression::kRle4;
  if ((code == 3 || code == 6) && !os2 && (bits == 16 || bits == 32)) return Compression::kMasks;
  if (code >= 3 && code <= 5) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("is a BMP of a kind that cannot be read (compression {})", code));
  }
  fail(fmt::format("compression {} with {} bits", code, bits));
}

/// Sets the channels; returns the bytes that masks take after the header.
std::size_t read_masks(const Numbers& numbers, std::uint32_t header_size, std::uint32_t code,
                       Header& header) {
  std::size_t behind = 0;
  if (header.compression == Compression::kMasks) {
    const std::size_t at = kFileHeader + kInfoHeader;
    for (std::size_t c = 0; c < 3; ++c) header.channels[c] = channel_of(numbers.u32(at + 4 * c));
    const bool alpha_follows = code == 6 && header_size < kInfoHeaderWithAlpha;
    if (header_size >= kInfoHeaderWithAlpha || alpha_follows) {
      header.alpha = channel_of(numbers.u32(at + 12));
    }
    const std::size_t masks_end = at + (alpha_follows ? 16 : 12);
    const std::size_t header_end = kFileHeader + header_size;
    behind = masks_end > header_end ? masks_end - header_end : 0;
  } else if (header.bits == 16) {
    header.channels = {channel_of(0x7C00), channel_of(0x03E0), channel_of(0x001F)};
  } else if (header.bits == 32) {
    header.channels = {channel_of(0xFF0000), channel_of(0xFF00), channel_of(0xFF)};
  }
  return behind;
}

/// Colours that the table leaves out are black.
void read_palette(const Numbers& numbers, std::size_t at, std::size_t entry_size,
                  std::uint32_t used, Header& header) {
  const std::size_t most = std::size_t{1} << header.bits;
  header.palette.resize(most);
  const std::size_t room = header.pixels_at > at ? (header.pixels_at - at) / entry_size : 0;
  const std::size_t count = std::min({used == 0 ? most : used, most, room});
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t entry = at + i * entry_size;
    header.palette[i] = {.red = static_cast<std::uint8_t>(numbers.u8(entry + 2)),
                         .green = static_cast<std::uint8_t>(numbers.u8(entry + 1)),
                         .blue = static_cast<std::uint8_t>(numbers.u8(entry))};
  }
}

void read_size(const Numbers& numbers, std::uint32_t header_size, const DecodeOptions& options,
               Header& header) {
  std::int64_t width = 0, height = 0;
  if (header_size == kCoreHeader) {
    width = numbers.u16(18);
    height = numbers.u16(20);
  } else {
    width = static_cast<std::int32_t>(numbers.u32(18));
    height = static_cast<std::int32_t>(numbers.u32(22));
  }
  header.rows = height < 0 ? Header::Rows::kTopDown : Header::Rows::kBottomUp;
  height = height < 0 ? -height : height;
  check_size(width, height, options);
  header.width = static_cast<int>(width);
  header.height = static_cast<int>(height);
}

}  // namespace

Header parse(Input bytes, const DecodeOptions& options) {
  const Numbers numbers(bytes);
  Header header;
  header.pixels_at = numbers.u32(10);
  const std::uint32_t header_size = numbers.u32(14);
  const bool core = header_size == kCoreHeader;
  read_size(numbers, header_size, options, header);

  constexpr std::array kDepths{1u, 4u, 8u, 16u, 24u, 32u};
  const std::uint32_t bits = numbers.u16(core ? 24 : 28);
  if (std::ranges::find(kDepths, bits) == kDepths.end()) fail(fmt::format("{} bits", bits));
  header.bits = static_cast<int>(bits);
  const std::uint32_t code = core ? 0 : numbers.u32(30);
  header.compression = compression_of(code, header.bits, header_size);

  const std::size_t masks = read_masks(numbers, header_size, code, header);
  const std::size_t header_end = kFileHeader + header_size + masks;
  if (header.pixels_at < header_end || header.pixels_at >= numbers.size()) {
    fail("no pixels where it says they are");
  }
  if (header.bits <= 8) {
    read_palette(numbers, header_end, core ? 3 : 4, core ? 0 : numbers.u32(46), header);
  }
  return header;
}

}  // namespace engraft::decoders::bmp_file
