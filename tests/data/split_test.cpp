#include "engraft/data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "data/pictures.h"
#include "engraft/base/error.h"
#include "engraft/base/rng.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft {
namespace {

using test::described;
using test::expect_error;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const std::vector<std::string> kNames{"clean", "dirty", "third"};

/// Samples with the groups that tie some of them together.
struct Pictures {
  std::vector<Sample> samples;
  std::vector<int> groups;

  /// Adds `count` pictures of one label; they are one group or each its own.
  void add(int label, int count) {
    for (int i = 0; i < count; ++i) add_group({label});
  }
  void add_group(const std::vector<int>& labels) {
    const int group = groups.empty() ? 0 : *std::max_element(groups.begin(), groups.end()) + 1;
    for (const int label : labels) {
      samples.push_back({.path = {},
                         .name = "p" + std::to_string(samples.size()) + ".jpg",
                         .label = label,
                         .subset = Subset::kUnassigned});
      groups.push_back(group);
    }
  }
};

std::vector<Subset> split(const Pictures& pictures, double share = 0.2, std::uint64_t seed = 0) {
  return stratified_split(pictures.samples, kNames, pictures.groups,
                          {.validation = share, .seed = seed});
}

int count(const Pictures& pictures, const std::vector<Subset>& subsets, int label, Subset subset) {
  int n = 0;
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    n += pictures.samples[i].label == label && subsets[i] == subset;
  }
  return n;
}

/// Does any group lie on more than one side?
template <typename Side>
bool straddles(const Pictures& pictures, const std::vector<Side>& sides) {
  std::map<int, Side> seen;
  for (std::size_t i = 0; i < sides.size(); ++i) {
    if (seen.try_emplace(pictures.groups[i], sides[i]).first->second != sides[i]) return true;
  }
  return false;
}

std::map<std::string, int> by_name(const Pictures& pictures, const std::vector<Subset>& subsets) {
  std::map<std::string, int> sides;
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    sides[pictures.samples[i].name] = static_cast<int>(subsets[i]);
  }
  return sides;
}

/// The same pictures in another order, with other group numbers.
Pictures reordered(const Pictures& pictures, std::uint64_t seed) {
  std::vector<std::size_t> order(pictures.samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Rng(seed).shuffle(std::span(order));
  Pictures other;
  for (const std::size_t i : order) {
    other.samples.push_back(pictures.samples[i]);
    other.groups.push_back(1000 - 7 * pictures.groups[i]);
  }
  return other;
}

Pictures random_pictures(std::uint64_t seed) {
  Rng rng(seed, 77);
  Pictures pictures;
  for (int label = 0; label < 3; ++label) pictures.add(label, 3 + static_cast<int>(rng.below(30)));
  for (std::uint32_t i = rng.below(6); i > 0; --i) {
    pictures.add_group(std::vector<int>(2 + rng.below(5), static_cast<int>(rng.below(3))));
  }
  if (rng.below(2) == 1) pictures.add_group({0, 1, 1});
  return pictures;
}

TEST(DuplicateGroups, AreNumberedAsFirstSeen) {
  Digest a, b, c;
  b.bytes[0] = 1;
  c.bytes[31] = 1;
  EXPECT_THAT(duplicate_groups(std::vector{b, a, b, c, a}), ElementsAre(0, 1, 0, 2, 1));
  EXPECT_THAT(duplicate_groups({}), IsEmpty());
}

TEST(Split, TakesTheShareOfEachClass) {
  Pictures pictures;
  pictures.add(0, 100);
  pictures.add(1, 10);
  pictures.add(2, 7);
  const auto subsets = split(pictures);
  EXPECT_EQ(count(pictures, subsets, 0, Subset::kValidation), 20);
  EXPECT_EQ(count(pictures, subsets, 1, Subset::kValidation), 2);
  EXPECT_EQ(count(pictures, subsets, 2, Subset::kValidation), 1);
  EXPECT_EQ(count(pictures, subsets, 0, Subset::kTrain), 80);
}

TEST(Split, LeavesOneOnEachSideWhateverTheShare) {
  Pictures pictures;
  pictures.add(0, 2);
  pictures.add(1, 3);
  for (const double share : {1e-9, 0.01, 0.5, 0.99, 1 - 1e-9}) {
    const auto subsets = split(pictures, share);
    for (const int label : {0, 1}) {
      EXPECT_GE(count(pictures, subsets, label, Subset::kValidation), 1) << share;
      EXPECT_GE(count(pictures, subsets, label, Subset::kTrain), 1) << share;
    }
  }
}

TEST(Split, HoldsItsPromisesOnRandomSets) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Pictures pictures = random_pictures(seed);
    const double share = 0.05 + 0.9 * static_cast<double>(Rng(seed).uniform());
    const auto subsets = split(pictures, share, seed);
    EXPECT_FALSE(straddles(pictures, subsets)) << seed;
    for (int label = 0; label < 3; ++label) {
      const int validation = count(pictures, subsets, label, Subset::kValidation);
      const int total = validation + count(pictures, subsets, label, Subset::kTrain);
      EXPECT_GE(validation, 1) << seed;
      EXPECT_LT(validation, total) << seed;
    }
    const Pictures other = reordered(pictures, seed);
    EXPECT_EQ(by_name(pictures, subsets), by_name(other, split(other, share, seed))) << seed;
  }
}

