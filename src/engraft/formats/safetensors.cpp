#include "engraft/formats/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <tuple>

#include "engraft/base/error.h"
#include "engraft/base/file_contents.h"
#include "engraft/base/hash.h"
#include "engraft/base/utf8.h"
#include "engraft/formats/one_line.h"
#include "engraft/formats/safetensors_header.h"

namespace engraft {
namespace {

using namespace safetensors_format;

static_assert(std::endian::native == std::endian::little, "values are stored little end first");

constexpr std::size_t kDigestDigits = 64;

/// Bytes of a tensor; none where they are more than any file has.
std::optional<std::uint64_t> bytes_needed(DType dtype, const std::vector<std::uint64_t>& extents) {
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 48;
  std::uint64_t bytes = size_of(dtype);
  for (const std::uint64_t extent : extents) {
    if (extent > kLimit || (extent > 0 && bytes > kLimit / extent)) return std::nullopt;
    bytes *= extent;
  }
  return bytes;
}

/// `"engraft.sha256":"`: in a valid header nothing but the key and the beginning of its value.
std::string digest_prefix() {
  return fmt::format("\"{}\":\"", kSafetensorsDigest);
}

// ---- writing

[[noreturn]] void unusable(const std::string& what) {
  throw Error(ErrorKind::kUsage, "cannot be written as safetensors: " + what);
}

void require_text(std::string_view text) {
  if (invalid_utf8_at(text) != std::string_view::npos) {
    unusable(fmt::format("{} is not UTF-8", printable(text)));
  }
}

void check(const SafetensorsFile& file) {
  if (file.tensors.size() > kMaxEntries || file.metadata.size() >= kMaxEntries) {
    unusable(fmt::format("more than {} tensors or strings", kMaxEntries));
  }
  for (const auto& [key, text] : file.metadata) {
    require_text(key);
    require_text(text);
    if (key == kSafetensorsDigest) unusable(fmt::format("metadata {} is its own", key));
  }
  for (const auto& [name, entry] : file.tensors) {
    require_text(name);
    if (name == kMetadata) unusable(fmt::format("no tensor can be named {}", name));
    const auto& extents = entry.shape.extents();
    const bool negative = std::any_of(extents.begin(), extents.end(), [](auto e) { return e < 0; });
    if (negative || extents.size() > kMaxRank ||
        bytes_needed(entry.dtype, {extents.begin(), extents.end()}) != entry.bytes.size()) {
      unusable(fmt::format("{} {} {} has {} bytes", name, name_of(entry.dtype),
                           entry.shape.to_string(), entry.bytes.size()));
    }
  }
}

/// Entries as they follow each other: the widest values first, so that all are aligned.
std::vector<const std::pair<const std::string, SafetensorsEntry>*> in_order(
    const SafetensorsFile& file) {
  std::vector<const std::pair<const std::string, SafetensorsEntry>*> order;
  for (const auto& item : file.tensors) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return size_of(a->second.dtype) > size_of(b->second.dtype);
  });
  return order;
}

/// Length and header, zeros in the digest's place.
std::string head_of(const SafetensorsFile& file) {
  RawHeader header{.metadata = file.metadata, .tensors = {}};
  header.metadata.emplace(kSafetensorsDigest, std::string(kDigestDigits, '0'));
  std::uint64_t offset = 0;
  for (const auto* item : in_order(file)) {
    const SafetensorsEntry& entry = item->second;
    const auto& extents = entry.shape.extents();
    header.tensors[item->first] = {.dtype = std::string(name_of(entry.dtype)),
                                   .shape = {extents.begin(), extents.end()},
                                   .offsets = {offset, offset + entry.bytes.size()}};
    offset += entry.bytes.size();
  }
  std::string text = header_text(header);
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  const std::uint64_t length = text.size();
  if (length > kMaxHeader) unusable("its names and metadata are larger than 100 MB");
  std::string head(kLengthBytes, '\0');
  std::memcpy(head.data(), &length, kLengthBytes);
  return head + text;
}

/// Calls write(bytes) for the parts of the file, in their order.
template <typename Write>
void encode(const SafetensorsFile& file, const Write& write) {
  check(file);
  const auto order = in_order(file);
  std::string head = head_of(file);
  Sha256 hash;
  hash.update(head);
  for (const auto* item : order) hash.update(item->second.bytes);
  head.replace(head.find(digest_prefix()) + digest_prefix().size(), kDigestDigits,
               hash.finish().hex());
  write(std::as_bytes(std::span(head)));
  for (const auto* item : order) write(std::span<const std::byte>(item->second.bytes));
}

// ---- reading

/// The header with its length, and what follows it.
struct Parts {
  std::string_view head, header;
  std::span<const std::byte> values;
};

Parts split(std::span<const std::byte> bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < kLengthBytes)
    damaged_safetensors(fmt::format("it has {} bytes", bytes.size()));
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeader) {
    damaged_safetensors(fmt::format("its header of {} bytes is larger than 100 MB", length));
  }
  if (length > bytes.size() - kLengthBytes) {
    damaged_safetensors(fmt::format("its header of {} bytes ends behind the file's end", length));
  }
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), kLengthBytes + length);
  return {head, head.substr(kLengthBytes), bytes.subspan(head.size())};
}

