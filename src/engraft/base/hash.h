#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace engraft {

/// A SHA-256 digest.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const Digest&) const = default;  // NOLINT(modernize-use-nullptr): a false alarm
  /// 64 lower-case hexadecimal digits.
  [[nodiscard]] std::string hex() const;
  /// The first eight bytes, the first of them the highest: a number that stands for the contents
  /// where 64 bits are enough (seeds, keys of a draw).
  [[nodiscard]] std::uint64_t leading_bits() const;
};

/// SHA-256 of bytes that arrive in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text) { return update(std::as_bytes(std::span(text))); }
  /// The digest of everything so far; the object is then spent.
  [[nodiscard]] Digest finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] Digest sha256(std::span<const std::byte> bytes);

/// RFC 4648 base64 with padding, no line breaks (for data: URLs).
[[nodiscard]] std::string base64(std::span<const std::byte> bytes);

}  // namespace engraft
