#include "engraft/base/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "support/slow_crc32c.h"

namespace engraft::crc32c_test {

std::uint32_t crc(std::string_view text, std::uint32_t before = 0) {
  return crc32c(std::as_bytes(std::span(text)), before);
}

TEST(Crc32c, GivesTheExamplesOfRfc3720) {
  EXPECT_EQ(crc(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc(std::string(32, '\xff')), 0x62a8ab43u);
  std::string rising, falling;
  for (char c = 0; c < 32; ++c) {
    rising += c;
    falling.insert(falling.begin(), c);
  }
  EXPECT_EQ(crc(rising), 0x46dd794eu);
  EXPECT_EQ(crc(falling), 0x113fdb5cu);
  EXPECT_EQ(crc("123456789"), 0xe3069283u);
  EXPECT_EQ(crc(""), 0u);
}

TEST(Crc32c, IsThePolynomialsAtEveryLengthAndAlignment) {
  std::string text;
  for (int i = 0; i < 1200; ++i) text += static_cast<char>(i * 31 + i / 7);
  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (std::size_t size = 0; size < 300; ++size) {
      const auto part = std::string_view(text).substr(begin, size);
      ASSERT_EQ(crc(part), test::slow_crc32c(part)) << begin << ", " << size;
    }
  }
  EXPECT_EQ(crc(text), test::slow_crc32c(text));
}

TEST(Crc32c, GoesOnWhereItWas) {
  const std::string_view text = "a file in two pieces";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(crc(text.substr(cut), crc(text.substr(0, cut))), crc(text)) << cut;
  }
}

}  // namespace engraft::crc32c_test
