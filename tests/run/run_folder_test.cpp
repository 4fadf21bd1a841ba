#include "engraft/run/run_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "engraft/base/file.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RunFolders : public ::testing::Test {
 protected:
  /// Everything in the parent, hidden or not.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(parent_.path())) {
      found.push_back(entry.path().filename().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  fs::path put(const fs::path& name, std::string_view text) const {
    RunFolder folder(parent_ / name);
    write_file_atomic(folder / "args.json", text);
    return folder.commit();
  }

  test::TemporaryFolder parent_;
};

TEST_F(RunFolders, AppearWhole) {
  {
    RunFolder folder(parent_ / "run");
    write_file_atomic(folder / "args.json", "text");
    EXPECT_FALSE(fs::exists(parent_ / "run"));
    EXPECT_TRUE(folder.commit().empty());
  }
  EXPECT_EQ(read_text_file(parent_ / "run/args.json"), "text");
  EXPECT_THAT(names(), ::testing::ElementsAre("run"));
}

TEST_F(RunFolders, LeaveNothingWhenNotCommitted) {
  {
    const RunFolder folder(parent_ / "run");
    write_file_atomic(folder / "args.json", "text");
  }
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(RunFolders, KeepEarlierRunsUnderTheNextFreeNumber) {
  EXPECT_TRUE(put("run", "first").empty());
  EXPECT_EQ(put("run", "second"), parent_ / "run.1");
  EXPECT_EQ(put("run", "third"), parent_ / "run.2");
  EXPECT_EQ(read_text_file(parent_ / "run/args.json"), "third");
  EXPECT_EQ(read_text_file(parent_ / "run.1/args.json"), "first");
  EXPECT_EQ(read_text_file(parent_ / "run.2/args.json"), "second");
}

TEST_F(RunFolders, TakeATrailingSlash) {
  EXPECT_TRUE(put("run/", "text").empty());
  EXPECT_EQ(read_text_file(parent_ / "run/args.json"), "text");
}

TEST_F(RunFolders, MakeTheFoldersAbove) {
  put("a/b/run", "text");
  EXPECT_EQ(read_text_file(parent_ / "a/b/run/args.json"), "text");
}

TEST_F(RunFolders, MoveNothingAsideThatIsNoRun) {
  write_file_atomic(parent_ / "photos/a.jpg", "precious");
  write_file_atomic(parent_ / "note.txt", "precious");
  for (const char* name : {"photos", "photos/", "note.txt", "."}) {
    expect_error(ErrorKind::kUsage, HasSubstr("--out"),
                 [&] { const RunFolder folder(parent_ / name); });
  }
  EXPECT_THAT(names(), ::testing::ElementsAre("note.txt", "photos"));
}

TEST_F(RunFolders, TakeAnEmptyFolder) {
  fs::create_directory(parent_ / "run");
  const auto inode = [&] {
    struct stat info {};
    ::stat((parent_ / "run").c_str(), &info);
    return info.st_ino;
  };
  const auto before = inode();
  EXPECT_TRUE(put("run", "text").empty());
  EXPECT_EQ(read_text_file(parent_ / "run/args.json"), "text");
  EXPECT_EQ(inode(), before) << "a mount point or the current folder must stay what it is";
  EXPECT_THAT(names(), ::testing::ElementsAre("run"));
  EXPECT_TRUE(fs::exists(parent_ / "run/args.json"));
  EXPECT_EQ(std::distance(fs::directory_iterator(parent_ / "run"), {}), 1);
}

TEST_F(RunFolders, RemoveWhatAKilledProcessLeft) {
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  write_file_atomic(parent_ / fmt::format(".run.{}.part", gone) / "model.onnx", "half");
  write_file_atomic(parent_ / fmt::format(".run.{}.part", ::getppid()) / "model.onnx", "alive");
  write_file_atomic(parent_ / fmt::format(".other.{}.part", gone) / "model.onnx", "another's");
  put("run", "text");
  EXPECT_THAT(names(),
              ::testing::UnorderedElementsAre("run", fmt::format(".run.{}.part", ::getppid()),
                                              fmt::format(".other.{}.part", gone)));
}

TEST_F(RunFolders, RemoveWhatAKilledProcessLeftInAnEmptyFolder) {
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  write_file_atomic(parent_ / "run" / fmt::format(".run.{}.part", gone) / "model.onnx", "half");
  EXPECT_TRUE(put("run", "text").empty());
  EXPECT_EQ(std::distance(fs::directory_iterator(parent_ / "run"), {}), 1);
}

TEST_F(RunFolders, LeaveNoEmptyParentBehind) {
  { const RunFolder folder(parent_ / "runs/photos"); }
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(RunFolders, RefuseAPlaceThatIsNone) {
  write_file_atomic(parent_ / "file", "text");
  expect_error(ErrorKind::kIo, HasSubstr("--out"),
               [&] { const RunFolder folder(parent_ / "file/run"); });
}

}  // namespace
}  // namespace engraft
