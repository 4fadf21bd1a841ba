#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "engraft/base/file.h"

namespace engraft::onnx_format {

/// The metadata entry with a file's checksum: eight hexadecimal digits of the CRC-32C of all bytes
/// before the entry and behind it. It stands right before the graph, which is the file's last
/// field. Other programs write fields in another order: what they changed is read without a check.
inline constexpr std::string_view kChecksumKey = "engraft.crc32c";

/// Appends the graph's field to a file's other fields, the checksum before it.
void append_checked(Bytes& file, std::span<const std::byte> graph_field);

/// Throws Error(kBadInput) where a file has a checksum that is not its own.
void check_sum(std::span<const std::byte> file);

}  // namespace engraft::onnx_format
