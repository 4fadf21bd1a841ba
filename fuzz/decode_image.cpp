// Any bytes at all: a picture within the limit, or an Error that blames the input.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "engraft/base/error.h"
#include "engraft/image/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace engraft;
  const auto bytes = std::as_bytes(std::span(data, size));
  // The last byte also picks what a small network would ask for, so that scaling is reached.
  const int side = size > 0 && data[size - 1] % 2 == 1 ? 16 : 0;
  constexpr std::int64_t kMaxPixels = 1 << 18;
  try {
    const Image image = decode_image(bytes, {.enough = {side, side}, .max_pixels = kMaxPixels});
    const bool sound = image.width >= 1 && image.height >= 1 &&
                       std::int64_t{image.width} * image.height <= kMaxPixels &&
                       image.pixels.size() == 3 * static_cast<std::size_t>(image.width) *
                                                  static_cast<std::size_t>(image.height);
    if (!sound) std::abort();
  } catch (const Error& error) {
    const bool blames_input =
        error.kind() == ErrorKind::kBadInput || error.kind() == ErrorKind::kUnsupported;
    if (!blames_input) std::abort();
  }
  return 0;
}
