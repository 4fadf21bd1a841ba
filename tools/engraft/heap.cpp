#include "heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace engraft::cli {
namespace {

constexpr std::uintptr_t kHugePage = 2 << 20;
constexpr int kHeap = 64 << 20;
/// Larger pieces still are mappings of their own, which go back to the system when they are freed.
constexpr int kOwnMapping = 32 << 20;
/// Larger than any free piece that there is at the start.
constexpr std::size_t kGrowth = 4 << 20;

}  // namespace

void use_huge_pages_for_heap() {
  ::mallopt(M_MMAP_THRESHOLD, kOwnMapping);
  ::mallopt(M_TOP_PAD, kHeap);
  const auto end = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  // From the next huge page's boundary on; the heap takes that as somebody else's memory.
  ::sbrk(static_cast<std::intptr_t>((kHugePage - end % kHugePage) % kHugePage));
  void* volatile piece = std::malloc(kGrowth);  // volatile: the pair must not be optimised away
  std::free(piece);                             // the heap has grown by that and kHeap
  const auto grown = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  const std::uintptr_t first = (end + kHugePage - 1) / kHugePage * kHugePage;
  if (grown > first) ::madvise(reinterpret_cast<void*>(first), grown - first, MADV_HUGEPAGE);
}

}  // namespace engraft::cli
