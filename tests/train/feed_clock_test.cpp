#include "engraft/train/feed_clock.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace engraft::feed_clock_test {

TEST(Bottleneck, NamesTheSideThatTakesMore) {
  EXPECT_EQ(bottleneck(0), "mostly the network (100 %)");
  EXPECT_EQ(bottleneck(0.12), "mostly the network (88 %)");
  EXPECT_EQ(bottleneck(0.5), "mostly reading pictures (50 %)");
  EXPECT_EQ(bottleneck(1), "mostly reading pictures (100 %)");
}

TEST(Bottleneck, StaysWithinAllTheTimeThereIs) {
  EXPECT_EQ(bottleneck(-0.1), "mostly the network (100 %)");
  EXPECT_EQ(bottleneck(1.3), "mostly reading pictures (100 %)");
}

TEST(FeedClock, IsAllTheNetworksWhereNobodyReads) {
  const FeedClock clock(1);
  EXPECT_EQ(clock.text(), "mostly the network (100 %)");
}

/// So many readers at once that no delay between the lines makes a difference.
TEST(FeedClock, AddsWhatAllReadersTake) {
  FeedClock clock(1);
  {
    std::vector<std::unique_ptr<FeedClock::Reading>> readers;
    for (int i = 0; i < 10'000; ++i) {
      readers.push_back(std::make_unique<FeedClock::Reading>(clock));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(clock.text(), "mostly reading pictures (100 %)");
}

}  // namespace engraft::feed_clock_test
