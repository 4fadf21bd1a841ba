#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "data/pictures.h"
#include "engraft/base/error.h"
#include "engraft/data/dataset.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::table_dataset_test {

namespace fs = std::filesystem;
using test::described;
using test::expect_error;
using test::labelled;
using test::put_picture;
using test::put_text;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// A folder of pictures with a table "t.csv" in it.
class TableDataset : public ::testing::Test {
 protected:
  void pictures(std::initializer_list<const char*> names) {
    for (const char* name : names) put_picture(folder_ / name);
  }
  void table(std::string_view text) { put_text(folder_ / "t.csv", text); }
  Dataset load(std::vector<std::string> class_names = {}) {
    return load_dataset(folder_.path(), {.labels = "t.csv", .class_names = std::move(class_names)});
  }
  void refused(ErrorKind kind, const std::string& part, std::vector<std::string> class_names = {}) {
    expect_error(kind, HasSubstr(part), [&] { (void)load(std::move(class_names)); });
  }

  TemporaryFolder folder_;
};

TEST_F(TableDataset, RowsAreTheSamplesInAnyOrder) {
  pictures({"a.png", "b.png", "c.png"});
  table("label;filename\r\ndog;c.png\r\ncat;a.png\r\ndog;b.png\r\n");
  const Dataset dataset = load();
  EXPECT_THAT(dataset.class_names, ElementsAre("cat", "dog"));
  EXPECT_THAT(labelled(dataset), ElementsAre("a.png=cat", "b.png=dog", "c.png=dog"));
  EXPECT_THAT(dataset.problems, IsEmpty());
  EXPECT_EQ(dataset.samples[0].path, folder_ / "a.png");
}

/// A folder with pictures in one folder, which says nothing, and tables under the usual names.
class UnaskedTable : public ::testing::Test {
 protected:
  UnaskedTable() {
    put_picture(folder_ / "Images/a.png");
    put_picture(folder_ / "Images/b.png");
  }
  std::vector<std::string> loaded(std::vector<std::string> class_names = {}) {
    return labelled(
        load_dataset(folder_.path(), {.labels = {}, .class_names = std::move(class_names)}));
  }
  TemporaryFolder folder_;
};

TEST_F(UnaskedTable, IsReadWhereFoldersDoNotTellClassesApart) {
  put_text(folder_ / "metadata.csv", "file,label\na.png,cat\nb.png,dog\n");
  EXPECT_THAT(loaded(), ElementsAre("Images/a.png=cat", "Images/b.png=dog"));
}

TEST_F(UnaskedTable, LabelsComeBeforeMetadata) {
  put_text(folder_ / "metadata.csv", "file,label\na.png,cat\nb.png,dog\n");
  put_text(folder_ / "labels.csv", "file,label\na.png,clean\nb.png,dirty\n");
  EXPECT_THAT(loaded(), ElementsAre("Images/a.png=clean", "Images/b.png=dirty"));
}

TEST_F(UnaskedTable, ItsNumbersTakeTheClassNames) {
  put_text(folder_ / "metadata.csv", "file,label\na.png,0\nb.png,1\n");
  EXPECT_THAT(loaded({"clean", "dirty"}), ElementsAre("Images/a.png=clean", "Images/b.png=dirty"));
}

TEST_F(UnaskedTable, IsReadWherePicturesLieBesideIt) {
  put_picture(folder_ / "c.png");
  put_text(folder_ / "labels.csv", "file,label\na.png,cat\nb.png,dog\nc.png,cat\n");
  EXPECT_THAT(loaded(), ElementsAre("Images/a.png=cat", "Images/b.png=dog", "c.png=cat"));
}

TEST_F(UnaskedTable, IsLeftAloneWhereFoldersTellClassesApart) {
  put_picture(folder_ / "Others/c.png");
  put_text(folder_ / "labels.csv", "file,label\na.png,cat\nb.png,dog\n");
  EXPECT_THAT(loaded(),
              ElementsAre("Images/a.png=Images", "Images/b.png=Images", "Others/c.png=Others"));
}

