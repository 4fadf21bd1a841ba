#include "engraft/base/pace.h"

#include <gtest/gtest.h>

namespace engraft::pace_test {

TEST(Pace, IsThatOfWhatTookTime) {
  const Pace whole{.total = 300, .done = 100, .skipped = 0, .elapsed = 10};
  EXPECT_EQ(whole.rate(), 10);
  EXPECT_EQ(whole.left(), 20);
  const Pace resumed{.total = 300, .done = 100, .skipped = 80, .elapsed = 10};
  EXPECT_EQ(resumed.rate(), 2);
  EXPECT_EQ(resumed.left(), 100);
}

TEST(Pace, IsUnknownBeforeAnythingWasDone) {
  for (const Pace& pace : {Pace{}, Pace{.total = 9, .done = 3, .skipped = 3, .elapsed = 1},
                           Pace{.total = 9, .done = 3, .skipped = 0, .elapsed = 0}}) {
    EXPECT_EQ(pace.rate(), 0);
    EXPECT_EQ(pace.left(), 0);
  }
}

TEST(Pace, HasNothingLeftAtTheEnd) {
  EXPECT_EQ((Pace{.total = 9, .done = 9, .skipped = 0, .elapsed = 1}.left()), 0);
  EXPECT_EQ((Pace{.total = 0, .done = 9, .skipped = 0, .elapsed = 1}.left()), 0);
}

}  // namespace engraft::pace_test
