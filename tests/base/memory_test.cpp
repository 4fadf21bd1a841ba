#include "engraft/base/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/errors.h"

namespace engraft::memory_test {

using test::expect_error;
using ::testing::HasSubstr;

TEST(ParseMemory, TakesBytesAndUnits) {
  EXPECT_EQ(parse_memory("800000000"), 800'000'000u);
  EXPECT_EQ(parse_memory("1"), 1u);
  EXPECT_EQ(parse_memory("3K"), 3u * 1024);
  EXPECT_EQ(parse_memory("512M"), 512u << 20);
  EXPECT_EQ(parse_memory("4G"), std::uint64_t{4} << 30);
  EXPECT_EQ(parse_memory("1.5GB"), std::uint64_t{3} << 29);
  EXPECT_EQ(parse_memory("1e3"), 1000u);
  EXPECT_EQ(parse_memory("7B"), 7u);
}

TEST(ParseMemory, TakesUnitsInAnyCase) {
  EXPECT_EQ(parse_memory("2g"), parse_memory("2G"));
  EXPECT_EQ(parse_memory("2gb"), parse_memory("2G"));
  EXPECT_EQ(parse_memory("2Mb"), parse_memory("2M"));
}

TEST(ParseMemory, RefusesEverythingElseAndShowsIt) {
  for (const char* text :
       {"",    "G",   "GB",  "B",   "0",   "-1G",  "0.5", "nan",  "inf",  "1e400", "2T",  "2X",
        "2 G", " 2G", "2G ", "2KM", "2BB", "2GBB", "2GG", "0x10", "1e30", "2,5G",  "many"}) {
    expect_error(ErrorKind::kUsage, HasSubstr("'" + std::string(text) + "'"),
                 [&] { (void)parse_memory(text); });
  }
}

TEST(ParseMemory, DoesNotReadBeyondItsText) {
  EXPECT_EQ(parse_memory(std::string_view("12G").substr(0, 2)), 12u);
  EXPECT_EQ(parse_memory(std::string_view("123").substr(0, 1)), 1u);
}

TEST(AvailableMemory, IsMoreThanNothingAndNoMoreThanTheMachineHas) {
  const auto all = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  EXPECT_GT(available_memory(), std::uint64_t{1} << 20);
  EXPECT_LE(available_memory(), all);
}

}  // namespace engraft::memory_test
