#include "engraft/data/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engraft/base/error.h"
#include "engraft/base/rng.h"
#include "support/errors.h"

namespace engraft::csv_test {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Fields = std::vector<std::string>;

std::vector<Fields> cells(const CsvTable& table) {
  std::vector<Fields> all;
  for (const CsvRow& row : table.rows) all.push_back(row.fields);
  return all;
}

std::vector<Fields> parse(std::string_view text) {
  return cells(parse_csv(text, "t.csv"));
}

std::vector<int> lines(std::string_view text) {
  std::vector<int> all;
  for (const CsvRow& row : parse_csv(text, "t.csv").rows) all.push_back(row.line);
  return all;
}

void expect_refused(std::string_view text, const std::string& part) {
  test::expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("t.csv"), HasSubstr(part)),
                     [&] { (void)parse_csv(text, "t.csv"); });
}

TEST(Csv, EveryLineEndingMakesTheSameRows) {
  const std::vector<Fields> expected{{"a", "1"}, {"b", "2"}};
  for (const char* text :
       {"a,1\nb,2\n", "a,1\r\nb,2\r\n", "a,1\rb,2\r", "a,1\nb,2", "a,1\r\nb,2"}) {
    EXPECT_EQ(parse(text), expected) << text;
  }
}

TEST(Csv, AByteOrderMarkIsNoPartOfTheFirstField) {
  EXPECT_EQ(parse("\xEF\xBB\xBF"
                  "a,1\n"),
            (std::vector<Fields>{{"a", "1"}}));
  EXPECT_EQ(parse("\xEF\xBB\xBF"
                  "\"a\",1\n"),
            (std::vector<Fields>{{"a", "1"}}));
  EXPECT_TRUE(parse("\xEF\xBB\xBF").empty());
}

TEST(Csv, TheDelimiterIsWhatTheFirstLineHasMostOf) {
  EXPECT_EQ(parse_csv("a;b;c\n1;2,5;3\n", "t").delimiter, ';');
  EXPECT_EQ(parse_csv("a\tb\n", "t").delimiter, '\t');
  EXPECT_EQ(parse_csv("a,b\n1;2;3\n", "t").delimiter, ',');
  EXPECT_EQ(parse_csv("\n\n  \na;b\n", "t").delimiter, ';');
  EXPECT_EQ(parse_csv("\"x,y,z\";b\n", "t").delimiter, ';');
  EXPECT_EQ(parse_csv("a,b;c\n", "t").delimiter, ',') << "a tie goes to the comma";
  EXPECT_EQ(parse_csv("alone\n", "t").delimiter, ',');
}

TEST(Csv, TabsKeepEmptyFieldsBetweenThem) {
  EXPECT_EQ(parse("a\t\tb\n\tx\t\n"), (std::vector<Fields>{{"a", "", "b"}, {"", "x", ""}}));
}

TEST(Csv, QuotesKeepDelimitersBlanksAndLineBreaks) {
  EXPECT_EQ(parse("\"a, b\",\" x \",\"say \"\"hi\"\"\"\n"),
            (std::vector<Fields>{{"a, b", " x ", "say \"hi\""}}));
  EXPECT_EQ(parse("\"one\ntwo\",x\n\"c\r\nd\",y"),
            (std::vector<Fields>{{"one\ntwo", "x"}, {"c\r\nd", "y"}}));
  EXPECT_EQ(parse("\"\",x\n"), (std::vector<Fields>{{"", "x"}}));
}

TEST(Csv, BlanksAroundFieldsAreTrimmed) {
  EXPECT_EQ(parse("  a b ,\t1 \n \"q\" , 2\n"), (std::vector<Fields>{{"a b", "1"}, {"q", "2"}}));
}

TEST(Csv, RowsKnowTheLineThatTheyBeginIn) {
  EXPECT_THAT(lines("a,1\n\n\r\nb,2\n  \n\"c\n\nc\",3\nd,4"), ElementsAre(1, 4, 6, 9));
  EXPECT_THAT(lines("a,1\r\nb,2\r\n\r\nc,3\r\n"), ElementsAre(1, 2, 4));
  EXPECT_THAT(lines("\xEF\xBB\xBF\na,1\rb,2\r"), ElementsAre(2, 3));
}

TEST(Csv, LinesOfNothingButDelimitersAreLeftOut) {
  EXPECT_EQ(parse("a,1\n,,,\n , \nb,2\n\"\"\n"), (std::vector<Fields>{{"a", "1"}, {"b", "2"}}));
}

TEST(Csv, RowsMayDifferInLength) {
  EXPECT_EQ(parse("a\nb,1,2\nc,\n"), (std::vector<Fields>{{"a"}, {"b", "1", "2"}, {"c", ""}}));
}

TEST(Csv, AnEmptyTextHasNoRows) {
  EXPECT_TRUE(parse("").empty());
  EXPECT_TRUE(parse("\n \r\n\t\n").empty());
}

TEST(Csv, AnUnclosedQuoteIsNamedWithTheLineWhereItOpened) {
  expect_refused("a,1\nb,\"2\nc,3\nd,4\n", "t.csv:2: the quote that opens here");
  expect_refused("a,1\n\"x\ny\",\"z\n\n", "t.csv:3: the quote that opens here");
  expect_refused("\"", "t.csv:1: the quote");
}