/// The distance of the nearest sum of some sizes (not none, not all) from target.
int nearest_by_force(const std::vector<int>& sizes, int target) {
  int best = std::numeric_limits<int>::max();
  for (unsigned set = 1; set + 1 < 1u << sizes.size(); ++set) {
    int sum = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) sum += set >> i & 1 ? sizes[i] : 0;
    best = std::min(best, std::abs(sum - target));
  }
  return best;
}

TEST(Split, ComesAsNearToTheShareAsTheGroupsAllow) {
  Rng rng(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<int> sizes(2 + rng.below(7));
    for (int& size : sizes) size = 1 + static_cast<int>(rng.below(9));
    Pictures pictures;
    pictures.add(1, 5);
    for (const int size : sizes)
      pictures.add_group(std::vector<int>(static_cast<std::size_t>(size)));
    const double share = 0.1 + 0.8 * static_cast<double>(rng.uniform());
    const auto subsets = split(pictures, share, static_cast<std::uint64_t>(round));
    const int total = std::accumulate(sizes.begin(), sizes.end(), 0);
    const int target = std::clamp(static_cast<int>(std::llround(share * total)), 1, total - 1);
    EXPECT_EQ(std::abs(count(pictures, subsets, 0, Subset::kValidation) - target),
              nearest_by_force(sizes, target))
        << ::testing::PrintToString(sizes) << " of share " << share;
    EXPECT_FALSE(straddles(pictures, subsets));
  }
}

TEST(Split, IsFastWithManyPictures) {
  Pictures pictures;
  for (int i = 0; i < 30'000; ++i) {
    pictures.samples.push_back(
        {.path = {}, .name = std::to_string(i), .label = i % 2, .subset = Subset::kUnassigned});
    pictures.groups.push_back(i);
  }
  EXPECT_EQ(count(pictures, split(pictures), 0, Subset::kValidation), 3000);
}

TEST(Split, FollowsTheSeed) {
  Pictures pictures;
  pictures.add(0, 50);
  pictures.add(1, 50);
  EXPECT_EQ(split(pictures, 0.2, 1), split(pictures, 0.2, 1));
  std::set<std::vector<Subset>> seen;
  for (std::uint64_t seed = 0; seed < 20; ++seed) seen.insert(split(pictures, 0.2, seed));
  EXPECT_EQ(seen.size(), 20u);
}

TEST(Split, EveryPictureHasTheSameChance) {
  Pictures pictures;
  pictures.add(0, 10);
  pictures.add(1, 10);
  std::vector<int> chosen(20);
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const auto subsets = split(pictures, 0.2, seed);
    for (std::size_t i = 0; i < 20; ++i) chosen[i] += subsets[i] == Subset::kValidation;
  }
  for (const int n : chosen) EXPECT_NEAR(n, 200, 65) << "5 sigma";
}