/// Takes the digest out of the metadata and checks it.
void check_digest(RawHeader& header, const Parts& parts, DigestRule rule) {
  const auto found = header.metadata.find(std::string(kSafetensorsDigest));
  if (found == header.metadata.end()) {
    if (rule == DigestRule::kRequired) {
      damaged_safetensors(fmt::format("it has no digest ({}) to check it by", kSafetensorsDigest));
    }
    return;
  }
  const std::string digest = std::move(found->second);
  header.metadata.erase(found);
  const std::string key = digest_prefix();
  const std::size_t at = parts.head.find(key + digest + '"');
  if (digest.size() != kDigestDigits || at == std::string_view::npos) {
    damaged_safetensors("its digest is none of engraft's");
  }
  Sha256 hash;
  hash.update(parts.head.substr(0, at + key.size()));
  hash.update(std::string(kDigestDigits, '0'));
  hash.update(parts.head.substr(at + key.size() + kDigestDigits));
  hash.update(parts.values);
  if (hash.finish().hex() != digest) damaged_safetensors("its digest is not that of its contents");
}

DType dtype_of(const std::string& name, const RawEntry& entry) {
  for (int i = 0; i <= static_cast<int>(DType::kF64); ++i) {
    if (name_of(static_cast<DType>(i)) == entry.dtype) return static_cast<DType>(i);
  }
  throw Error(ErrorKind::kUnsupported,
              fmt::format("tensor {} is of type {}, which engraft does not read; convert it to F32",
                          name, entry.dtype));
}

/// An entry whose shape and type need just the bytes that there are.
SafetensorsEntry entry_of(const std::string& name, const RawEntry& raw,
                          std::span<const std::byte> values) {
  const DType dtype = dtype_of(name, raw);
  const std::uint64_t bytes = raw.offsets[1] - raw.offsets[0];
  if (bytes_needed(dtype, raw.shape) != bytes) {
    damaged_safetensors(fmt::format("tensor {} {} [{}] has {} bytes", name, raw.dtype,
                                    fmt::join(raw.shape, ","), bytes));
  }
  const auto own =
      values.subspan(static_cast<std::size_t>(raw.offsets[0]), static_cast<std::size_t>(bytes));
  return {dtype,
          Shape(std::vector<std::int64_t>(raw.shape.begin(), raw.shape.end())),
          {own.begin(), own.end()}};
}

/// The tensors must cover the values from the first byte to the last, each byte once.
void check_offsets(const RawHeader& header, std::uint64_t size) {
  std::vector<std::tuple<std::uint64_t, std::uint64_t, const std::string*>> places;
  for (const auto& [name, entry] : header.tensors) {
    places.emplace_back(entry.offsets[0], entry.offsets[1], &name);
  }
  std::sort(places.begin(), places.end());
  std::uint64_t end = 0;
  for (const auto& [first, last, name] : places) {
    if (last < first || last > size) {
      damaged_safetensors(
          fmt::format("tensor {} lies at {} to {} of {} bytes", *name, first, last, size));
    }
    if (first != end) {
      damaged_safetensors(
          fmt::format("tensor {} begins at {}, the one before it ends at {}", *name, first, end));
    }
    end = last;
  }
  if (end != size) {
    damaged_safetensors(fmt::format("its tensors need {} bytes, but {} are there", end, size));
  }
}

SafetensorsFile decode(std::span<const std::byte> bytes, DigestRule rule) {
  const Parts parts = split(bytes);
  RawHeader header = parse_header(parts.header);
  // First of all, for a changed bit may look like a type that engraft does not know.
  check_digest(header, parts, rule);
  check_offsets(header, parts.values.size());
  SafetensorsFile file{.metadata = std::move(header.metadata), .tensors = {}};
  for (const auto& [name, raw] : header.tensors) {
    file.tensors.emplace(name, entry_of(name, raw, parts.values));
  }
  return file;
}

}  // namespace

Bytes safetensors_bytes(const SafetensorsFile& file) {
  Bytes bytes;
  encode(file, [&](std::span<const std::byte> part) {
    bytes.insert(bytes.end(), part.begin(), part.end());
  });
  return bytes;
}

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file) {
  try {
    AtomicFile out(path);
    encode(file, [&](std::span<const std::byte> part) { out.write(part); });
    out.commit();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kIo) throw;  // names its file itself
    throw Error(error.kind(), fmt::format("{}: {}", path.string(), one_line(error.what())));
  }
}

SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name,
                                  DigestRule rule) {
  try {
    return decode(bytes, rule);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}", name, one_line(error.what())));
  }
}

SafetensorsFile read_safetensors(const std::filesystem::path& path, DigestRule rule) {
  return parse_safetensors(FileContents(path).bytes(), path.string(), rule);
}

}  // namespace engraft
