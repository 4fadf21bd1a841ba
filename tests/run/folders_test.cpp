#include "engraft/run/folders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>

#include "engraft/base/file.h"
#include "engraft/run/run_folder.h"
#include "engraft/run/unfinished.h"
#include "support/test_data.h"

namespace {

/// What was brought to the disk.
std::set<std::filesystem::path>& synced() {
  static std::set<std::filesystem::path> paths;
  return paths;
}

}  // namespace

/// In place of the C library's.
extern "C" int fsync(int descriptor) {
  synced().insert(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor)));
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace engraft::folders_test {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class Folders : public ::testing::Test {
 protected:
  void SetUp() override { synced().clear(); }
  test::TemporaryFolder place_;
  fs::path here_ = fs::canonical(place_.path());
};

TEST_F(Folders, AreBroughtToTheDiskWithThoseAboveThem) {
  std::error_code error;
  EXPECT_TRUE(make_folders(here_ / "a/b/c", error));
  EXPECT_FALSE(error);
  EXPECT_THAT(synced(), UnorderedElementsAre(here_, here_ / "a", here_ / "a/b"));
  synced().clear();
  EXPECT_FALSE(make_folders(here_ / "a/b/c", error));
  EXPECT_THAT(synced(), IsEmpty());
}

TEST_F(Folders, SayWhereTheyCannotBe) {
  write_file_atomic(here_ / "file", "text");
  std::error_code error;
  EXPECT_FALSE(make_folders(here_ / "file/a", error));
  EXPECT_TRUE(error);
}

TEST_F(Folders, OfRunsOutlastACrash) {
  const RunFolder folder(here_ / "runs/photos");
  EXPECT_THAT(synced(), Contains(here_)) << "runs";
  synced().clear();
  const UnfinishedRun run(here_ / "runs/photos", Begin::kAnew, "{}");
  EXPECT_THAT(synced(), Contains(here_ / "runs")) << "photos.unfinished";
}

TEST_F(Folders, FreeNamesCount) {
  EXPECT_EQ(next_free(here_ / "run"), here_ / "run.1");
  fs::create_directory(here_ / "run.1");
  fs::create_symlink("nowhere", here_ / "run.2");
  EXPECT_EQ(next_free(here_ / "run"), here_ / "run.3");
}

}  // namespace engraft::folders_test
