#include "engraft/base/arena.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

#include "support/errors.h"

namespace engraft::arena_test {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

TEST(Arena, OfNothingIsNothing) {
  EXPECT_EQ(Arena().data(), nullptr);
  EXPECT_EQ(Arena(0).data(), nullptr);
}

TEST(Arena, IsZeroedAndCanBeWrittenToItsLastByte) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4096}, kHugePage / 2 - 1,
                                  kHugePage / 2, kHugePage, kHugePage + 1, 3 * kHugePage}) {
    const Arena arena(bytes);
    const std::span<std::byte> memory(arena.data(), bytes);
    EXPECT_TRUE(std::ranges::all_of(memory, [](std::byte b) { return b == std::byte{0}; }));
    std::ranges::fill(memory, std::byte{1});
  }
}

TEST(Arena, BeginsAtAPageAndIfItIsLargeAtAHugeOne) {
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(Arena(1).data()) % 4096, 0u);
  for (const std::size_t bytes : {kHugePage / 2, kHugePage + 1}) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(Arena(bytes).data()) % kHugePage, 0u) << bytes;
  }
}

TEST(Arena, IsHandedOver) {
  Arena first(5);
  std::byte* const data = first.data();
  const Arena second = std::move(first);
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(first.data(), nullptr);  // NOLINT(bugprone-use-after-move): it says so
}

TEST(Arena, MoreThanThereIsIsRefused) {
  test::expect_error(ErrorKind::kInternal, ::testing::HasSubstr("no memory for"),
                     [] { (void)Arena(std::numeric_limits<std::size_t>::max() / 2); });
}

}  // namespace engraft::arena_test
