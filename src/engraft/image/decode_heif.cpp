#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "engraft/base/error.h"
#include "engraft/image/decoders.h"
#include "engraft/image/libheif.h"

namespace engraft::decoders {
namespace {

struct HeifDeleter {
  void operator()(heif_context* context) const { heif_context_free(context); }
  void operator()(heif_image_handle* handle) const { heif_image_handle_release(handle); }
  void operator()(heif_image* image) const { heif_image_release(image); }
  void operator()(heif_decoding_options* options) const { heif_decoding_options_free(options); }
};
template <typename T>
using OwnedHeif = std::unique_ptr<T, HeifDeleter>;

void require(const heif_error& error) {
  if (error.code == heif_error_Ok) return;
  std::string message = error.message ? error.message : "unknown error";
  std::ranges::replace(message, '\n', ' ');
  const bool unsupported =
      error.code == heif_error_Unsupported_filetype || error.code == heif_error_Unsupported_feature;
  throw Error(unsupported ? ErrorKind::kUnsupported : ErrorKind::kBadInput,
              fmt::format("is a {} ({})",
                          unsupported ? "HEIF picture of a kind that cannot be read"
                                      : "damaged or truncated HEIF picture",
                          message));
}

OwnedHeif<heif_context> open(Input bytes, const DecodeOptions& options) {
  OwnedHeif<heif_context> context(heif_context_alloc());
  if (!context) throw std::bad_alloc();
  // The library takes its limit as the side of a square.
  const double side = std::floor(std::sqrt(static_cast<double>(options.max_pixels)));
  heif_context_set_maximum_image_size_limit(context.get(),
                                            static_cast<int>(std::clamp(side, 1.0, 65535.0)));
  // Pictures are decoded side by side; threads of its own would only get in the way.
  heif_context_set_max_decoding_threads(context.get(), 0);
  require(heif_context_read_from_memory_without_copy(context.get(), bytes.data(), bytes.size(),
                                                     nullptr));
  return context;
}

OwnedHeif<heif_image> decode(const heif_image_handle* handle, const DecodeOptions& options) {
  const OwnedHeif<heif_decoding_options> settings(heif_decoding_options_alloc());
  if (!settings) throw std::bad_alloc();
  // Of the two AV1 decoders, dav1d complains on standard error. Where aom is missing, and for
  // HEVC, the library falls back to its best.
  settings->decoder_id = "aom";
  settings->convert_hdr_to_8bit = 1;
  settings->strict_decoding = 1;
  settings->ignore_transformations = options.orientation == Orientation::kAsStored;
  const heif_chroma chroma = heif_image_handle_has_alpha_channel(handle)
                                 ? heif_chroma_interleaved_RGBA
                                 : heif_chroma_interleaved_RGB;
  heif_image* image = nullptr;
  require(heif_decode_image(handle, &image, heif_colorspace_RGB, chroma, settings.get()));
  return OwnedHeif<heif_image>(image);
}

}  // namespace

Stored heif(Input bytes, const DecodeOptions& options) {
  const OwnedHeif<heif_context> context = open(bytes, options);
  heif_image_handle* primary = nullptr;
  require(heif_context_get_primary_image_handle(context.get(), &primary));
  const OwnedHeif<heif_image_handle> handle(primary);
  check_size(heif_image_handle_get_width(primary), heif_image_handle_get_height(primary), options);

  const OwnedHeif<heif_image> decoded = decode(primary, options);
  const int width = heif_image_get_width(decoded.get(), heif_channel_interleaved);
  const int height = heif_image_get_height(decoded.get(), heif_channel_interleaved);
  check_size(width, height, options);
  int stride = 0;
  const std::uint8_t* plane =
      heif_image_get_plane_readonly(decoded.get(), heif_channel_interleaved, &stride);
  if (plane == nullptr) throw Error(ErrorKind::kBadInput, "is a HEIF picture without pixels");

  const bool has_alpha =
      heif_image_get_chroma_format(decoded.get()) == heif_chroma_interleaved_RGBA;
  const Alpha alpha =
      heif_image_handle_is_premultiplied_alpha(primary) ? Alpha::kPremultiplied : Alpha::kStraight;
  Stored stored{.image = Image(width, height)};
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* from = plane + static_cast<std::ptrdiff_t>(stride) * y;
    if (has_alpha) {
      compose_row(from, width, alpha, stored.image.row(y));
    } else {
      std::copy_n(from, 3 * static_cast<std::size_t>(width), stored.image.row(y));
    }
  }
  return stored;
}

}  // namespace engraft::decoders
