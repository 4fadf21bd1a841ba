#include "engraft/report/text.h"

#include <gmock/gmock.h>

#include <cmath>

#include "engraft/base/utf8.h"
#include "engraft/eval/metrics.h"
#include "engraft/report/canvas.h"

namespace engraft::text_test {

TEST(Text, KeepsGoodUtf8AsItIs) {
  EXPECT_EQ(clean_text("Größe, тарелка, 汉字, 🍽"),
            "Größe, тарелка, 汉字, 🍽");
  EXPECT_EQ(clean_text(""), "");
}

TEST(Text, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(clean_text("a\xff\xc3 b"), "a?? b");
  EXPECT_EQ(invalid_utf8_at(clean_text("\xf8\x88\x80\xc0\x80\xed\xa0\x80")),
            std::string_view::npos);
}

TEST(Text, PutsEverythingOnOneLine) {
  EXPECT_EQ(clean_text("a\tb\r\nc"), "a b  c");
  EXPECT_EQ(clean_text("a\xe2\x80\xa8z"), "a?z");  // LINE SEPARATOR
  EXPECT_EQ(clean_text(std::string("a\0z", 3)), "a?z");
}

TEST(Text, DropsNoncharactersAndDirectionMarks) {
  EXPECT_EQ(clean_text("a\xef\xbf\xbez"), "a?z");      // U+FFFE
  EXPECT_EQ(clean_text("a\xef\xb7\x90z"), "a?z");      // U+FDD0
  EXPECT_EQ(clean_text("a\xf0\x9f\xbf\xbfz"), "a?z");  // U+1FFFF
  EXPECT_EQ(clean_text("jpg\xe2\x80\xae.exe"), "jpg?.exe");
}

TEST(Text, EscapesForContentAndAttributes) {
  EXPECT_EQ(html_escape("<a b=\"c\" d='e'>&amp;"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;");
  EXPECT_EQ(html_escape("\xff<"), "?&lt;");
}

TEST(Text, CutsBetweenCodePoints) {
  EXPECT_EQ(first_code_points("aöü", 2), "aö");
  EXPECT_EQ(first_code_points("aöü", 3), "aöü");
  EXPECT_EQ(first_code_points("aöü", 99), "aöü");
  EXPECT_EQ(first_code_points("aöü", 0), "");
  EXPECT_EQ(count_code_points("aöü🍽"), 4u);
}

TEST(Text, WritesShares) {
  EXPECT_EQ(percent(0.9678), "96.8 %");
  EXPECT_EQ(percent(1, 0), "100 %");
  EXPECT_EQ(percent(NAN), "–");
  EXPECT_EQ(percent(INFINITY), "–");
}

TEST(Text, WritesIntervals) {
  EXPECT_EQ(interval({.value = 0.96, .low = 0.9341, .high = 0.985}), "93.4 to 98.5 %");
  EXPECT_EQ(interval({}), "0.0 to 100.0 %");
}

class FitTest : public testing::Test {
 protected:
  ScratchContext scratch_;
  TextStyle style_{.size = 10};
};

TEST_F(FitTest, LeavesShortTextAlone) {
  EXPECT_EQ(fit_text(scratch_.get(), "short", style_, 200), "short");
}

TEST_F(FitTest, CutsLongTextToTheWidth) {
  const std::string text = "a rather long class name with ümläuts and more";
  for (const double width : {20.0, 60.0, 120.0}) {
    const std::string fitted = fit_text(scratch_.get(), text, style_, width);
    EXPECT_LE(text_width(scratch_.get(), fitted, style_), width);
    EXPECT_TRUE(fitted.ends_with("…"));
    EXPECT_EQ(invalid_utf8_at(fitted), std::string_view::npos);
  }
}

TEST_F(FitTest, CutsNoMoreThanItMust) {
  const std::string text(100, 'i');
  const double width = text_width(scratch_.get(), std::string(40, 'i') + "…", style_);
  EXPECT_EQ(count_code_points(fit_text(scratch_.get(), text, style_, width + 0.01)), 41u);
}

TEST_F(FitTest, TakesNamesOfMegabytes) {
  const std::string fitted = fit_text(scratch_.get(), std::string(5'000'000, 'x'), style_, 100);
  EXPECT_LT(fitted.size(), 40u);
}

TEST_F(FitTest, LeavesTheContextUsableAfterBadBytes) {
  EXPECT_GT(text_width(scratch_.get(), "a\xff\xef\xbf\xbe", style_), 0);
  EXPECT_GT(text_width(scratch_.get(), "good", style_), 0);  // 0 once a context has failed
}

}  // namespace engraft::text_test
