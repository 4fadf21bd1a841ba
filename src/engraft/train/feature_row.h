#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// The form in which a row of the feature cache holds its values.
namespace engraft::row {

using Blob = std::span<const std::uint8_t>;

/// float32, little-endian.
[[nodiscard]] std::vector<std::uint8_t> to_blob(std::span<const float> values);
/// The inverse; bytes beyond the last whole value are left out.
[[nodiscard]] std::vector<float> from_blob(Blob blob);

/// The first eight bytes of SHA-256 over both, little-endian.
[[nodiscard]] std::int64_t checksum_of(Blob pixels, Blob features);

}  // namespace engraft::row
