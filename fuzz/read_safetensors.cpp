// Any bytes: tensors that fit their shapes, or one Error; and what is read can be written and read
// again, with its digest.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "engraft/base/error.h"
#include "engraft/formats/safetensors.h"

namespace {

void check(bool ok) {
  if (!ok) std::abort();
}

void check_tensor(const engraft::SafetensorsEntry& entry) {
  const auto elements = static_cast<std::size_t>(entry.shape.elements());
  check(elements * engraft::size_of(entry.dtype) == entry.bytes.size());
  try {
    check(engraft::to_tensor(entry).size() == elements);
  } catch (const engraft::Error& error) {
    check(error.kind() == engraft::ErrorKind::kUnsupported);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  engraft::SafetensorsFile file;
  try {
    file = engraft::parse_safetensors(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const engraft::Error& error) {
    check(error.kind() == engraft::ErrorKind::kBadInput ||
          error.kind() == engraft::ErrorKind::kUnsupported);
    const std::string_view message = error.what();
    check(message.starts_with("fuzz: ") && message.find('\n') == std::string_view::npos);
    return 0;
  }
  for (const auto& [name, entry] : file.tensors) check_tensor(entry);
  const engraft::Bytes bytes = engraft::safetensors_bytes(file);
  check(engraft::parse_safetensors(bytes, "again", engraft::DigestRule::kRequired) == file);
  return 0;
}
