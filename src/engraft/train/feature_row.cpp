#include "engraft/train/feature_row.h"

#include <bit>
#include <cstring>

#include "engraft/base/hash.h"

namespace engraft::row {

std::vector<std::uint8_t> to_blob(std::span<const float> values) {
  std::vector<std::uint8_t> blob(values.size() * sizeof(float));
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(blob.data(), values.data(), blob.size());
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto bits = std::bit_cast<std::uint32_t>(values[i]);
      for (std::size_t b = 0; b < 4; ++b)
        blob[4 * i + b] = static_cast<std::uint8_t>(bits >> (8 * b));
    }
  }
  return blob;
}

std::vector<float> from_blob(Blob blob) {
  std::vector<float> values(blob.size() / sizeof(float));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint32_t bits = 0;
    for (std::size_t b = 0; b < 4; ++b) bits |= std::uint32_t{blob[4 * i + b]} << (8 * b);
    values[i] = std::bit_cast<float>(bits);
  }
  return values;
}

std::int64_t checksum_of(Blob pixels, Blob features) {
  const Digest digest =
      Sha256().update(std::as_bytes(pixels)).update(std::as_bytes(features)).finish();
  std::int64_t sum = 0;
  std::memcpy(&sum, digest.bytes.data(), sizeof(sum));
  if constexpr (std::endian::native == std::endian::big) sum = __builtin_bswap64(sum);
  return sum;
}

}  // namespace engraft::row
