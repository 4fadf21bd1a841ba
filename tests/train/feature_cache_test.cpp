#include "engraft/train/feature_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <iostream>
#include <limits>
#include <thread>

#include "engraft/train/sqlite.h"
#include "support/test_data.h"
#include "train/cached_pictures.h"

namespace engraft::feature_cache_test {

namespace fs = std::filesystem;
using test::digest;
using test::expect_has;
using test::fill;
using test::kNetwork;
using test::kSize;
using test::picture;
using test::TemporaryFolder;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(FeatureCache, GivesBackTheBitsThatWerePut) {
  const TemporaryFolder folder;
  fill(folder / "deep" / "er" / "c.sqlite", 0, 130);
  FeatureCache cache(folder / "deep" / "er" / "c.sqlite", kNetwork, kSize);
  for (int i = 0; i < 130; ++i) expect_has(cache, i);
  EXPECT_FALSE(cache.find(digest(130), 0));
  EXPECT_THAT(cache.problem(), IsEmpty());
}

TEST(FeatureCache, KeepsOddBitsToo) {
  const TemporaryFolder folder;
  const std::vector<float> odd{-0.0f, 1e-45f, std::numeric_limits<float>::infinity(), 3.4e38f,
                               -1.5f};
  {
    FeatureCache cache(folder / "c", kNetwork, kSize);
    cache.put(digest(1), ~std::uint64_t{0}, {.pixels = {}, .features = odd});
  }
  FeatureCache cache(folder / "c", kNetwork, kSize);
  const auto found = cache.find(digest(1), ~std::uint64_t{0});
  ASSERT_TRUE(found);
  EXPECT_EQ(std::memcmp(found->features.data(), odd.data(), sizeof(float) * kSize), 0);
}

TEST(FeatureCache, FindsWhatIsNotWrittenYet) {
  const TemporaryFolder folder;
  FeatureCache cache(folder / "c", kNetwork, kSize);
  cache.put(digest(1), 0, picture(1));
  expect_has(cache, 1);
  cache.flush();
  expect_has(cache, 1);
}

TEST(FeatureCache, KeepsNetworksAndViewsApart) {
  const TemporaryFolder folder;
  FeatureCache cache(folder / "c", kNetwork, kSize);
  cache.put(digest(1), 7, picture(1));
  cache.flush();
  expect_has(cache, 1, 7);
  EXPECT_FALSE(cache.find(digest(1), 0));
  FeatureCache other(folder / "c", digest(-2), kSize);
  EXPECT_FALSE(other.find(digest(1), 7));
}

TEST(FeatureCache, TheLastPutCounts) {
  const TemporaryFolder folder;
  fill(folder / "c", 0, 3);
  {
    FeatureCache cache(folder / "c", kNetwork, kSize);
    cache.put(digest(1), 0, picture(50));
  }
  FeatureCache cache(folder / "c", kNetwork, kSize);
  EXPECT_EQ(cache.find(digest(1), 0)->features, picture(50).features);
}

TEST(FeatureCache, DoesNotFindOrKeepFeaturesOfAnotherSize) {
  const TemporaryFolder folder;
  fill(folder / "c", 0, 1);
  FeatureCache longer(folder / "c", kNetwork, kSize + 1);
  EXPECT_FALSE(longer.find(digest(0), 0));
  longer.put(digest(2), 0, picture(2));
  EXPECT_FALSE(longer.find(digest(2), 0));
}

TEST(FeatureCache, ARowWhoseBytesChangedIsNotFound) {
  const TemporaryFolder folder;
  for (const char* change :
       {"UPDATE pictures SET features = zeroblob(20)", "UPDATE pictures SET pixels = zeroblob(32)",
        "UPDATE pictures SET pixels = zeroblob(3)", "UPDATE pictures SET features = 7",
        "UPDATE pictures SET checksum = 'x'"}) {
    fill(folder / "c", 0, 1);
    sqlite::Database(folder / "c").execute(change);
    FeatureCache cache(folder / "c", kNetwork, kSize);
    EXPECT_FALSE(cache.find(digest(0), 0)) << change;
    cache.put(digest(0), 0, picture(0));
    cache.flush();
    expect_has(cache, 0);
  }
}

TEST(FeatureCache, IsOffWhenTheFileCannotBeWritten) {
  if (::geteuid() == 0) GTEST_SKIP() << "root writes everywhere";
  const TemporaryFolder folder;
  fill(folder / "c", 0, 1);
  fs::permissions(folder / "c", fs::perms::owner_read);
  FeatureCache cache(folder / "c", kNetwork, kSize);
  EXPECT_THAT(cache.problem(), HasSubstr("features are not kept"));
}

/// Runs body in a process of its own that may write files of at most so many bytes; its exit code.
template <typename Body>
int in_process_with_file_limit(rlim_t bytes, const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(FeatureCache, AFullDiskEndsTheCachingAndNotTheRun) {
  const TemporaryFolder folder;
  const int code = in_process_with_file_limit(300000, [&] {
    FeatureCache cache(folder / "c", kNetwork, 2000);
    for (int i = 0; i < 500; ++i) {
      cache.put(digest(i), 0, {.pixels = {}, .features = std::vector<float>(2000, 1.0f)});
    }
    cache.flush();
    return cache.problem().empty() ? 1 : 0;
  });
  EXPECT_EQ(code, 0);
  FeatureCache after(folder / "c", kNetwork, 2000);
  after.put(digest(1), 0, {.pixels = {}, .features = std::vector<float>(2000, 2.0f)});
  after.flush();
  EXPECT_EQ(after.find(digest(1), 0)->features.front(), 2.0f);
}

TEST(FeatureCache, SeveralProcessesMayBeginAndFillItTogether) {
  const TemporaryFolder folder;
  std::vector<pid_t> children;
  for (int p = 0; p < 4; ++p) {
    const pid_t child = ::fork();
    if (child == 0) {
      bool sound = false;
      {
        FeatureCache cache(folder / "c", kNetwork, kSize);
        for (int i = 0; i < 300; ++i) {
          cache.put(digest(100 * p + i), 0, picture(100 * p + i));
          (void)cache.find(digest(i), 0);
        }
        cache.flush();
        sound = cache.problem().empty();
        if (!sound) std::cerr << cache.problem() << '\n';
      }
      ::_exit(sound ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  FeatureCache cache(folder / "c", kNetwork, kSize);
  for (int i = 0; i < 600; ++i) expect_has(cache, i);
}

TEST(FeatureCache, SeveralThreadsMayUseItAtOnce) {
  const TemporaryFolder folder;
  FeatureCache cache(folder / "c", kNetwork, kSize);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&cache, t] {
        for (int i = 0; i < 200; ++i) {
          cache.put(digest(200 * t + i), 0, picture(200 * t + i));
          (void)cache.find(digest(i), 0);
        }
      });
    }
  }
  cache.flush();
  for (int i = 0; i < 800; ++i) expect_has(cache, i);
}

TEST(FeatureCache, AnInterruptedProcessLosesTheLastBatchAtMost) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    FeatureCache cache(folder / "c", kNetwork, kSize);
    for (int i = 0; i < 200; ++i) cache.put(digest(i), 0, picture(i));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  FeatureCache cache(folder / "c", kNetwork, kSize);
  for (int i = 0; i < 136; ++i) expect_has(cache, i);
  EXPECT_THAT(cache.problem(), IsEmpty());
}

}  // namespace engraft::feature_cache_test
