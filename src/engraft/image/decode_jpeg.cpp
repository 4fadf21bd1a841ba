#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/image/decoders.h"
#include "engraft/image/jpeg_session.h"

namespace engraft::decoders {
namespace {

/// Encoders use about ten; a hostile file could ask for thousands of passes over a huge picture.
constexpr int kMaxScans = 100;
constexpr int kRowsAtOnce = 8;

/// round(a · b / 255)
std::uint8_t times(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint8_t>((a * b + 127) / 255);
}

/// Ink as every encoder since Photoshop stores it, 255 = none: then RGB = (C, M, Y) · K.
void convert_cmyk(const std::uint8_t* cmyk, int width, std::uint8_t* rgb) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    for (int c = 0; c < 3; ++c) rgb[c] = times(cmyk[c], cmyk[3]);
  }
}

class Decompressor {
 public:
  explicit Decompressor(Input bytes) {
    std::memset(&info_, 0, sizeof info_);
    info_.err = jpeg::install(errors_);
    require(jpeg::run(errors_, [&] {
      jpeg_create_decompress(&info_);
      jpeg_mem_src(&info_, data_of(bytes), static_cast<unsigned long>(bytes.size()));
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
    }));
    info_.progress = &progress_;
    progress_.progress_monitor = limit_scans;
  }
  ~Decompressor() { jpeg_destroy_decompress(&info_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  void read_header() {
    require(jpeg::run(errors_, [&] { jpeg_read_header(&info_, TRUE); }));
    // With one Huffman-coded scan, missing pixels show as such. With several, a file cut between
    // two would pass as a blurred picture; arithmetic codes go on reading zeros.
    errors_.end_required = jpeg_has_multiple_scans(&info_) != FALSE || info_.arith_code != FALSE;
  }

  [[nodiscard]] Size size() const {
    return {static_cast<int>(info_.image_width), static_cast<int>(info_.image_height)};
  }

  [[nodiscard]] ExifOrientation orientation() const {
    for (const jpeg_marker_struct* m = info_.marker_list; m != nullptr; m = m->next) {
      constexpr std::size_t kPrefix = 6;
      if (m->data_length < kPrefix || std::memcmp(m->data, "Exif\0", kPrefix) != 0) continue;
      return exif_orientation(std::as_bytes(std::span(m->data, m->data_length)));
    }
    return ExifOrientation::kUpright;
  }

  [[nodiscard]] Image pixels(int denominator) {
    const bool inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.scale_num = 1;
    info_.scale_denom = static_cast<unsigned>(denominator);
    info_.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    require(jpeg::run(errors_, [&] { jpeg_start_decompress(&info_); }));
    Image image(static_cast<int>(info_.output_width), static_cast<int>(info_.output_height));
    if (inks) {
      read_inks(image);
    } else {
      read_rgb(image);
    }
    require(jpeg::run(errors_, [&] { jpeg_finish_decompress(&info_); }));
    return image;
  }

 private:
  static void limit_scans(j_common_ptr common) {
    auto* info = reinterpret_cast<j_decompress_ptr>(common);
    if (info->input_scan_number > kMaxScans) ERREXIT(info, JERR_BAD_PROGRESSION);
  }

  void read_rgb(Image& image) {
    require(jpeg::run(errors_, [&] {
      std::array<JSAMPROW, kRowsAtOnce> rows;
      while (info_.output_scanline < info_.output_height) {
        const unsigned first = info_.output_scanline;
        const unsigned count = std::min<unsigned>(kRowsAtOnce, info_.output_height - first);
        for (unsigned i = 0; i < count; ++i) rows[i] = image.row(static_cast<int>(first + i));
        jpeg_read_scanlines(&info_, rows.data(), count);
      }
    }));
  }

  void read_inks(Image& image) {
    std::vector<std::uint8_t> buffer(static_cast<std::size_t>(image.width) * 4);
    require(jpeg::run(errors_, [&] {
      JSAMPROW row = buffer.data();
      while (info_.output_scanline < info_.output_height) {
        const int y = static_cast<int>(info_.output_scanline);
        jpeg_read_scanlines(&info_, &row, 1);
        convert_cmyk(row, image.width, image.row(y));
      }
    }));
  }

  void require(bool succeeded) const {
    if (succeeded) return;
    const char* message = errors_.message.data();
    switch (errors_.code) {
      case JWRN_JPEG_EOF:
      case JWRN_HIT_MARKER:
      case JERR_INPUT_EOF:
        throw Error(ErrorKind::kBadInput,
                    errors_.end_missing || errors_.code == JERR_INPUT_EOF
                        ? "is a truncated JPEG: the file ends before the picture does"
                        : "is a damaged JPEG: picture data is missing");
      case JERR_BAD_PRECISION:
      case JERR_SOF_UNSUPPORTED:
      case JERR_CONVERSION_NOTIMPL:
        throw Error(ErrorKind::kUnsupported,
                    fmt::format("is a JPEG of a rare kind that cannot be read ({})", message));
      case JERR_OUT_OF_MEMORY:
        throw std::bad_alloc();
      default:
        throw Error(ErrorKind::kBadInput, fmt::format("is a damaged JPEG ({})", message));
    }
  }

  jpeg_decompress_struct info_{};
  jpeg::Errors errors_;
  jpeg_progress_mgr progress_{};
};

/// The largest of 8, 4, 2, 1 by which both sides may shrink and still be `enough`.
int denominator_for(Size stored, Size enough) {
  if (enough.width <= 0 && enough.height <= 0) return 1;
  const auto shrunk = [](int side, int by) { return (side + by - 1) / by; };
  for (const int by : {8, 4, 2}) {
    if (shrunk(stored.width, by) >= enough.width && shrunk(stored.height, by) >= enough.height) {
      return by;
    }
  }
  return 1;
}

}  // namespace

Stored jpeg(Input bytes, const DecodeOptions& options) {
  Decompressor decompressor(bytes);
  decompressor.read_header();
  const Size size = decompressor.size();
  check_size(size.width, size.height, options);
  const ExifOrientation orientation = decompressor.orientation();
  Size enough = options.enough;
  if (options.orientation == Orientation::kUpright && swaps_sides(orientation)) {
    std::swap(enough.width, enough.height);
  }
  return {decompressor.pixels(denominator_for(size, enough)), orientation};
}

}  // namespace engraft::decoders
