#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "data/pictures.h"
#include "data/split_pictures.h"
#include "engraft/base/error.h"
#include "engraft/data/csv.h"
#include "engraft/data/split.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::split_file_test {

using test::expect_error;
using test::kNames;
using test::Pictures;
using test::split;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class SplitFile : public ::testing::Test {
 protected:
  SplitFile() {
    pictures_.add(0, 4);
    pictures_.add(1, 4);
    pictures_.samples[3].name = "odd, \"name\".jpg";
  }
  std::vector<Subset> read(std::string_view text) {
    test::put_text(folder_ / "split.csv", text);
    return read_split(folder_ / "split.csv", pictures_.samples, kNames);
  }
  void refused(std::string_view text, const ::testing::Matcher<std::string>& message) {
    expect_error(ErrorKind::kBadInput, message, [&] { (void)read(text); });
  }

  Pictures pictures_;
  test::TemporaryFolder folder_;
};

TEST_F(SplitFile, ReadsWhatItWrites) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    auto subsets = split(pictures_, 0.4, seed);
    EXPECT_EQ(read(split_csv(pictures_.samples, kNames, subsets)), subsets);
  }
  std::vector<Subset> subsets(8, Subset::kTrain);
  subsets[0] = Subset::kValidation;
  subsets[1] = Subset::kTest;
  subsets[2] = Subset::kUnassigned;
  EXPECT_EQ(read(split_csv(pictures_.samples, kNames, subsets)), subsets);
}

TEST_F(SplitFile, IsWrittenForPeople) {
  std::vector<Subset> subsets(8, Subset::kTrain);
  subsets[1] = Subset::kValidation;
  EXPECT_THAT(split_csv(pictures_.samples, kNames, subsets),
              StartsWith("filename,label,subset\n"
                         "p0.jpg,clean,train\n"
                         "p1.jpg,clean,val\n"
                         "p2.jpg,clean,train\n"
                         "\"odd, \"\"name\"\".jpg\",clean,train\n"
                         "p4.jpg,dirty,train\n"));
}

TEST_F(SplitFile, ThatDoesNotFitIsRefusedWithEveryReason) {
  refused(
      "filename,label,subset\n"
      "p0.jpg,clean,train\n"
      "gone.jpg,clean,train\n"
      "p1.jpg,clean,fold1\n"
      "p0.jpg,clean,val\n"
      "p2.jpg,clean,Train\n"
      "\"odd, \"\"name\"\".jpg\",clean,VAL\n"
      "p4.jpg,dirty,train\n",
      AllOf(HasSubstr("split.csv:3: gone.jpg: no such picture"),
            HasSubstr("split.csv:4: 'fold1' is none of train, val, test"),
            HasSubstr("split.csv:5: p0.jpg: again"), HasSubstr("split.csv: p5.jpg is missing"),
            HasSubstr("split.csv: p7.jpg is missing"), ::testing::Not(HasSubstr("p2.jpg"))));
}

TEST_F(SplitFile, WithoutASideIsRefused) {
  std::vector<Subset> subsets(8, Subset::kTrain);
  refused(split_csv(pictures_.samples, kNames, subsets), HasSubstr("no row is of the subset val"));
  std::fill(subsets.begin(), subsets.begin() + 4, Subset::kValidation);
  refused(split_csv(pictures_.samples, kNames, subsets),
          AllOf(HasSubstr("class 'clean'"), HasSubstr("split.csv")));
}

TEST_F(SplitFile, ThatIsNoneIsRefused) {
  refused("", HasSubstr("filename,label,subset"));
  refused("a.jpg,cat\n", HasSubstr("filename,label,subset"));
  expect_error(ErrorKind::kNotFound, HasSubstr("none.csv"),
               [&] { (void)read_split(folder_ / "none.csv", pictures_.samples, kNames); });
}

class FoldsFile : public SplitFile {
 protected:
  std::vector<int> read_as_folds(std::string_view text) {
    test::put_text(folder_ / "split.csv", text);
    return read_folds(folder_ / "split.csv", pictures_.samples);
  }
  /// A file whose subsets are the given words, one a sample.
  std::string file_of(const std::vector<std::string>& words) {
    std::string text = "filename,subset\n";
    for (std::size_t i = 0; i < words.size(); ++i) {
      text += csv_field(pictures_.samples[i].name) + "," + words[i] + "\n";
    }
    return text;
  }
  void folds_refused(std::string_view text, const ::testing::Matcher<std::string>& message) {
    expect_error(ErrorKind::kBadInput, message, [&] { (void)read_as_folds(text); });
  }
};

TEST_F(FoldsFile, ReadsWhatItWrites) {
  const std::vector<int> folds{0, 1, 2, 0, 1, 2, 0, 1};
  const std::string text = folds_csv(pictures_.samples, kNames, folds);
  EXPECT_THAT(text, StartsWith("filename,label,subset\np0.jpg,clean,fold1\n"));
  EXPECT_EQ(read_as_folds(text), folds);
  EXPECT_TRUE(holds_folds(folder_ / "split.csv"));
}

TEST_F(FoldsFile, IsToldFromASplit) {
  (void)read(split_csv(pictures_.samples, kNames, split(pictures_, 0.4, 1)));
  EXPECT_FALSE(holds_folds(folder_ / "split.csv"));
  test::put_text(folder_ / "empty.csv", "filename,label,subset\n");
  EXPECT_FALSE(holds_folds(folder_ / "empty.csv"));
}

TEST_F(FoldsFile, RefusesFoldsThatAreNone) {
  for (const char* word :
       {"fold0", "fold-1", "fold", "fold1x", "fold 1", "train", "fold99999999999"}) {
    folds_refused(file_of({word, "fold1", "fold1", "fold1", "fold2", "fold2", "fold2", "fold2"}),
                  AllOf(HasSubstr("split.csv:2"), HasSubstr(word)));
  }
}

TEST_F(FoldsFile, RefusesAGapAndASingleFold) {
  folds_refused(file_of({"fold1", "fold1", "fold1", "fold1", "fold3", "fold3", "fold3", "fold3"}),
                HasSubstr("no row is of fold2"));
  folds_refused(file_of(std::vector<std::string>(8, "fold1")), HasSubstr("no row is of fold2"));
}

}  // namespace engraft::split_file_test
