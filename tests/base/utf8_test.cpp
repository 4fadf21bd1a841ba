#include "engraft/base/utf8.h"

#include <gtest/gtest.h>

namespace engraft::utf8_test {

using namespace std::string_view_literals;
constexpr std::size_t kNone = std::string_view::npos;

TEST(Utf8, WellFormedTextHasNoInvalidPlace) {
  EXPECT_EQ(invalid_utf8_at(""), kNone);
  EXPECT_EQ(invalid_utf8_at("plain\n\0text"sv), kNone);
  EXPECT_EQ(invalid_utf8_at("é ß 日本 😀"), kNone);
  // The first and last of each length, and the neighbours of the surrogates.
  EXPECT_EQ(invalid_utf8_at("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80"
                            "\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80"),
            kNone);
}

TEST(Utf8, TheFirstInvalidByteIsFound) {
  EXPECT_EQ(invalid_utf8_at("ab\xFF"), 2u);
  EXPECT_EQ(invalid_utf8_at("é\x80"), 2u) << "a continuation without a lead";
  for (const char* text : {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF"}) {
    EXPECT_EQ(invalid_utf8_at(text), 0u) << "overlong";
  }
  EXPECT_EQ(invalid_utf8_at("\xED\xA0\x80"), 0u) << "a surrogate";
  EXPECT_EQ(invalid_utf8_at("\xED\xBF\xBF"), 0u) << "a surrogate";
  EXPECT_EQ(invalid_utf8_at("\xF4\x90\x80\x80"), 0u) << "above U+10FFFF";
  EXPECT_EQ(invalid_utf8_at("\xF5\x80\x80\x80"), 0u);
}

TEST(Utf8, ATruncatedSequenceIsInvalid) {
  for (const char* text : {"x\xC3", "x\xE2\x82", "x\xF0\x9F\x98", "x\xE2", "x\xF0\x9F"}) {
    EXPECT_EQ(invalid_utf8_at(text), 1u);
  }
}

TEST(Printable, ControlCharactersAreNot) {
  EXPECT_TRUE(is_printable("Straße 7, 日本.jpg"));
  EXPECT_TRUE(is_printable(""));
  for (const std::string_view text :
       {"a\nb"sv, "\x1B[31m"sv, "\0"sv, "\x7F"sv, "\xC2\x9B"sv, "\xFF"sv, "\t"sv}) {
    EXPECT_FALSE(is_printable(text));
  }
}

TEST(Printable, ReplacesOnlyWhatIsNot) {
  EXPECT_EQ(printable("é\n\xFFz\xC2\x9B"), "é??z??");
  EXPECT_EQ(printable("日本"), "日本");
  EXPECT_TRUE(is_printable(printable("\x01\xF0\x9F\x98")));
}

}  // namespace engraft::utf8_test
