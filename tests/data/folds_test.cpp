#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/pictures.h"
#include "data/split_pictures.h"
#include "engraft/base/error.h"
#include "engraft/data/split.h"
#include "support/errors.h"

namespace engraft::folds_test {

using test::described;
using test::expect_error;
using test::kNames;
using test::Pictures;
using test::random_pictures;
using test::reordered;
using test::straddles;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

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

}  // namespace engraft::folds_test
