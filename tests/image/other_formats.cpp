#include "other_formats.h"

#include <gif_lib.h>
#include <libheif/heif.h>
#include <tiffio.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace engraft::test {
namespace {

int write_gif_bytes(GifFileType* file, const GifByteType* from, int length) {
  auto* bytes = static_cast<Bytes*>(file->UserData);
  const auto* first = reinterpret_cast<const std::byte*>(from);
  bytes->insert(bytes->end(), first, first + length);
  return length;
}

void put_gif_frame(GifFileType* file, Size frame, const std::vector<std::uint8_t>& indices,
                   const GifSpec& spec) {
  if (spec.transparent) {
    const GraphicsControlBlock control{.DisposalMode = DISPOSE_DO_NOT,
                                       .UserInputFlag = false,
                                       .DelayTime = 10,
                                       .TransparentColor = *spec.transparent};
    GifByteType block[4];
    EGifGCBToExtension(&control, block);
    EGifPutExtension(file, GRAPHICS_EXT_FUNC_CODE, sizeof block, block);
  }
  EGifPutImageDesc(file, spec.left, spec.top, frame.width, frame.height, spec.interlaced, nullptr);
  std::vector<int> order;
  if (spec.interlaced) {
    for (const auto& [first, step] : {std::pair{0, 8}, {4, 8}, {2, 4}, {1, 2}}) {
      for (int y = first; y < frame.height; y += step) order.push_back(y);
    }
  } else {
    for (int y = 0; y < frame.height; ++y) order.push_back(y);
  }
  for (const int y : order) {
    std::vector<GifPixelType> line(indices.begin() + y * frame.width,
                                   indices.begin() + (y + 1) * frame.width);
    EGifPutLine(file, line.data(), frame.width);
  }
}

struct MemoryFile {
  Bytes bytes;
  std::size_t at = 0;
};

TIFF* open_tiff_for_writing(MemoryFile& file, const char* mode) {
  return TIFFClientOpen(
      "test", mode, &file,
      [](thandle_t h, void* to, tmsize_t n) {
        auto& f = *static_cast<MemoryFile*>(h);
        const std::size_t count = std::min<std::size_t>(n, f.bytes.size() - f.at);
        std::memcpy(to, f.bytes.data() + f.at, count);
        f.at += count;
        return static_cast<tmsize_t>(count);
      },
      [](thandle_t h, void* from, tmsize_t n) {
        auto& f = *static_cast<MemoryFile*>(h);
        f.bytes.resize(std::max(f.bytes.size(), f.at + static_cast<std::size_t>(n)));
        std::memcpy(f.bytes.data() + f.at, from, static_cast<std::size_t>(n));
        f.at += static_cast<std::size_t>(n);
        return n;
      },
      [](thandle_t h, toff_t offset, int whence) -> toff_t {
        auto& f = *static_cast<MemoryFile*>(h);
        f.at = offset + (whence == SEEK_CUR ? f.at : whence == SEEK_END ? f.bytes.size() : 0);
        if (f.at > f.bytes.size()) f.bytes.resize(f.at);
        return f.at;
      },
      [](thandle_t) { return 0; },
      [](thandle_t h) -> toff_t { return static_cast<MemoryFile*>(h)->bytes.size(); },
      [](thandle_t, void**, toff_t*) { return 0; }, [](thandle_t, void*, toff_t) {});
}

/// Samples of one pixel run as the file wants them.
std::vector<std::uint8_t> packed(const std::vector<std::uint16_t>& values, int bits) {
  std::vector<std::uint8_t> out;
  for (const std::uint16_t value : values) {
    if (bits == 16) {
      out.insert(out.end(), {static_cast<std::uint8_t>(value & 255),
                             static_cast<std::uint8_t>(value >> 8)});  // host order
    } else {
      out.push_back(static_cast<std::uint8_t>(value));
    }
  }
  return out;
}

void put_rows(TIFF* file, Size size, const std::vector<std::uint16_t>& values,
              const TiffSpec& spec) {
  const int planes = spec.planar ? spec.samples : 1;
  for (int plane = 0; plane < planes; ++plane) {
    for (int y = 0; y < size.height; ++y) {
      std::vector<std::uint16_t> row;
      for (int i = 0; i < size.width * spec.samples; ++i) {
        if (spec.planar && i % spec.samples != plane) continue;
        row.push_back(values[static_cast<std::size_t>(y * size.width * spec.samples + i)]);
      }
      std::vector<std::uint8_t> bytes = packed(row, spec.bits);
      TIFFWriteScanline(file, bytes.data(), static_cast<std::uint32_t>(y),
                        static_cast<std::uint16_t>(plane));
    }
  }
}

void put_tiles(TIFF* file, Size size, const std::vector<std::uint16_t>& values,
               const TiffSpec& spec) {
  constexpr int kTile = 16;
  TIFFSetField(file, TIFFTAG_TILEWIDTH, kTile);
  TIFFSetField(file, TIFFTAG_TILELENGTH, kTile);
  for (int top = 0; top < size.height; top += kTile) {
    for (int left = 0; left < size.width; left += kTile) {
      std::vector<std::uint16_t> tile(kTile * kTile * static_cast<std::size_t>(spec.samples));
      for (int y = 0; y < std::min(kTile, size.height - top); ++y) {
        for (int i = 0; i < std::min(kTile, size.width - left) * spec.samples; ++i) {
          tile[static_cast<std::size_t>(y * kTile * spec.samples + i)] =
              values[static_cast<std::size_t>(((top + y) * size.width + left) * spec.samples + i)];
        }
      }
      std::vector<std::uint8_t> bytes = packed(tile, spec.bits);
      TIFFWriteTile(file, bytes.data(), static_cast<std::uint32_t>(left),
                    static_cast<std::uint32_t>(top), 0, 0);
    }
  }
}

heif_error keep_heif(heif_context*, const void* data, std::size_t size, void* user) {
  const auto* first = static_cast<const std::byte*>(data);
  static_cast<Bytes*>(user)->assign(first, first + size);
  return {heif_error_Ok, heif_suberror_Unspecified, "ok"};
}

heif_image* heif_pixels(const Image& image, const std::optional<std::uint8_t>& alpha) {
  heif_image* out = nullptr;
  heif_image_create(image.width, image.height, heif_colorspace_RGB,
                    alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, &out);
  heif_image_add_plane(out, heif_channel_interleaved, image.width, image.height, 8);
  int stride = 0;
  std::uint8_t* plane = heif_image_get_plane(out, heif_channel_interleaved, &stride);
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* to = plane + y * stride;
    for (int x = 0; x < image.width; ++x) {
      to = std::copy_n(image.row(y) + 3 * x, 3, to);
      if (alpha) *to++ = *alpha;
    }
  }
  return out;
}

}  // namespace

