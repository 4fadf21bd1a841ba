#include "engraft/train/feature_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <thread>

#include "engraft/base/file.h"
#include "engraft/train/sqlite.h"
#include "support/test_data.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kSize = 5;

Digest digest(int number) {
  return Sha256().update(std::to_string(number)).finish();
}

CachedPicture picture(int number) {
  CachedPicture result{.pixels = digest(1000 + number), .features = {}};
  for (int i = 0; i < kSize; ++i)
    result.features.push_back(static_cast<float>(number) + 0.1f * static_cast<float>(i));
  return result;
}

const Digest kNetwork = digest(-1);

void fill(const fs::path& file, int from, int to) {
  FeatureCache cache(file, kNetwork, kSize);
  for (int i = from; i < to; ++i) cache.put(digest(i), 0, picture(i));
}

void expect_has(FeatureCache& cache, int number, std::uint64_t view = 0) {
  const auto found = cache.find(digest(number), view);
  ASSERT_TRUE(found) << number;
  EXPECT_EQ(found->pixels, picture(number).pixels);
  EXPECT_EQ(found->features, picture(number).features);
}

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

void write(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// Opens a bad file: it must be aside, whole, and the new cache must work.
void expect_begun_anew(const fs::path& file, const std::string& content) {
  {
    FeatureCache cache(file, kNetwork, kSize);
    EXPECT_THAT(cache.problem(), HasSubstr(".damaged"));
    EXPECT_THAT(cache.problem(), Not(HasSubstr("\n")));
    cache.put(digest(1), 0, picture(1));
  }
  FeatureCache cache(file, kNetwork, kSize);
  expect_has(cache, 1);
  EXPECT_THAT(cache.problem(), IsEmpty());
  EXPECT_EQ(read_text_file(file.string() + ".damaged"), content);
}

TEST(FeatureCache, MovesAFileThatIsNoDatabaseAside) {
  for (const std::string& content : {std::string("these are no features"), std::string(5000, 'x'),
                                     std::string("SQLite format 3\0 and then junk", 30)}) {
    const TemporaryFolder folder;
    write(folder / "c", content);
    expect_begun_anew(folder / "c", content);
  }
}

TEST(FeatureCache, MovesAnotherProgramsDatabaseAsideUnchanged) {
  const TemporaryFolder folder;
  sqlite::Database(folder / "c")
      .execute("CREATE TABLE songs (title); INSERT INTO songs VALUES (1)");
  expect_begun_anew(folder / "c", read_text_file(folder / "c"));
  EXPECT_EQ(sqlite::Database(folder / "c.damaged").integer("SELECT count(*) FROM songs"), 1);
}

TEST(FeatureCache, MovesACacheWithoutItsTablesAside) {
  const TemporaryFolder folder;
  fill(folder / "c", 0, 1);
  sqlite::Database(folder / "c").execute("DROP TABLE pictures");
  FeatureCache cache(folder / "c", kNetwork, kSize);
  cache.put(digest(1), 0, picture(1));
  cache.flush();
  expect_has(cache, 1);
  EXPECT_TRUE(fs::exists(folder / "c.damaged"));
}

TEST(FeatureCache, SurvivesDamageInTheMiddleOfTheFile) {
  const TemporaryFolder folder;
  fill(folder / "c", 0, 3000);
  std::string bytes = read_text_file(folder / "c");
  ASSERT_GT(bytes.size(), 100000u);
  for (std::size_t i = 20000; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 37);
  write(folder / "c", bytes);
  FeatureCache cache(folder / "c", kNetwork, kSize);
  for (int i = 0; i < 3000; ++i) {
    const auto found = cache.find(digest(i), 0);
    if (found) {
      ASSERT_EQ(found->features, picture(i).features);
    }
  }
  for (int i = 0; i < 200; ++i) cache.put(digest(i), 0, picture(i));
  cache.flush();
  for (int i = 0; i < 200; ++i) expect_has(cache, i);
  EXPECT_TRUE(fs::exists(folder / "c.damaged"));
}

TEST(FeatureCache, ATruncatedFileDoesNotStopARun) {
  const TemporaryFolder folder;
  fill(folder / "full", 0, 500);
  const std::string bytes = read_text_file(folder / "full");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{99}, std::size_t{100},
                                 std::size_t{16384}, bytes.size() / 2, bytes.size() - 1}) {
    const fs::path file = folder / ("cut" + std::to_string(size));
    write(file, bytes.substr(0, size));
    FeatureCache cache(file, kNetwork, kSize);
    for (int i = 0; i < 100; ++i) (void)cache.find(digest(i), 0);
    for (int i = 0; i < 100; ++i) cache.put(digest(i), 0, picture(i));
    cache.flush();
    for (int i = 0; i < 100; ++i) expect_has(cache, i);
  }
}

TEST(FeatureCache, KeepsEarlierDamagedFiles) {
  const TemporaryFolder folder;
  for (const char* text : {"first", "second", "third"}) {
    write(folder / "c", text);
    const FeatureCache cache(folder / "c", kNetwork, kSize);
  }
  EXPECT_EQ(read_text_file(folder / "c.damaged"), "first");
  EXPECT_EQ(read_text_file(folder / "c.damaged2"), "second");
  EXPECT_EQ(read_text_file(folder / "c.damaged3"), "third");
}

TEST(FeatureCache, LeavesACacheOfANewerProgramAlone) {
  const TemporaryFolder folder;
  fill(folder / "c", 0, 1);
  sqlite::Database(folder / "c").execute("PRAGMA user_version = 99");
  FeatureCache cache(folder / "c", kNetwork, kSize);
  EXPECT_THAT(cache.problem(), HasSubstr("newer engraft"));
  EXPECT_FALSE(cache.find(digest(0), 0));
  EXPECT_FALSE(fs::exists(folder / "c.damaged"));
}

void expect_off(const fs::path& file) {
  FeatureCache cache(file, kNetwork, kSize);
  for (int i = 0; i < 200; ++i) cache.put(digest(i), 0, picture(i));
  cache.flush();
  EXPECT_FALSE(cache.find(digest(1), 0));
  EXPECT_THAT(cache.problem(), HasSubstr("features are not kept"));
  EXPECT_THAT(cache.problem(), Not(HasSubstr("\n")));
}

TEST(FeatureCache, IsOffWhereNoFileCanBe) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "taken");
  expect_off(folder / "taken");
  write(folder / "file", "x");
  expect_off(folder / "file" / "below" / "c");
  expect_off("/proc/engraft/c");
  expect_off("/dev/full/c");
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

}  // namespace
}  // namespace engraft