TEST_F(UnaskedTable, WhatIsWrongWithItIsSaid) {
  put_text(folder_ / "labels.csv", "nothing of use\n");
  expect_error(ErrorKind::kBadInput, HasSubstr("labels.csv"), [&] { (void)loaded(); });
}

TEST_F(TableDataset, ProblemsComeByLineAndThenByName) {
  pictures({"a.png", "b.png", "c.png", "d.png", "e.png", "unlisted.png", "below/other.png"});
  put_text(folder_ / "text.png", "no picture");
  put_text(folder_ / "beside.mp4", "not asked for");
  table(
      "file,label\n"       // 1
      "a.png,cat\n"        // 2
      "gone.png,cat\n"     // 3
      "b.png,dog\n"        // 4
      "a.png,cat\n"        // 5: again
      "c.png,cat\n"        // 6: conflict with 9
      "d.png,\n"           // 7
      "text.png,dog\n"     // 8
      "c.png,dog\n"        // 9
      ",dog\n"             // 10
      "\"e\n.png\",dog\n"  // 11, 12
      "e.png,\"d\tog\"\n"  // 13
      "c.png,cat\n");      // 14
  const Dataset dataset = load();
  EXPECT_THAT(labelled(dataset), ElementsAre("a.png=cat", "b.png=dog"));
  EXPECT_THAT(described(dataset.problems),
              ElementsAre("missing file|t.csv:3|gone.png: no such file",
                          "duplicate row|t.csv:5|a.png: the same as line 2; counted once",
                          "conflicting label|t.csv:6|c.png: 'cat' here, 'dog' in line 9; left out",
                          "empty label|t.csv:7|d.png: no label",
                          StartsWith("not a picture|t.csv:8|text.png is not a picture"),
                          "conflicting label|t.csv:9|c.png: 'dog' here, 'cat' in line 6; left out",
                          "missing file|t.csv:10|a row without a file name",
                          "bad name|t.csv:11|e?.png: the file name holds control characters",
                          "bad name|t.csv:13|e.png: the label 'd?og' holds control characters",
                          "conflicting label|t.csv:14|c.png: 'cat' here, 'dog' in line 9; left out",
                          "unlisted file|below/other.png|a picture that t.csv does not name",
                          "unlisted file|unlisted.png|a picture that t.csv does not name"));
  expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("12 problems"), HasSubstr("t.csv:14: c.png")),
               [&] { fail_on_problems(dataset); });
}

TEST_F(TableDataset, ABareNameIsFoundAnywhereBelowIfOnlyOneAnswers) {
  pictures({"Images/a.png", "x/b.png", "y/b.png"});
  table("a.png,cat\nb.png,dog\ny/b.png,cow\n");
  const Dataset dataset = load();
  EXPECT_THAT(labelled(dataset), ElementsAre("Images/a.png=cat", "y/b.png=cow"));
  EXPECT_THAT(described(dataset.problems),
              ElementsAre(AllOf(StartsWith("missing file|t.csv:2|b.png: 2 files answer"),
                                HasSubstr("x/b.png and y/b.png")),
                          StartsWith("unlisted file|x/b.png|")));
}

TEST_F(TableDataset, ANameWithAFolderIsNotGuessedAt) {
  pictures({"dogs/1.png"});
  table("cats/1.png,cat\ndogs/1.png,dog\n");
  const Dataset dataset = load();
  EXPECT_THAT(labelled(dataset), ElementsAre("dogs/1.png=dog"))
      << "taking dogs/1.png for the missing cats/1.png would mislabel it";
}

TEST_F(TableDataset, CaseAndBackslashesAreForgiven) {
  pictures({"Images/a.JPG", "Images/b.jpg", "c.png"});
  table("a.jpg,cat\nIMAGES\\b.jpg,dog\n.\\c.png,cow\n");
  const Dataset dataset = load();
  EXPECT_THAT(labelled(dataset), ElementsAre("Images/a.JPG=cat", "Images/b.jpg=dog", "c.png=cow"));
  EXPECT_THAT(described(dataset.problems), IsEmpty());
}