Bytes write_gif(Size frame, const std::vector<std::uint8_t>& indices,
                const std::vector<std::array<std::uint8_t, 3>>& palette, const GifSpec& spec) {
  Bytes bytes;
  int error = 0;
  GifFileType* file = EGifOpen(&bytes, write_gif_bytes, &error);
  EGifSetGifVersion(file, true);
  const int count = 1 << GifBitSize(static_cast<int>(palette.size()));
  std::vector<GifColorType> colours(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < palette.size(); ++i) {
    colours[i] = {palette[i][0], palette[i][1], palette[i][2]};
  }
  ColorMapObject* map = GifMakeMapObject(count, colours.data());
  const Size canvas = spec.canvas == Size{} ? frame : spec.canvas;
  EGifPutScreenDesc(file, canvas.width, canvas.height, 8, 0, map);
  put_gif_frame(file, frame, indices, spec);
  for (int i = 1; i < spec.frames; ++i) {
    put_gif_frame(file, frame, std::vector<std::uint8_t>(indices.size(), 1), spec);
  }
  GifFreeMapObject(map);
  EGifCloseFile(file, &error);
  return bytes;
}

Bytes write_tiff(Size size, const std::vector<std::uint16_t>& values, const TiffSpec& spec) {
  MemoryFile memory;
  TIFF* file = open_tiff_for_writing(memory, spec.big_endian ? "wb" : "wl");
  TIFFSetField(file, TIFFTAG_IMAGEWIDTH, size.width);
  TIFFSetField(file, TIFFTAG_IMAGELENGTH, size.height);
  TIFFSetField(file, TIFFTAG_SAMPLESPERPIXEL, spec.samples);
  TIFFSetField(file, TIFFTAG_BITSPERSAMPLE, spec.bits);
  TIFFSetField(file, TIFFTAG_PHOTOMETRIC, spec.photometric);
  TIFFSetField(file, TIFFTAG_COMPRESSION, spec.compression);
  TIFFSetField(file, TIFFTAG_ORIENTATION, spec.orientation);
  TIFFSetField(file, TIFFTAG_PLANARCONFIG, spec.planar ? 2 : 1);
  if (spec.extra_sample >= 0) {
    const std::uint16_t kind = static_cast<std::uint16_t>(spec.extra_sample);
    TIFFSetField(file, TIFFTAG_EXTRASAMPLES, 1, &kind);
  }
  if (spec.photometric == PHOTOMETRIC_PALETTE) {
    std::vector<std::uint16_t> red(256), green(256), blue(256);
    for (std::size_t i = 0; i < 256; ++i) {
      red[i] = static_cast<std::uint16_t>(i * 257);
      green[i] = static_cast<std::uint16_t>((255 - i) * 257);
      blue[i] = static_cast<std::uint16_t>((i / 2) * 257);
    }
    TIFFSetField(file, TIFFTAG_COLORMAP, red.data(), green.data(), blue.data());
  }
  if (spec.tiled) {
    put_tiles(file, size, values, spec);
  } else {
    TIFFSetField(file, TIFFTAG_ROWSPERSTRIP, 7);
    put_rows(file, size, values, spec);
  }
  TIFFClose(file);
  return memory.bytes;
}

