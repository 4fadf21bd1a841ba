#pragma once

#include <cstddef>
#include <span>

namespace engraft::onnx_format {

/// Walks an ONNX file's outermost layers without taking memory. Throws Error(kBadInput) where it is
/// cut short or no protocol buffer, or where everything but the values of its parameters is more
/// than 4 MiB: parsed, structure can take a hundred times its size.
void check_structure(std::span<const std::byte> bytes);

/// The last field of such a file, its tag included, if that is the graph; else nothing.
[[nodiscard]] std::span<const std::byte> last_field_if_graph(std::span<const std::byte> bytes);

}  // namespace engraft::onnx_format