TEST_F(TableDataset, TheExactCaseGoesFirst) {
  pictures({"a.png", "A.png"});
  table("A.png,upper\na.png,lower\n");
  EXPECT_THAT(labelled(load()), ElementsAre("A.png=upper", "a.png=lower"));
}

TEST_F(TableDataset, SpellingsOfOneFileAreOneFile) {
  pictures({"Images/a.png", "Images/b.png"});
  table(
      "Images/a.png,cat\n./Images/../Images/a.png,cat\na.png,dog\nb.png,dog\nImages//b.png,dog\n");
  const Dataset dataset = load();
  EXPECT_THAT(labelled(dataset), ElementsAre("Images/b.png=dog"));
  EXPECT_THAT(dataset.class_names, ElementsAre("dog")) << "no class without a picture";
  EXPECT_EQ(dataset.problems.size(), 4u);
}

TEST_F(TableDataset, FilesMayBeRelativeToTheTablesOwnFolder) {
  put_picture(folder_ / "set/images/a.png");
  put_picture(folder_ / "set/meta/b.png");
  put_text(folder_ / "set/meta/t.csv", "../images/a.png,cat\nb.png,dog\n");
  const Dataset dataset = load_dataset(folder_ / "set/images",
                                       {.labels = folder_ / "set/meta/t.csv", .class_names = {}});
  EXPECT_THAT(labelled(dataset), ElementsAre("../meta/b.png=dog", "a.png=cat"));
  for (const Sample& sample : dataset.samples) EXPECT_TRUE(fs::exists(sample.path)) << sample.path;
}

TEST_F(TableDataset, AbsolutePathsInsideTheFolderAreTaken) {
  pictures({"x/a.png", "b.png"});
  table((folder_ / "x/a.png").string() + ",cat\nb.png,dog\n");
  EXPECT_THAT(labelled(load()), ElementsAre("b.png=dog", "x/a.png=cat"));
}

TEST_F(TableDataset, WhatLiesOutsideIsNotRead) {
  const TemporaryFolder other;
  put_picture(other / "private.png");
  pictures({"a.png"});
  const std::string relative =
      "../" + other.path().filename().string() + "/private.png";  // both are temporary folders
  table("a.png,cat\n" + (other / "private.png").string() + ",dog\n" + relative + ",dog\n");
  const Dataset dataset = load();
  EXPECT_THAT(labelled(dataset), ElementsAre("a.png=cat"));
  EXPECT_THAT(described(dataset.problems),
              ElementsAre(AllOf(StartsWith("missing file|t.csv:2|"), HasSubstr("outside")),
                          AllOf(StartsWith("missing file|t.csv:3|"), HasSubstr("outside"))));
}

TEST_F(TableDataset, NumbersAreClassesByValue) {
  pictures({"a.png", "b.png", "c.png", "d.png"});
  table("file,label\na.png,10\nb.png,9.0\nc.png,10.0\nd.png,9\n");
  const Dataset dataset = load();
  EXPECT_THAT(dataset.class_names, ElementsAre("9", "10"));
  EXPECT_THAT(labelled(dataset), ElementsAre("a.png=10", "b.png=9", "c.png=10", "d.png=9"));
}

TEST_F(TableDataset, OneWordMakesAllLabelsWords) {
  pictures({"a.png", "b.png", "c.png"});
  table("file,label\na.png,10\nb.png,9\nc.png,x\n");
  EXPECT_THAT(load().class_names, ElementsAre("10", "9", "x"));
}

TEST_F(TableDataset, GivenNamesAreTheNamesOfNumbers) {
  pictures({"a.png", "b.png", "c.png"});
  table("file,label\na.png,1\nb.png,0\nc.png,1.0\n");
  const Dataset dataset = load({"clean", "dirty"});
  EXPECT_THAT(dataset.class_names, ElementsAre("clean", "dirty"));
  EXPECT_THAT(labelled(dataset), ElementsAre("a.png=dirty", "b.png=clean", "c.png=dirty"));
  EXPECT_EQ(load({"clean", "dirty", "none"}).class_names.size(), 3u);
  refused(ErrorKind::kUsage, "label 1", {"clean"});
}

