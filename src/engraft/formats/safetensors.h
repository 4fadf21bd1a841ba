#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/base/file.h"
#include "engraft/tensor/tensor.h"

namespace engraft {

/// What the values of a safetensors tensor are. Source: the format's own list, without the 8-bit
/// floats.
enum class DType {
  kBool,
  kU8,
  kI8,
  kU16,
  kI16,
  kF16,
  kBF16,  ///< the upper half of a float32
  kU32,
  kI32,
  kF32,
  kU64,
  kI64,
  kF64,
};

/// "F32"
[[nodiscard]] std::string_view name_of(DType dtype);
/// Bytes of one value.
[[nodiscard]] std::size_t size_of(DType dtype);

/// One tensor of a safetensors file: row-major, little end first.
struct SafetensorsEntry {
  DType dtype = DType::kF32;
  Shape shape{};
  Bytes bytes{};  ///< shape.elements() · size_of(dtype)
  bool operator==(const SafetensorsEntry&) const = default;
};

/// An entry with a copy of values; T is float, double, std::int64_t or std::uint64_t. Throws
/// Error(kUsage) unless values.size() == shape.elements().
template <typename T>
[[nodiscard]] SafetensorsEntry make_entry(Shape shape, std::span<const T> values);
[[nodiscard]] SafetensorsEntry make_entry(const Tensor& tensor);

/// The values of an entry of that very type, the same types as above. Throws Error(kBadInput) for
/// an entry of another type.
template <typename T>
[[nodiscard]] std::vector<T> values_of(const SafetensorsEntry& entry);

/// A float tensor from F32, F16 or BF16, each of which float32 holds exactly. Throws
/// Error(kUnsupported) for another type.
[[nodiscard]] Tensor to_tensor(const SafetensorsEntry& entry);

/// A safetensors file: named tensors and strings about them.
struct SafetensorsFile {
  std::map<std::string, std::string> metadata{};
  std::map<std::string, SafetensorsEntry> tensors{};
  bool operator==(const SafetensorsFile&) const = default;
};

/// The metadata under which a file carries its own SHA-256: of the whole file, with zeros in place
/// of the digest's 64 digits. Readers of other programs take it for one more string.
inline constexpr std::string_view kSafetensorsDigest = "engraft.sha256";

/// What reading asks of a file's digest.
enum class DigestRule {
  kIfPresent,  ///< it must be right where there is one: files of any program
  kRequired,   ///< it must be there and right, so that no changed bit goes unnoticed: checkpoints
};

/// The file: 8 bytes of header length, a JSON header padded with spaces to a multiple of 8 bytes,
/// then the values. The digest is added to the metadata. Equal contents give equal bytes: the
/// header is sorted by name, the values by size and then by name (which aligns each to its type).
/// Throws Error(kUsage) for entries whose bytes do not fit their shape, for text that is not UTF-8,
/// for the names "__metadata__" and, in the metadata, kSafetensorsDigest, and for more tensors and
/// text than read_safetensors takes.
[[nodiscard]] Bytes safetensors_bytes(const SafetensorsFile& file);

/// Writes safetensors_bytes through AtomicFile: afterwards the file is on the disk as a whole, or
/// Error(kIo) is thrown and the earlier one is untouched. Errors begin with the path.
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);

/// Reads safetensors. The digest is checked and left out of the metadata. Every message begins with
/// "NAME: "; Error(kBadInput), "NAME: damaged: …", for bytes that are cut short, changed or
/// contradict themselves: lengths and offsets beyond the file, tensors that overlap or leave holes,
/// sizes that do not fit the shape, names that occur twice, a header of more than 100 MB, more than
/// 65,536 tensors or strings, more than 16 axes. Error(kUnsupported) for 8-bit floats and types
/// that are not in DType. Never takes more memory than a small multiple of the bytes given.
[[nodiscard]] SafetensorsFile parse_safetensors(std::span<const std::byte> bytes,
                                                const std::string& name,
                                                DigestRule rule = DigestRule::kIfPresent);

/// parse_safetensors of a file; also what read_file throws.
[[nodiscard]] SafetensorsFile read_safetensors(const std::filesystem::path& path,
                                               DigestRule rule = DigestRule::kIfPresent);

}  // namespace engraft
