#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "engraft/base/file.h"
#include "engraft/train/feature_cache.h"
#include "engraft/train/sqlite.h"
#include "support/test_data.h"
#include "train/cached_pictures.h"

namespace engraft::feature_cache_file_test {

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

void write(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

void expect_off(const fs::path& file) {
  FeatureCache cache(file, kNetwork, kSize);
  for (int i = 0; i < 200; ++i) cache.put(digest(i), 0, picture(i));
  cache.flush();
  EXPECT_FALSE(cache.find(digest(1), 0));
  EXPECT_THAT(cache.problem(), HasSubstr("features are not kept"));
  EXPECT_THAT(cache.problem(), Not(HasSubstr("\n")));
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
  EXPECT_TRUE(read_text_file(file.string() + ".damaged") == content);
}

/// A header of SQLite's size, as far as anything here reads it.
std::string header_with(std::string_view magic, std::string_view owner) {
  std::string header(100, '\0');
  header.replace(0, magic.size(), magic);
  header.replace(68, owner.size(), owner);
  return header;
}

constexpr std::string_view kMagic("SQLite format 3\0", 16);

TEST(FeatureCacheFile, MovesAFileOfItsUsualNameThatIsNoDatabaseAside) {
  for (const std::string& content :
       {std::string("x"), std::string("these are no features"), std::string(5000, 'x'),
        std::string("SQLite format 3\0 and then junk", 30)}) {
    const TemporaryFolder folder;
    write(folder / "features.sqlite", content);
    expect_begun_anew(folder / "features.sqlite", content);
  }
}

TEST(FeatureCacheFile, MovesAnotherProgramsDatabaseOfItsUsualNameAsideUnchanged) {
  const TemporaryFolder folder;
  const fs::path file = folder / "features.sqlite";
  sqlite::Database(file).execute("CREATE TABLE songs (title); INSERT INTO songs VALUES (1)");
  expect_begun_anew(file, read_text_file(file));
  EXPECT_EQ(sqlite::Database(file.string() + ".damaged").integer("SELECT count(*) FROM songs"), 1);
}

TEST(FeatureCacheFile, MovesItsOwnDamagedFileAsideWhateverItsName) {
  const TemporaryFolder folder;
  fill(folder / "mine", 0, 3);
  std::string content = read_text_file(folder / "mine");
  std::fill(content.begin() + 100, content.end(), 'x');
  write(folder / "mine", content);
  expect_begun_anew(folder / "mine", content);
  for (const std::size_t size : {std::size_t{72}, std::size_t{100}, std::size_t{5000}}) {
    const fs::path file = folder / std::to_string(size);
    write(file, content.substr(0, size));
    expect_begun_anew(file, content.substr(0, size));
  }
}

/// Opens a file that is not engraft's: it must stay, byte for byte, with nothing beside it.
void expect_left_alone(const TemporaryFolder& folder, const fs::path& file) {
  const std::string content = read_text_file(file);
  expect_off(file);
  EXPECT_THAT(FeatureCache(file, kNetwork, kSize).problem(), HasSubstr("not engraft's"));
  EXPECT_TRUE(read_text_file(file) == content) << content.substr(0, 20);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(FeatureCacheFile, LeavesAFileThatIsNoDatabaseAlone) {
  for (const std::string& content :
       {std::string("x"), std::string("these are no features"), std::string(5000, 'x'),
        std::string("SQLite format 3\0 and then junk", 30),
        header_with(kMagic, "engr").substr(0, 71), header_with(kMagic, "engs") + "junk",
        header_with("SQLite format 4", "engr"), header_with("", "engr")}) {
    const TemporaryFolder folder;
    write(folder / "text.jpg", content);
    expect_left_alone(folder, folder / "text.jpg");
  }
}

TEST(FeatureCacheFile, LeavesAnotherProgramsDatabaseAlone) {
  for (const char* mark : {"PRAGMA application_id = 0", "PRAGMA application_id = 252006674",
                           "PRAGMA user_version = 1"}) {
    const TemporaryFolder folder;
    {
      sqlite::Database songs(folder / "songs.db");
      songs.execute("CREATE TABLE songs (title); INSERT INTO songs VALUES (1)");
      songs.execute(mark);
    }
    expect_left_alone(folder, folder / "songs.db");
  }
}

TEST(FeatureCacheFile, BearsItsMarkInTheFileFromTheBeginning) {
  const TemporaryFolder folder;
  const FeatureCache cache(folder / "c", kNetwork, kSize);
  const std::string bytes = read_text_file(folder / "c");
  ASSERT_GE(bytes.size(), 100u);
  EXPECT_EQ(bytes.substr(0, 16), kMagic);
  EXPECT_EQ(bytes.substr(68, 4), "engr");
}

TEST(FeatureCacheFile, MovesACacheWithoutItsTablesAside) {
  const TemporaryFolder folder;
  fill(folder / "c", 0, 1);
  sqlite::Database(folder / "c").execute("DROP TABLE pictures");
  FeatureCache cache(folder / "c", kNetwork, kSize);
  cache.put(digest(1), 0, picture(1));
  cache.flush();
  expect_has(cache, 1);
  EXPECT_TRUE(fs::exists(folder / "c.damaged"));
}

TEST(FeatureCacheFile, SurvivesDamageInTheMiddleOfTheFile) {
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

TEST(FeatureCacheFile, ATruncatedFileDoesNotStopARun) {
  const TemporaryFolder folder;
  fill(folder / "full", 0, 500);
  const std::string bytes = read_text_file(folder / "full");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{99}, std::size_t{100},
                                 std::size_t{16384}, bytes.size() / 2, bytes.size() - 1}) {
    const fs::path file = folder / std::to_string(size) / "features.sqlite";
    fs::create_directory(file.parent_path());
    write(file, bytes.substr(0, size));
    FeatureCache cache(file, kNetwork, kSize);
    for (int i = 0; i < 100; ++i) (void)cache.find(digest(i), 0);
    for (int i = 0; i < 100; ++i) cache.put(digest(i), 0, picture(i));
    cache.flush();
    for (int i = 0; i < 100; ++i) expect_has(cache, i);
  }
}

TEST(FeatureCacheFile, KeepsEarlierDamagedFiles) {
  const TemporaryFolder folder;
  for (const char* text : {"first", "second", "third"}) {
    write(folder / "features.sqlite", text);
    const FeatureCache cache(folder / "features.sqlite", kNetwork, kSize);
  }
  EXPECT_EQ(read_text_file(folder / "features.sqlite.damaged"), "first");
  EXPECT_EQ(read_text_file(folder / "features.sqlite.damaged2"), "second");
  EXPECT_EQ(read_text_file(folder / "features.sqlite.damaged3"), "third");
}

TEST(FeatureCacheFile, LeavesACacheOfANewerProgramAlone) {
  const TemporaryFolder folder;
  fill(folder / "c", 0, 1);
  sqlite::Database(folder / "c").execute("PRAGMA user_version = 99");
  FeatureCache cache(folder / "c", kNetwork, kSize);
  EXPECT_THAT(cache.problem(), HasSubstr("newer engraft"));
  EXPECT_FALSE(cache.find(digest(0), 0));
  EXPECT_FALSE(fs::exists(folder / "c.damaged"));
}

TEST(FeatureCacheFile, IsOffWhereNoFileCanBe) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "taken");
  expect_off(folder / "taken");
  write(folder / "file", "x");
  expect_off(folder / "file" / "below" / "c");
  expect_off("/proc/engraft/c");
  expect_off("/dev/full/c");
}

}  // namespace engraft::feature_cache_file_test