TEST(Csv, AQuoteInsideAFieldIsNamedWithItsLine) {
  expect_refused("a,1\nb\"c,2\n", "t.csv:2: a quote inside a field");
  expect_refused("a,1\n\"b\"c,2\n", "t.csv:2: a quote inside a field");
  expect_refused("a,\"1\nb,\"2\n", "(the field began in line 1)");
}

TEST(Csv, BinaryTextIsRefusedWithItsLine) {
  using namespace std::string_view_literals;
  expect_refused("a,1\nb,\0\n"sv, "t.csv:2: holds a NUL byte");
  expect_refused("a,1\r\nb,2\r\nc\xE9,3\n", "t.csv:3: is not UTF-8");
  expect_refused("a,1\nb,\xF0\x9F\x98", "t.csv:2: is not UTF-8");
  expect_refused(
      "\xFF\xFE"
      "a\0,\0"sv,
      "UTF-16");
}

TEST(Csv, AnOversizeTextIsRefusedBeforeItIsRead) {
  const std::string text(kMaxCsvBytes + 1, 'a');
  expect_refused(text, "a table of labels may have");
}

TEST(Csv, TooManyFieldsAreRefused) {
  const std::string text = "a" + std::string(kMaxCsvFields, ',');
  expect_refused(text, "t.csv:1: more fields than");
}

TEST(Csv, ALongFieldComesBackWhole) {
  const std::string text(100'000, 'x');
  EXPECT_EQ(parse(text + ",1\n\"" + text + "\",2"),
            (std::vector<Fields>{{text, "1"}, {text, "2"}}));
}

TEST(CsvField, IsQuotedOnlyWhereItMustBe) {
  EXPECT_EQ(csv_field("a.jpg"), "a.jpg");
  EXPECT_EQ(csv_field("a b"), "a b");
  EXPECT_EQ(csv_field(""), "");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field(" a"), "\" a\"");
  EXPECT_EQ(csv_field("say \"hi\""), "\"say \"\"hi\"\"\"");
}

TEST(CsvField, WhatIsWrittenIsReadBack) {
  constexpr std::string_view kAlphabet = "ab,;\t\"\r\n é";
  Rng rng(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<Fields> rows;
    std::string text = "head,er,s\n";
    for (int r = 0; r < 4; ++r) {
      Fields fields{"x"};  // a row of nothing is left out
      for (int f = 0; f < 2; ++f) {
        std::string field;
        for (std::uint32_t i = rng.below(6); i > 0; --i) {
          const char c = kAlphabet[rng.below(9)];
          field += c;
        }
        fields.push_back(field);
      }
      text += csv_field(fields[0]) + "," + csv_field(fields[1]) + "," + csv_field(fields[2]) + "\n";
      rows.push_back(fields);
    }
    auto read = parse(text);
    read.erase(read.begin());
    EXPECT_EQ(read, rows) << text;
  }
}

LabelTable labels(std::string_view text) {
  return read_labels(parse_csv(text, "t.csv"), "t.csv");
}

TEST(Labels, TheHeaderMayBeInAnyOrderAndCase) {
  for (const char* head : {"filename,label", "FileName,LABEL", "File Name,Class",
                           "image-path,Category", "img,target", "path,class_name"}) {
    const LabelTable table = labels(std::string(head) + "\na.jpg,cat\n");
    ASSERT_EQ(table.rows.size(), 1u) << head;
    EXPECT_EQ(table.rows[0].file, "a.jpg");
    EXPECT_EQ(table.rows[0].label, "cat");
    EXPECT_EQ(table.rows[0].line, 2);
    EXPECT_TRUE(table.has_header);
  }
  const LabelTable turned = labels(",id,Label,File\n0,7,cat,a.jpg\n");
  EXPECT_EQ(turned.rows[0].file, "a.jpg");
  EXPECT_EQ(turned.rows[0].label, "cat");
}

TEST(Labels, OneKnownColumnOfTwoTellsTheOther) {
  EXPECT_EQ(labels("kind,file\ncat,a.jpg\n").rows[0].label, "cat");
  EXPECT_EQ(labels("label,id\ncat,a.jpg\n").rows[0].file, "a.jpg");
}

TEST(Labels, WithoutAHeaderTheFirstColumnIsTheFile) {
  const LabelTable table = labels("a.jpg,cat\nb.jpg,dog\n");
  EXPECT_FALSE(table.has_header);
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[0].file, "a.jpg");
  EXPECT_EQ(table.rows[0].line, 1);
}

TEST(Labels, AShortRowHasAnEmptyLabel) {
  EXPECT_EQ(labels("file,label\na.jpg\n").rows[0].label, "");
}

TEST(Labels, ColumnsThatCannotBeToldAreAnError) {
  const auto refused = [](std::string_view text, const std::string& part) {
    test::expect_error(ErrorKind::kBadInput, HasSubstr(part), [&] { (void)labels(text); });
  };
  refused("", "holds no rows");
  refused("file,label\n", "a header but no rows");
  refused("a.jpg\nb.jpg\n", "one column only");
  refused("a,label,b\n1,2,3\n", "no column of file names");
  refused("file,a,b\n1,2,3\n", "no column of labels");
  refused("file,label,class\n1,2,3\n", "'label' and 'class'");
}

}  // namespace engraft::csv_test
