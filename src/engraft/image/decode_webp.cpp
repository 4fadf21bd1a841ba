#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/image/decoders.h"

namespace engraft::decoders {
namespace {

constexpr std::uint8_t kWhite = 255;

struct DemuxerDeleter {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
using Demuxer = std::unique_ptr<WebPDemuxer, DemuxerDeleter>;

[[noreturn]] void fail(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
      throw std::bad_alloc();
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      throw Error(ErrorKind::kBadInput,
                  "is a truncated WebP: the file ends before the picture does");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      throw Error(ErrorKind::kUnsupported, "is a WebP of a kind that cannot be read");
    default:
      throw Error(ErrorKind::kBadInput, "is a damaged WebP");
  }
}

WebPBitstreamFeatures features_of(const WebPData& data) {
  WebPBitstreamFeatures features;
  const VP8StatusCode code = WebPGetFeatures(data.bytes, data.size, &features);
  if (code != VP8_STATUS_OK) fail(code);
  return features;
}

/// Where a frame lies on its canvas.
struct Place {
  int left = 0;
  int top = 0;
};

/// Decodes into 8-bit rows of the library's layout.
void decode_into(const WebPData& data, WEBP_CSP_MODE mode, std::span<std::uint8_t> rows,
                 std::size_t stride) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) throw Error(ErrorKind::kInternal, "libwebp does not match");
  config.output.colorspace = mode;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = rows.data();
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = rows.size();
  const VP8StatusCode code = WebPDecode(data.bytes, data.size, &config);
  WebPFreeDecBuffer(&config.output);
  if (code != VP8_STATUS_OK) fail(code);
}

void draw_frame(const WebPData& data, const Place& place, Image& canvas) {
  const WebPBitstreamFeatures frame = features_of(data);
  const bool inside = frame.width >= 1 && frame.height >= 1 &&
                      frame.width <= canvas.width - place.left &&
                      frame.height <= canvas.height - place.top;
  if (!inside) throw Error(ErrorKind::kBadInput, "is a damaged WebP: a frame outside its canvas");
  const bool whole = frame.width == canvas.width && frame.height == canvas.height;
  if (!frame.has_alpha && whole) {
    decode_into(data, MODE_RGB, canvas.pixels, static_cast<std::size_t>(frame.width) * 3);
    return;
  }
  const std::size_t stride = static_cast<std::size_t>(frame.width) * 4;
  std::vector<std::uint8_t> rows(stride * static_cast<std::size_t>(frame.height));
  decode_into(data, MODE_RGBA, rows, stride);
  for (int y = 0; y < frame.height; ++y) {
    compose_row(rows.data() + stride * static_cast<std::size_t>(y), frame.width, Alpha::kStraight,
                canvas.row(place.top + y) + 3 * place.left);
  }
}

void draw_first_frame(const WebPDemuxer* demuxer, Image& canvas) {
  WebPIterator frame{};
  if (!WebPDemuxGetFrame(demuxer, 1, &frame)) {
    throw Error(ErrorKind::kBadInput, "is a WebP animation without a frame");
  }
  const std::unique_ptr<WebPIterator, decltype(&WebPDemuxReleaseIterator)> release(
      &frame, WebPDemuxReleaseIterator);
  draw_frame(frame.fragment, {.left = frame.x_offset, .top = frame.y_offset}, canvas);
}

ExifOrientation orientation_of(const WebPDemuxer* demuxer) {
  WebPChunkIterator chunk{};
  if (!WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) return ExifOrientation::kUpright;
  const ExifOrientation orientation =
      exif_orientation(std::as_bytes(std::span(chunk.chunk.bytes, chunk.chunk.size)));
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

/// The container's own length: "RIFF", size of what follows (little-endian), "WEBP".
void check_length(Input bytes) {
  const std::uint8_t* b = data_of(bytes);
  const std::uint64_t size = b[4] | b[5] << 8 | b[6] << 16 | std::uint64_t{b[7]} << 24;
  if (size + 8 > bytes.size()) fail(VP8_STATUS_NOT_ENOUGH_DATA);
}

}  // namespace

Stored webp(Input bytes, const DecodeOptions& options) {
  check_length(bytes);
  const WebPData data{data_of(bytes), bytes.size()};
  const WebPBitstreamFeatures features = features_of(data);
  check_size(features.width, features.height, options);

  const Demuxer demuxer(WebPDemux(&data));
  Stored stored{.image = Image(features.width, features.height)};
  if (!features.has_animation) {
    draw_frame(data, {}, stored.image);
  } else if (demuxer) {
    std::ranges::fill(stored.image.pixels, kWhite);
    draw_first_frame(demuxer.get(), stored.image);
  } else {
    fail(VP8_STATUS_BITSTREAM_ERROR);
  }
  if (demuxer) stored.orientation = orientation_of(demuxer.get());
  return stored;
}

}  // namespace engraft::decoders
