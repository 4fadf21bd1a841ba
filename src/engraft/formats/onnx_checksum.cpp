#include "engraft/formats/onnx_checksum.h"

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "engraft/base/crc32c.h"
#include "engraft/formats/onnx_node.h"
#include "engraft/formats/onnx_scan.h"
#include "onnx.pb.h"

namespace engraft::onnx_format {
namespace {

constexpr std::size_t kDigits = 8;

std::string entry_with(std::uint32_t checksum) {
  ::onnx::ModelProto model;
  ::onnx::StringStringEntryProto& entry = *model.add_metadata_props();
  entry.set_key(std::string(kChecksumKey));
  entry.set_value(fmt::format("{:08x}", checksum));
  return model.SerializeAsString();
}

}  // namespace

void append_checked(Bytes& file, std::span<const std::byte> graph_field) {
  const std::string entry = entry_with(crc32c(graph_field, crc32c(file)));
  const auto bytes = std::as_bytes(std::span(entry));
  file.insert(file.end(), bytes.begin(), bytes.end());
  file.insert(file.end(), graph_field.begin(), graph_field.end());
}

void check_sum(std::span<const std::byte> file) {
  const std::span<const std::byte> graph_field = last_field_if_graph(file);
  const std::string pattern = entry_with(0);
  const auto before = file.first(file.size() - graph_field.size());
  if (graph_field.empty() || before.size() < pattern.size()) return;
  const std::string_view entry(reinterpret_cast<const char*>(before.last(pattern.size()).data()),
                               pattern.size());
  const std::size_t fixed = pattern.size() - kDigits;
  if (entry.substr(0, fixed) != std::string_view(pattern).substr(0, fixed)) return;
  const std::uint32_t own = crc32c(graph_field, crc32c(before.first(before.size() - entry.size())));
  if (entry != entry_with(own)) damaged("does not have the checksum that it was written with");
}

}  // namespace engraft::onnx_format
