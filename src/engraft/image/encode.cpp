#include "engraft/image/encode.h"

#include <fmt/format.h>
#include <spng.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "engraft/base/error.h"
#include "engraft/image/jpeg_session.h"

namespace engraft {
namespace {

void check_image(const Image& image) {
  const auto expected =
      static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3;
  if (image.width < 1 || image.height < 1 || image.pixels.size() != expected) {
    throw Error(ErrorKind::kUsage, fmt::format("cannot encode a picture of {} × {} with {} values",
                                               image.width, image.height, image.pixels.size()));
  }
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Buffer = std::unique_ptr<unsigned char, Free>;

Bytes copy_of(const Buffer& buffer, std::size_t size) {
  const auto* first = reinterpret_cast<const std::byte*>(buffer.get());
  return {first, first + size};
}

class Compressor {
 public:
  Compressor() {
    std::memset(&info_, 0, sizeof info_);
    info_.err = jpeg::install(errors_);
  }
  ~Compressor() {
    jpeg_destroy_compress(&info_);
    std::free(buffer_);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  Bytes encode(const Image& image, int quality) {
    const bool done = jpeg::run(errors_, [&] {
      jpeg_create_compress(&info_);
      jpeg_mem_dest(&info_, &buffer_, &size_);
      info_.image_width = static_cast<JDIMENSION>(image.width);
      info_.image_height = static_cast<JDIMENSION>(image.height);
      info_.input_components = 3;
      info_.in_color_space = JCS_RGB;
      jpeg_set_defaults(&info_);  // baseline, 4:2:0
      jpeg_set_quality(&info_, quality, TRUE);
      jpeg_start_compress(&info_, TRUE);
      while (info_.next_scanline < info_.image_height) {
        // The library's interface takes a plain pointer but only reads through it.
        auto* row = const_cast<JSAMPROW>(image.row(static_cast<int>(info_.next_scanline)));
        jpeg_write_scanlines(&info_, &row, 1);
      }
      jpeg_finish_compress(&info_);
    });
    if (!done) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("cannot encode a picture of {} × {} as JPEG ({})", image.width,
                              image.height, errors_.message.data()));
    }
    const auto* first = reinterpret_cast<const std::byte*>(buffer_);
    return {first, first + size_};
  }

 private:
  jpeg_compress_struct info_{};
  jpeg::Errors errors_;
  unsigned char* buffer_ = nullptr;
  unsigned long size_ = 0;
};

struct ContextDeleter {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

void require(int code) {
  if (code == SPNG_EMEM) throw std::bad_alloc();
  if (code != SPNG_OK) {
    throw Error(ErrorKind::kInternal, fmt::format("PNG encoding failed ({})", spng_strerror(code)));
  }
}

}  // namespace

Bytes encode_jpeg(const Image& image, int quality) {
  check_image(image);
  if (quality < 1 || quality > 100) {
    throw Error(ErrorKind::kUsage, fmt::format("JPEG quality {} is not in 1…100", quality));
  }
  return Compressor().encode(image, quality);
}

Bytes encode_png(const Image& image) {
  check_image(image);
  const std::unique_ptr<spng_ctx, ContextDeleter> context(spng_ctx_new(SPNG_CTX_ENCODER));
  if (!context) throw std::bad_alloc();
  require(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1));
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(image.width);
  header.height = static_cast<std::uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
  require(spng_set_ihdr(context.get(), &header));
  require(spng_encode_image(context.get(), image.pixels.data(), image.pixels.size(), SPNG_FMT_PNG,
                            SPNG_ENCODE_FINALIZE));
  std::size_t size = 0;
  int code = SPNG_OK;
  const Buffer buffer(
      static_cast<unsigned char*>(spng_get_png_buffer(context.get(), &size, &code)));
  require(code);
  return copy_of(buffer, size);
}

}  // namespace engraft
