#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "data/pictures.h"
#include "data/split_pictures.h"
#include "engraft/base/error.h"
#include "engraft/data/split.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft {
namespace {

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

}  // namespace
}  // namespace engraft
