#include "engraft/run/run_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "engraft/base/file.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::run_folder_test {

namespace fs = std::filesystem;
using test::expect_error;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

pid_t ended_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

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

ino_t inode_of(const fs::path& path) {
  struct stat info {};
  ::stat(path.c_str(), &info);
  return info.st_ino;
}

TEST_F(RunFolders, TakeTheNameOfAnEmptyFolderAtOnce) {
  fs::create_directory(parent_ / "run");
  fs::permissions(parent_ / "run", fs::perms::owner_all);
  const ino_t before = inode_of(parent_ / "run");
  {
    RunFolder folder(parent_ / "run");
    write_file_atomic(folder / "args.json", "text");
    EXPECT_TRUE(fs::is_empty(parent_ / "run")) << "files gather beside it";
    EXPECT_TRUE(folder.commit().empty());
  }
  EXPECT_NE(inode_of(parent_ / "run"), before) << "one rename, and not a file at a time";
  EXPECT_EQ(fs::status(parent_ / "run").permissions(), fs::perms::owner_all);
  EXPECT_EQ(read_text_file(parent_ / "run/args.json"), "text");
  EXPECT_THAT(names(), ::testing::ElementsAre("run"));
}

TEST_F(RunFolders, LeaveAnEmptyFolderWhenNotCommitted) {
  fs::create_directory(parent_ / "run");
  { const RunFolder folder(parent_ / "run"); }
  EXPECT_THAT(names(), ::testing::ElementsAre("run"));
  EXPECT_TRUE(fs::is_empty(parent_ / "run"));
}

TEST_F(RunFolders, FillTheFolderBehindALink) {
  fs::create_directory(parent_ / "real");
  const ino_t before = inode_of(parent_ / "real");
  fs::create_directory_symlink("real", parent_ / "run");
  EXPECT_TRUE(put("run", "text").empty());
  EXPECT_TRUE(fs::is_symlink(parent_ / "run"));
  EXPECT_EQ(inode_of(parent_ / "run"), before);
  EXPECT_EQ(read_text_file(parent_ / "real/args.json"), "text");
  EXPECT_EQ(std::distance(fs::directory_iterator(parent_ / "real"), {}), 1);
}

TEST_F(RunFolders, FillTheCurrentFolder) {
  const fs::path back = fs::current_path();
  fs::create_directory(parent_ / "run");
  const ino_t before = inode_of(parent_ / "run");
  fs::current_path(parent_ / "run");
  EXPECT_TRUE(put("run", "text").empty());
  fs::current_path(back);
  EXPECT_EQ(inode_of(parent_ / "run"), before) << "whoever stands in it would stand nowhere";
  EXPECT_EQ(read_text_file(parent_ / "run/args.json"), "text");
}

TEST_F(RunFolders, FilledInPlaceKeepWhatSomebodyPutThereMeanwhile) {
  fs::create_directory(parent_ / "real");
  fs::create_directory_symlink("real", parent_ / "run");
  {
    RunFolder folder(parent_ / "run");
    for (const char* name : {"args.json", "report.html", "results.csv"}) {
      write_file_atomic(folder / name, "the run's");
    }
    write_file_atomic(parent_ / "real/report.html", "somebody's");
    expect_error(ErrorKind::kIo,
                 testing::AllOf(HasSubstr("report.html"), HasSubstr("move it away")),
                 [&] { folder.commit(); });
  }
  EXPECT_EQ(read_text_file(parent_ / "real/report.html"), "somebody's");
  EXPECT_EQ(std::distance(fs::directory_iterator(parent_ / "real"), {}), 1);
}

TEST_F(RunFolders, CheckRemovesNothing) {
  const pid_t gone = ended_process();
  const fs::path part = parent_ / "run" / fmt::format(".run.{}.part", gone);
  write_file_atomic(part / "model.onnx", "half");
  RunFolder::check(parent_ / "run");
  EXPECT_TRUE(fs::exists(part));
  write_file_atomic(parent_ / "run/notes.txt", "somebody's");
  expect_error(ErrorKind::kUsage, HasSubstr("no run of engraft's"),
               [&] { RunFolder::check(parent_ / "run/"); });
}