TEST(Split, APictureMoreMovesFewOthers) {
  Pictures pictures;
  pictures.add(0, 100);
  pictures.add(1, 100);
  const auto before = by_name(pictures, split(pictures));
  pictures.add(0, 1);
  int moved = 0;
  for (const auto& [name, side] : by_name(pictures, split(pictures))) {
    moved += before.contains(name) && before.at(name) != side;
  }
  EXPECT_LE(moved, 1);
}

TEST(Split, DuplicatesWithSeveralLabelsAreForTraining) {
  Pictures pictures;
  pictures.add(0, 4);
  pictures.add(1, 1);
  pictures.add_group({0, 1});
  const auto subsets = split(pictures, 0.5);
  EXPECT_EQ(subsets[5], Subset::kTrain);
  EXPECT_EQ(subsets[6], Subset::kTrain);
  EXPECT_EQ(subsets[4], Subset::kValidation) << "the one picture of 'dirty' without a doubt";
}

TEST(Split, AShareThatIsNoneIsAUsageError) {
  Pictures pictures;
  pictures.add(0, 5);
  for (const double share : {1.5, 1.0, 0.0, -0.2, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
    expect_error(ErrorKind::kUsage, HasSubstr("between 0 and 1"),
                 [&] { (void)split(pictures, share); });
  }
}

TEST(Split, AClassThatCannotBeOnBothSidesIsNamed) {
  const auto refused = [](const std::vector<std::vector<int>>& groups, const std::string& part) {
    Pictures pictures;
    pictures.add(0, 5);
    for (const auto& group : groups) pictures.add_group(group);
    expect_error(ErrorKind::kBadInput,
                 AllOf(HasSubstr("class 'dirty'"), HasSubstr(part), HasSubstr("add pictures")),
                 [&] { (void)split(pictures); });
  };
  refused({{1}}, "has one picture;");
  refused({{1, 1, 1}}, "has 3 pictures, but they are copies of one");
  refused({{1, 0}, {1, 0}}, "has 2 pictures, and each of them is also labelled otherwise");
}

TEST(Split, SubsetsOfTheFoldersAreKept) {
  Pictures pictures;
  pictures.add(0, 3);
  pictures.add(1, 3);
  const std::vector<Subset> given{Subset::kTrain, Subset::kValidation, Subset::kTest,
                                  Subset::kTrain, Subset::kTrain,      Subset::kUnassigned};
  for (std::size_t i = 0; i < given.size(); ++i) pictures.samples[i].subset = given[i];
  std::vector<Subset> expected = given;
  expected.back() = Subset::kTrain;
  EXPECT_EQ(split(pictures), expected);
}

TEST(Split, FoldersThatLeaveNothingToTrainOnAreNamed) {
  Pictures pictures;
  pictures.add(0, 2);
  pictures.add(1, 2);
  for (std::size_t i : {2u, 3u}) pictures.samples[i].subset = Subset::kValidation;
  expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("class 'dirty'"), HasSubstr("for training")),
               [&] { (void)split(pictures); });
}

TEST(Split, ATestFolderStaysOutOfTheDraw) {
  Pictures pictures;
  pictures.add(0, 20);
  pictures.add(1, 20);
  for (std::size_t i = 0; i < 40; ++i) {
    pictures.samples[i].subset = i % 2 == 0 ? Subset::kTest : Subset::kTrain;
  }
  const auto subsets = split(pictures);
  for (std::size_t i = 0; i < 40; i += 2) EXPECT_EQ(subsets[i], Subset::kTest);
  EXPECT_EQ(count(pictures, subsets, 0, Subset::kValidation), 2);
  EXPECT_EQ(count(pictures, subsets, 1, Subset::kTrain), 8);
}

std::vector<int> fold(const Pictures& pictures, int folds, std::uint64_t seed = 0) {
  return stratified_folds(pictures.samples, kNames, pictures.groups, folds, seed);
}

