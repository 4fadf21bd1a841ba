#include "engraft/data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "data/split_pictures.h"
#include "engraft/base/error.h"
#include "engraft/base/rng.h"
#include "support/errors.h"

namespace engraft::split_test {

using test::expect_error;
using test::kNames;
using test::Pictures;
using test::random_pictures;
using test::reordered;
using test::split;
using test::straddles;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

int count(const Pictures& pictures, const std::vector<Subset>& subsets, int label, Subset subset) {
  int n = 0;
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    n += pictures.samples[i].label == label && subsets[i] == subset;
  }
  return n;
}

std::map<std::string, int> by_name(const Pictures& pictures, const std::vector<Subset>& subsets) {
  std::map<std::string, int> sides;
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    sides[pictures.samples[i].name] = static_cast<int>(subsets[i]);
  }
  return sides;
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

}  // namespace engraft::split_test