constexpr int kManyFiles = 400;

/// Puts many files into an empty folder behind a link, in a process that is killed as soon as one
/// is there. Returns whether it was killed half-way.
bool kill_half_way(const fs::path& run, const fs::path& behind) {
  const pid_t child = ::fork();
  if (child == 0) {
    RunFolder folder(run);
    for (int i = 0; i < kManyFiles; ++i) std::ofstream(folder / fmt::format("{}.png", i)) << i;
    write_file_atomic(folder / "results.csv", "results");
    write_file_atomic(folder / "args.json", "{}");
    folder.commit();
    ::_exit(0);
  }
  while (!fs::exists(behind / "args.json") && ::waitpid(child, nullptr, WNOHANG) == 0) {
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return !fs::exists(behind / "results.csv");
}

TEST_F(RunFolders, AKillBetweenTwoMovesLeavesWhatTheNextTakesBack) {
  fs::create_directory_symlink("real", parent_ / "run");
  bool half_way = false;
  for (int tries = 0; tries < 20 && !half_way; ++tries) {
    fs::remove_all(parent_ / "real");
    fs::create_directory(parent_ / "real");
    half_way = kill_half_way(parent_ / "run", parent_ / "real");
  }
  ASSERT_TRUE(half_way);
  EXPECT_TRUE(fs::exists(parent_ / "real/args.json")) << "known for a run's";
  { const RunFolder folder(parent_ / "run"); }
  EXPECT_TRUE(fs::is_empty(parent_ / "real"));
  EXPECT_TRUE(put("run", "text").empty()) << "no half run is kept as an earlier one";
  EXPECT_EQ(std::distance(fs::directory_iterator(parent_ / "real"), {}), 1);
}

TEST_F(RunFolders, KeepWhatWasPutInPlaceAsAWhole) {
  const pid_t gone = ended_process();
  const fs::path part = parent_ / "run" / fmt::format(".run.{}.part", gone);
  for (const char* name : {"args.json", "results.csv", "notes.txt"}) {
    write_file_atomic(parent_ / "run" / name, "whole");
  }
  write_file_atomic(part / ".moving", "args.json\nresults.csv\n");
  EXPECT_EQ(put("run", "text"), parent_ / "run.1");
  EXPECT_EQ(read_text_file(parent_ / "run.1/results.csv"), "whole");
  EXPECT_FALSE(fs::exists(parent_ / "run.1" / part.filename()));

  // Half of it: only that goes.
  fs::remove_all(parent_ / "run");
  write_file_atomic(parent_ / "run/args.json", "half");
  write_file_atomic(parent_ / "run/notes.txt", "somebody's");
  write_file_atomic(parent_ / "precious", "precious");
  write_file_atomic(part / "results.csv", "half");
  write_file_atomic(part / ".moving", "args.json\n../precious\n..\n.\n\nresults.csv\n");
  expect_error(ErrorKind::kUsage, HasSubstr("no run of engraft's"),
               [&] { const RunFolder folder(parent_ / "run"); });
  EXPECT_EQ(read_text_file(parent_ / "run/notes.txt"), "somebody's");
  EXPECT_EQ(std::distance(fs::directory_iterator(parent_ / "run"), {}), 1);
  EXPECT_TRUE(fs::exists(parent_ / "precious"));
}

TEST_F(RunFolders, RemoveWhatAKilledProcessLeft) {
  const pid_t gone = ended_process();
  write_file_atomic(parent_ / fmt::format(".run.{}.part", gone) / "model.onnx", "half");
  write_file_atomic(parent_ / fmt::format(".run.{}.part", ::getppid()) / "model.onnx", "alive");
  write_file_atomic(parent_ / fmt::format(".other.{}.part", gone) / "model.onnx", "another's");
  put("run", "text");
  EXPECT_THAT(names(),
              ::testing::UnorderedElementsAre("run", fmt::format(".run.{}.part", ::getppid()),
                                              fmt::format(".other.{}.part", gone)));
}

TEST_F(RunFolders, RemoveWhatAKilledProcessLeftInAnEmptyFolder) {
  const pid_t gone = ended_process();
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

}  // namespace engraft::run_folder_test