TEST(Folds, EachHasItsShareOfEachClass) {
  for (const int folds : {2, 3, 5, 10}) {
    Pictures pictures;
    pictures.add(0, 103);
    pictures.add(1, 41);
    pictures.add(2, 10);
    std::map<std::pair<int, int>, int> counts;
    std::vector<int> totals(static_cast<std::size_t>(folds));
    const auto numbers = fold(pictures, folds);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      ASSERT_GE(numbers[i], 0);
      ASSERT_LT(numbers[i], folds);
      ++counts[{pictures.samples[i].label, numbers[i]}];
      ++totals[static_cast<std::size_t>(numbers[i])];
    }
    for (const auto& [label, n] : {std::pair(0, 103), std::pair(1, 41), std::pair(2, 10)}) {
      for (int k = 0; k < folds; ++k) {
        EXPECT_GE((counts[{label, k}]), n / folds);
        EXPECT_LE((counts[{label, k}]), (n + folds - 1) / folds);
      }
    }
    const auto [least, most] = std::minmax_element(totals.begin(), totals.end());
    EXPECT_LE(*most - *least, 1) << "the odd ones of each class go to different folds";
  }
}

TEST(Folds, HoldTheirPromisesOnRandomSets) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Pictures pictures = random_pictures(seed);
    const auto numbers = fold(pictures, 3, seed);
    EXPECT_FALSE(straddles(pictures, numbers)) << seed;
    std::set<std::pair<int, int>> present;
    std::map<std::string, int> sides, other_sides;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      present.insert({pictures.samples[i].label, numbers[i]});
      sides[pictures.samples[i].name] = numbers[i];
    }
    EXPECT_EQ(present.size(), 9u) << "every class in every fold";
    const Pictures other = reordered(pictures, seed);
    const auto other_numbers = fold(other, 3, seed);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      other_sides[other.samples[i].name] = other_numbers[i];
    }
    EXPECT_EQ(sides, other_sides) << seed;
  }
}

TEST(Folds, FollowTheSeed) {
  Pictures pictures;
  pictures.add(0, 30);
  EXPECT_EQ(fold(pictures, 5, 1), fold(pictures, 5, 1));
  EXPECT_NE(fold(pictures, 5, 1), fold(pictures, 5, 2));
}

TEST(Folds, ThatMakeNoSenseAreRefused) {
  Pictures pictures;
  pictures.add(0, 10);
  pictures.add(1, 3);
  pictures.add_group({1, 1, 1});
  for (const int folds : {1, 0, -5}) {
    expect_error(ErrorKind::kUsage, HasSubstr("2 or more"), [&] { (void)fold(pictures, folds); });
  }
  EXPECT_NO_THROW((void)fold(pictures, 4));
  expect_error(ErrorKind::kBadInput,
               AllOf(HasSubstr("class 'dirty' has 4 different pictures"), HasSubstr("5 folds")),
               [&] { (void)fold(pictures, 5); });
}

TEST(DuplicateProblems, TellContradictionsAndLeaks) {
  Pictures pictures;
  pictures.add(0, 2);             // p0, p1
  pictures.add_group({0, 0});     // p2, p3
  pictures.add_group({0, 1, 0});  // p4, p5, p6
  pictures.add_group({1, 1});     // p7, p8
  const auto problems = duplicate_problems(pictures.samples, kNames, pictures.groups);
  EXPECT_THAT(described(problems),
              ElementsAre("conflicting label|p4.jpg|the same pixels as p5.jpg, p6.jpg, with the "
                          "labels 'clean', 'dirty'"));
  std::vector<Subset> subsets(9, Subset::kTrain);
  subsets[8] = Subset::kValidation;
  EXPECT_THAT(described(duplicate_problems(pictures.samples, kNames, pictures.groups, subsets)),
              ElementsAre(StartsWith("conflicting label|p4.jpg|"),
                          "straddling duplicate|p7.jpg|the same pixels as p8.jpg, with the subsets "
                          "'train', 'val'"));
}

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
