#include <cstddef>
#include <cstdio>
// jpeglib.h needs size_t and FILE declared before it.
#include <jpeglib.h>
#include <spng.h>
#include <webp/encode.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "pictures.h"

namespace engraft::test {
namespace {

Bytes take(const void* first, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(first);
  return {bytes, bytes + size};
}

/// C, M, Y, K as Photoshop stores them: 255 is no ink. RGB = CMY · K / 255.
std::vector<std::uint8_t> inverted_inks(const std::uint8_t* rgb, int width) {
  std::vector<std::uint8_t> row;
  for (int x = 0; x < width; ++x, rgb += 3) {
    const int k = std::max({rgb[0], rgb[1], rgb[2], std::uint8_t{1}});
    for (int c = 0; c < 3; ++c) row.push_back(static_cast<std::uint8_t>(rgb[c] * 255 / k));
    row.push_back(static_cast<std::uint8_t>(k));
  }
  return row;
}

void set_up(jpeg_compress_struct& info, const Image& image, const JpegSpec& spec) {
  const bool inks =
      spec.colours == JpegColours::kInvertedCmyk || spec.colours == JpegColours::kYcck;
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = inks ? 4 : 3;
  info.in_color_space = inks ? JCS_CMYK : JCS_RGB;
  jpeg_set_defaults(&info);
  constexpr J_COLOR_SPACE kSpaces[] = {JCS_YCbCr, JCS_RGB, JCS_GRAYSCALE, JCS_CMYK, JCS_YCCK};
  jpeg_set_colorspace(&info, kSpaces[static_cast<int>(spec.colours)]);
  if (spec.colours == JpegColours::kInvertedCmyk && !spec.adobe_marker) {
    info.write_Adobe_marker = FALSE;
  }
  jpeg_set_quality(&info, spec.quality, TRUE);
  info.restart_in_rows = spec.restart_rows;
  info.arith_code = spec.arithmetic ? TRUE : FALSE;
  if (spec.progressive) jpeg_simple_progression(&info);
}

std::uint32_t crc_of(const Bytes& bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::byte b : bytes) {
    crc ^= std::to_integer<std::uint32_t>(b);
    for (int k = 0; k < 8; ++k) crc = crc & 1 ? 0xEDB88320 ^ crc >> 1 : crc >> 1;
  }
  return ~crc;
}

void require(int code) {
  if (code != SPNG_OK) throw std::runtime_error(spng_strerror(code));
}

void set_palette(spng_ctx* context, const PngSpec& spec) {
  spng_plte colours{};
  spng_trns alphas{};
  for (const auto& [red, green, blue, alpha] : spec.palette) {
    colours.entries[colours.n_entries++] = {red, green, blue, 0};
    alphas.type3_alpha[alphas.n_type3_entries++] = alpha;
  }
  require(spng_set_plte(context, &colours));
  const bool opaque =
      std::ranges::all_of(spec.palette, [](const auto& entry) { return entry[3] == 255; });
  if (!opaque) require(spng_set_trns(context, &alphas));
}

}  // namespace

Bytes write_jpeg(const Image& image, const JpegSpec& spec) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  set_up(info, image, spec);
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < image.height; ++y) {
    std::vector<std::uint8_t> row =
        info.input_components == 4
            ? inverted_inks(image.row(y), image.width)
            : std::vector<std::uint8_t>(image.row(y), image.row(y) + 3 * image.width);
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const Bytes bytes = take(buffer, size);
  std::free(buffer);
  return bytes;
}

Bytes with_jpeg_segment(const Bytes& jpeg, unsigned marker, const Bytes& payload) {
  Bytes bytes(jpeg.begin(), jpeg.begin() + 2);
  const auto length = static_cast<unsigned>(payload.size() + 2);
  append_u8(bytes, 0xFF);
  append_u8(bytes, marker);
  append_u8(bytes, length >> 8);
  append_u8(bytes, length);
  append(bytes, payload);
  bytes.insert(bytes.end(), jpeg.begin() + 2, jpeg.end());
  return bytes;
}

Bytes with_exif_prefix(const Bytes& block) {
  Bytes bytes;
  append(bytes, std::string_view("Exif\0\0", 6));
  append(bytes, block);
  return bytes;
}

Bytes write_png(Size size, const std::vector<std::uint8_t>& rows, const PngSpec& spec) {
  spng_ctx* context = spng_ctx_new(SPNG_CTX_ENCODER);
  require(spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1));
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(size.width);
  header.height = static_cast<std::uint32_t>(size.height);
  header.bit_depth = static_cast<std::uint8_t>(spec.bit_depth);
  header.color_type = static_cast<std::uint8_t>(spec.colour_type);
  header.interlace_method = spec.interlaced ? SPNG_INTERLACE_ADAM7 : SPNG_INTERLACE_NONE;
  require(spng_set_ihdr(context, &header));
  if (!spec.palette.empty()) set_palette(context, spec);
  if (!spec.transparent.empty()) {
    spng_trns key{};
    key.gray = spec.transparent[0];
    if (spec.transparent.size() == 3) {
      key.red = spec.transparent[0];
      key.green = spec.transparent[1];
      key.blue = spec.transparent[2];
    }
    require(spng_set_trns(context, &key));
  }
  Bytes exif_copy = spec.exif;
  if (!exif_copy.empty()) {
    spng_exif exif{exif_copy.size(), reinterpret_cast<char*>(exif_copy.data())};
    require(spng_set_exif(context, &exif));
  }
  require(spng_encode_image(context, rows.data(), rows.size(), SPNG_FMT_RAW, SPNG_ENCODE_FINALIZE));
  std::size_t length = 0;
  int code = 0;
  void* buffer = spng_get_png_buffer(context, &length, &code);
  require(code);
  const Bytes bytes = take(buffer, length);
  std::free(buffer);
  spng_ctx_free(context);
  return bytes;
}

Bytes png_chunk(std::string_view type, const Bytes& payload) {
  Bytes body;
  append(body, type);
  append(body, payload);
  Bytes chunk;
  append_u32_be(chunk, static_cast<std::uint32_t>(payload.size()));
  append(chunk, body);
  append_u32_be(chunk, crc_of(body));
  return chunk;
}

Bytes write_webp(Size size, const std::vector<std::uint8_t>& rgba) {
  std::uint8_t* out = nullptr;
  const std::size_t length =
      WebPEncodeLosslessRGBA(rgba.data(), size.width, size.height, 4 * size.width, &out);
  const Bytes bytes = take(out, length);
  WebPFree(out);
  return bytes;
}

Bytes write_lossy_webp(const Image& image) {
  std::uint8_t* out = nullptr;
  const std::size_t length =
      WebPEncodeRGB(image.pixels.data(), image.width, image.height, 3 * image.width, 95.0f, &out);
  const Bytes bytes = take(out, length);
  WebPFree(out);
  return bytes;
}

}  // namespace engraft::test