TEST_F(TableDataset, GivenNamesOfWordsMustCoverThem) {
  pictures({"a.png", "b.png"});
  table("file,label\na.png,cat\nb.png,dog\n");
  EXPECT_THAT(load({"dog", "cat"}).class_names, ElementsAre("dog", "cat"));
  refused(ErrorKind::kUsage, "has 'dog', not among 'cat', 'cow'", {"cat", "cow"});
}

TEST_F(TableDataset, GivenNamesThatAreNumbersMatchAsNames) {
  pictures({"a.png", "b.png"});
  table("file,label\na.png,0\nb.png,1\n");
  EXPECT_THAT(labelled(load({"1", "0"})), ElementsAre("a.png=0", "b.png=1"));
}

TEST_F(TableDataset, NegativeNumbersHaveNoGivenName) {
  pictures({"a.png", "b.png"});
  table("file,label\na.png,-1\nb.png,1\n");
  EXPECT_THAT(load().class_names, ElementsAre("-1", "1"));
  refused(ErrorKind::kUsage, "label -1", {"x", "y"});
}

TEST_F(TableDataset, TheTableIsLookedForInTheFolderFirst) {
  pictures({"a.png"});
  table("a.png,inside\n");
  const TemporaryFolder other;
  put_text(other / "t.csv", "a.png,given\n");
  EXPECT_THAT(load().class_names, ElementsAre("inside"));
  EXPECT_THAT(
      load_dataset(folder_.path(), {.labels = other / "t.csv", .class_names = {}}).class_names,
      ElementsAre("given"));
  expect_error(ErrorKind::kNotFound, HasSubstr("none.csv: no such table"), [&] {
    (void)load_dataset(folder_.path(), {.labels = "none.csv", .class_names = {}});
  });
}

TEST_F(TableDataset, ABrokenTableIsRefusedWithItsNameAndLine) {
  pictures({"a.png"});
  const std::string name = (folder_ / "t.csv").string();
  table("a.png,cat\nb.png,\"dog\n");
  refused(ErrorKind::kBadInput, name + ":2: the quote");
  table(std::string_view("a.png,c\0t\n", 10));
  refused(ErrorKind::kBadInput, name + ":1: holds a NUL");
  table("");
  refused(ErrorKind::kBadInput, name + ": holds no rows");
  fs::remove(folder_ / "t.csv");
  fs::create_directory(folder_ / "t.csv");
  refused(ErrorKind::kIo, "is a folder");
}

TEST_F(TableDataset, NothingFoundIsRefusedWithTheFirstProblem) {
  pictures({"other.png"});
  table("foto,klasse\na.png,cat\n");
  refused(ErrorKind::kBadInput, "t.csv:1: foto: no such file; if this is the header");
}

TEST_F(TableDataset, AHostileNameIsOnlyAMissingFile) {
  pictures({"a.png"});
  table("a.png,cat\n" + std::string(10'000, 'x') + ",dog\n/,dog\n..,dog\n.,dog\n" +
        "a.png/below,dog\n////etc////passwd,dog\n\\\\server\\share,dog\n");
  const Dataset dataset = load();
  EXPECT_EQ(dataset.samples.size(), 1u);
  EXPECT_EQ(dataset.problems.size(), 7u);
}

TEST(RealTable, StreetsAreReadAsTheyAre) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Dataset dataset = load_dataset(
      data / "data/streets", {.labels = "metadata.csv", .class_names = {"clean", "dirty"}});
  EXPECT_EQ(dataset.samples.size(), 234u);
  ASSERT_EQ(dataset.problems.size(), 3u);
  for (const Problem& problem : dataset.problems) {
    EXPECT_EQ(problem.kind, Problem::Kind::kMissingFile);
    EXPECT_THAT(problem.where, StartsWith("metadata.csv:"));
  }
  for (const Sample& sample : dataset.samples) {
    EXPECT_THAT(sample.name, StartsWith(sample.label == 0 ? "Images/clean_" : "Images/dirty_"));
  }
}

}  // namespace engraft::table_dataset_test
