#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace engraft::safetensors_format {

inline constexpr std::string_view kMetadata = "__metadata__";
inline constexpr std::size_t kLengthBytes = 8;
/// The reference implementation's limit.
inline constexpr std::uint64_t kMaxHeader = 100'000'000;
/// Of tensors and of metadata strings: a hundred times what a network has.
inline constexpr std::size_t kMaxEntries = 1 << 16;
inline constexpr std::size_t kMaxRank = 16;

/// A tensor as the header describes it, nothing checked but its form.
struct RawEntry {
  std::string dtype{};
  std::vector<std::uint64_t> shape{};
  std::array<std::uint64_t, 2> offsets{};  ///< [begin, end) from the end of the header
};

struct RawHeader {
  std::map<std::string, std::string> metadata{};
  std::map<std::string, RawEntry> tensors{};
};

/// Parses {"name": {"dtype": …, "shape": […], "data_offsets": [begin, end]}, …, "__metadata__":
/// {…}}. Anything else - other keys, names that occur twice, deeper nesting, numbers that are not
/// whole and positive - throws Error(kBadInput), "damaged: …".
[[nodiscard]] RawHeader parse_header(std::string_view text);

/// The header's text, sorted by name, without padding.
[[nodiscard]] std::string header_text(const RawHeader& header);

/// Error(kBadInput), "damaged: <what>; …".
[[noreturn]] void damaged_safetensors(const std::string& what);

}  // namespace engraft::safetensors_format
