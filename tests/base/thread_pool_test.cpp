#include "engraft/base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

#include "engraft/base/error.h"

namespace engraft::thread_pool_test {

class ThreadPoolSizes : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolSizes, ::testing::Values(1, 2, 3, 8));

TEST_P(ThreadPoolSizes, EveryIndexIsVisitedOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  for (const std::size_t count : {0u, 1u, 2u, 7u, 1000u}) {
    std::vector<std::atomic<int>> visits(count);
    pool.for_each(count, [&](std::size_t i, int) { ++visits[i]; });
    for (const auto& n : visits) EXPECT_EQ(n.load(), 1);
  }
}

TEST_P(ThreadPoolSizes, AWorkersNumberIsItsOwn) {
  ThreadPool pool(GetParam());
  // One slot a worker, without atomics: two threads with one number would be a race.
  std::vector<std::size_t> sums(static_cast<std::size_t>(GetParam()));
  pool.for_each(10'000, [&](std::size_t i, int worker) {
    ASSERT_GE(worker, 0);
    ASSERT_LT(worker, GetParam());
    sums[static_cast<std::size_t>(worker)] += i;
  });
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), std::size_t{0}), 10'000u * 9'999u / 2);
}

TEST_P(ThreadPoolSizes, AnExceptionComesOutAndThePoolGoesOn) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> visits{0};
    EXPECT_THROW(pool.for_each(1000,
                               [&](std::size_t i, int) {
                                 ++visits;
                                 if (i == 3) throw std::runtime_error("three");
                               }),
                 std::runtime_error);
    EXPECT_GE(visits.load(), 4);
    std::atomic<int> after{0};
    pool.for_each(100, [&](std::size_t, int) { ++after; });
    EXPECT_EQ(after.load(), 100);
  }
}

TEST(ThreadPool, AnExceptionStopsTheHandOut) {
  ThreadPool pool(1);
  int visits = 0;
  EXPECT_THROW(pool.for_each(1000,
                             [&](std::size_t i, int) {
                               ++visits;
                               if (i == 3) throw Error(ErrorKind::kCancelled, "stop");
                             }),
               Error);
  EXPECT_EQ(visits, 4);
}

TEST(ThreadPool, WhenAllThrowOneExceptionComesOut) {
  ThreadPool pool(4);
  EXPECT_THROW(pool.for_each(4, [](std::size_t, int) { throw std::logic_error("each"); }),
               std::logic_error);
}

TEST(ThreadPool, SurvivesManyShortRounds) {
  ThreadPool pool(4);
  std::size_t total = 0;
  for (std::size_t round = 0; round < 3000; ++round) {
    std::vector<std::size_t> slots(round % 9);
    pool.for_each(slots.size(), [&](std::size_t i, int) { slots[i] = i + round; });
    for (std::size_t i = 0; i < slots.size(); ++i) total += slots[i] == i + round;
  }
  EXPECT_EQ(total, 3000u / 9 * 36 + 3);
}

TEST(ThreadPool, PoolsComeAndGo) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool idle(3);
    ThreadPool busy(3);
    std::atomic<int> visits{0};
    busy.for_each(5, [&](std::size_t, int) { ++visits; });
    EXPECT_EQ(visits.load(), 5);
  }
}

TEST(ThreadPool, ZeroThreadsMeansOnePerCore) {
  EXPECT_GE(available_cores(), 1);
  EXPECT_EQ(ThreadPool(0).threads(), available_cores());
  EXPECT_EQ(ThreadPool(-3).threads(), available_cores());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__has_feature)
#define ENGRAFT_CAN_LIMIT_MEMORY
#elif defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define ENGRAFT_CAN_LIMIT_MEMORY
#endif
#endif

#ifdef ENGRAFT_CAN_LIMIT_MEMORY  // sanitizers reserve more address space than any limit leaves
TEST(ThreadPool, MoreThreadsThanTheSystemGivesIsAUsageError) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{rlim_t{512} << 20, rlim_t{512} << 20};  // some dozen stacks
    ::setrlimit(RLIMIT_AS, &limit);
    int code = 4;
    try {
      const ThreadPool pool(10'000);
    } catch (const Error& error) {
      code = error.kind() == ErrorKind::kUsage ? 0 : 3;
    } catch (...) {
      code = 5;
    }
    ::_exit(code);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}
#endif

}  // namespace engraft::thread_pool_test
