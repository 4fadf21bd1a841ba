#include "engraft/base/arena.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cstdint>
#include <utility>

#include "engraft/base/error.h"

namespace engraft {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
/// The part of a huge page for which it is taken: it costs less to clear whole than half of it in
/// small ones, fault by fault, and no more than that half is memory for nothing.
constexpr std::size_t kWorthIt = kHugePage / 2;

}  // namespace

Arena::Arena(std::size_t bytes) {
  if (bytes == 0) return;
  const bool huge = bytes >= kWorthIt;
  const std::size_t pages = bytes / kHugePage + (bytes % kHugePage >= kWorthIt ? 1 : 0);
  // So much more than asked for that data can begin on a huge page's boundary; what is never
  // touched takes no memory.
  mapped_ = huge ? (bytes / kHugePage + 2) * kHugePage : bytes;
  void* memory =
      ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw Error(ErrorKind::kInternal,
                fmt::format("no memory for {} MB; use fewer threads or a smaller picture size",
                            bytes >> 20));
  }
  mapping_ = memory;
  data_ = static_cast<std::byte*>(memory);
  if (huge) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    data_ += (kHugePage - address % kHugePage) % kHugePage;
    // Advice only: a system without huge pages serves small ones.
    ::madvise(data_, pages * kHugePage, MADV_HUGEPAGE);
  }
}

Arena::~Arena() {
  if (mapping_) ::munmap(mapping_, mapped_);
}

Arena::Arena(Arena&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_(std::exchange(other.mapped_, 0)),
      data_(std::exchange(other.data_, nullptr)) {}

Arena& Arena::operator=(Arena&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  std::swap(data_, other.data_);
  return *this;
}

}  // namespace engraft