Bytes write_heif(const Image& image, const HeifSpec& spec) {
  heif_context* context = heif_context_alloc();
  heif_encoder* encoder = nullptr;
  const auto format = spec.codec == HeifCodec::kHevc ? heif_compression_HEVC : heif_compression_AV1;
  Bytes bytes;
  if (heif_context_get_encoder_for_format(context, format, &encoder).code == heif_error_Ok) {
    heif_encoder_set_lossy_quality(encoder, 90);
    if (spec.codec == HeifCodec::kAv1) heif_encoder_set_parameter_integer(encoder, "speed", 9);
    heif_image* pixels = heif_pixels(image, spec.alpha);
    heif_encoding_options* options = heif_encoding_options_alloc();
    options->image_orientation = static_cast<heif_orientation>(spec.orientation);
    heif_image_handle* handle = nullptr;
    const heif_error error = heif_context_encode_image(context, pixels, encoder, options, &handle);
    if (error.code != heif_error_Ok) throw std::runtime_error(error.message);
    if (!spec.exif.empty()) {
      heif_context_add_exif_metadata(context, handle, spec.exif.data(),
                                     static_cast<int>(spec.exif.size()));
    }
    heif_writer writer{.writer_api_version = 1, .write = keep_heif};
    heif_context_write(context, &writer, &bytes);
    heif_image_handle_release(handle);
    heif_encoding_options_free(options);
    heif_image_release(pixels);
    heif_encoder_release(encoder);
  }
  heif_context_free(context);
  return bytes;
}

}  // namespace engraft::test
