#include "engraft/base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "engraft/base/error.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::file_test {

namespace fs = std::filesystem;
using test::expect_error;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void put(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Runs action in a process of its own, where limits and rights can be given up; 0 when it returns
/// 0, with nothing written by the test framework.
template <typename Action>
int in_child(Action&& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = action();
    } catch (...) {
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ReadFile, ReturnsEveryByte) {
  const TemporaryFolder folder;
  for (const std::size_t size : {0u, 1u, 2u, 65535u, 65536u, 65537u, 300'000u}) {
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7);
    put(folder / "f", text);
    EXPECT_EQ(read_text_file(folder / "f"), text) << size;
  }
}

TEST(ReadFile, ReadsFilesWhoseSizeIsNotKnownBefore) {
  EXPECT_THAT(read_text_file("/proc/self/status"), HasSubstr("Name:"));
}

TEST(ReadFile, RefusesAPipeAtOnceAndADevice) {
  const test::TemporaryFolder folder;
  const fs::path pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const fs::path& path : {pipe, fs::path("/dev/zero")}) {
    expect_error(ErrorKind::kIo, HasSubstr("is not a regular file"),
                 [&] { (void)read_file(path); });
  }
}

TEST(ReadFile, RefusesWhatIsLargerThanTheLimit) {
  const TemporaryFolder folder;
  put(folder / "f", "12345");
  EXPECT_EQ(read_text_file(folder / "f", 5), "12345");
  expect_error(ErrorKind::kBadInput, HasSubstr("limit is 4"),
               [&] { (void)read_file(folder / "f", 4); });
}

TEST(ReadFile, SaysWhatIsNotThere) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::kNotFound, AllOf(StartsWith((folder / "no").string()), HasSubstr("open")),
               [&] { (void)read_file(folder / "no"); });
  put(folder / "f", "x");
  expect_error(ErrorKind::kNotFound, HasSubstr("f/below"),
               [&] { (void)read_file(folder / "f" / "below"); });
}

TEST(ReadFile, AFolderIsNoFile) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::kIo, HasSubstr("is a folder"), [&] { (void)read_file(folder.path()); });
}

TEST(ReadFile, WithoutPermissionIsAnIoError) {
  const TemporaryFolder folder;
  put(folder / "f", "x");
  ASSERT_EQ(::chmod((folder / "f").c_str(), 0), 0);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  EXPECT_EQ(in_child([&] {
              if (::geteuid() == 0 && ::setuid(65534) != 0) return 2;
              try {
                (void)read_file(folder / "f");
              } catch (const Error& error) {
                return error.kind() == ErrorKind::kIo ? 0 : 3;
              }
              return 4;
            }),
            0);
}

TEST(AtomicFile, AppearsOnlyWithCommit) {
  const TemporaryFolder folder;
  const fs::path path = folder / "out";
  {
    AtomicFile file(path);
    file.write("one ");
    file.write("two");
    EXPECT_FALSE(fs::exists(path));
    EXPECT_TRUE(fs::exists(file.temporary()));
    EXPECT_EQ(file.temporary().parent_path(), folder.path());
    file.commit();
    EXPECT_EQ(read_text_file(path), "one two");
  }
  EXPECT_THAT(names_in(folder.path()), ::testing::ElementsAre("out"));
}

TEST(AtomicFile, WithoutCommitLeavesNothing) {
  const TemporaryFolder folder;
  put(folder / "out", "old");
  {
    AtomicFile file(folder / "out");
    file.write("new");
  }
  EXPECT_EQ(read_text_file(folder / "out"), "old");
  EXPECT_THAT(names_in(folder.path()), ::testing::ElementsAre("out"));
}

TEST(AtomicFile, MakesMissingFolders) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "a" / "b" / "c.txt", std::string_view("x"));
  EXPECT_EQ(read_text_file(folder / "a" / "b" / "c.txt"), "x");
}

TEST(AtomicFile, WritesAnEmptyFile) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "empty", std::string_view());
  EXPECT_EQ(fs::file_size(folder / "empty"), 0u);
}

TEST(AtomicFile, TakesNamesUpToTheFileSystemsLimit) {
  const TemporaryFolder folder;
  const std::string name(255, 'n');
  write_file_atomic(folder / name, std::string_view("x"));
  EXPECT_EQ(read_text_file(folder / name), "x");
}

TEST(AtomicFile, TwoWritersOfOneNameDoNotMix) {
  const TemporaryFolder folder;
  AtomicFile first(folder / "out"), second(folder / "out");
  EXPECT_NE(first.temporary(), second.temporary());
  first.write("first");
  second.write("second");
  first.commit();
  second.commit();
  EXPECT_EQ(read_text_file(folder / "out"), "second");
}

TEST(AtomicFile, AFolderInTheWayIsAnErrorThatLeavesNothing) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "out");
  expect_error(ErrorKind::kIo, HasSubstr("out"),
               [&] { write_file_atomic(folder / "out", std::string_view("x")); });
  EXPECT_THAT(names_in(folder.path()), ::testing::ElementsAre("out"));
}

TEST(AtomicFile, AFileInPlaceOfTheFolderIsAnError) {
  const TemporaryFolder folder;
  put(folder / "f", "x");
  expect_error(ErrorKind::kIo, HasSubstr("cannot make this folder"),
               [&] { write_file_atomic(folder / "f" / "out", std::string_view("x")); });
}

TEST(AtomicFile, AFullDiskLeavesTheOldFileAndNothingElse) {
  const TemporaryFolder folder;
  put(folder / "out", "old");
  EXPECT_EQ(in_child([&] {
              std::signal(SIGXFSZ, SIG_IGN);  // write() then fails with EFBIG, as with ENOSPC
              const rlimit limit{1000, 1000};
              if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
              try {
                write_file_atomic(folder / "out", std::string(5000, 'x'));
              } catch (const Error& error) {
                return error.kind() == ErrorKind::kIo ? 0 : 3;
              }
              return 4;
            }),
            0);
  EXPECT_EQ(read_text_file(folder / "out"), "old");
  EXPECT_THAT(names_in(folder.path()), ::testing::ElementsAre("out"));
}

TEST(AtomicFile, AFolderWithoutWritePermissionIsAnIoError) {
  const TemporaryFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  EXPECT_EQ(in_child([&] {
              if (::geteuid() == 0 && ::setuid(65534) != 0) return 2;
              try {
                write_file_atomic(folder / "out", std::string_view("x"));
              } catch (const Error& error) {
                return error.kind() == ErrorKind::kIo ? 0 : 3;
              }
              return 4;
            }),
            0);
  ::chmod(folder.path().c_str(), 0755);
}

TEST(AtomicFile, AnInterruptedWriterLeavesTheOldFile) {
  const TemporaryFolder folder;
  put(folder / "out", "old");
  EXPECT_EQ(in_child([&] {
              AtomicFile file(folder / "out");
              file.write("half");
              ::_exit(7);  // as if killed: no destructor runs
              return 0;
            }),
            7);
  EXPECT_EQ(read_text_file(folder / "out"), "old");
}

TEST(ParentFolder, IsThereForEveryName) {
  EXPECT_EQ(parent_folder("a/b/c.txt"), "a/b");
  EXPECT_EQ(parent_folder("/c.txt"), "/");
  EXPECT_EQ(parent_folder("c.txt"), ".");
  EXPECT_EQ(parent_folder(""), ".");
}

TEST(SyncFolder, IsNeverAnError) {
  const TemporaryFolder folder;
  put(folder / "f", "x");
  EXPECT_NO_THROW(sync_folder(folder.path()));
  EXPECT_NO_THROW(sync_folder(folder / "missing"));
  EXPECT_NO_THROW(sync_folder(folder / "f"));
  EXPECT_NO_THROW(sync_folder("/proc"));
}

TEST(WithoutPath, TakesThePathFromTheHeadOnly) {
  EXPECT_EQ(without_path("a/b.jpg: is broken", "a/b.jpg"), "is broken");
  EXPECT_EQ(without_path("a/b.jpg: a/b.jpg: twice", "a/b.jpg"), "a/b.jpg: twice");
  EXPECT_EQ(without_path("is broken: a/b.jpg: so", "a/b.jpg"), "is broken: a/b.jpg: so");
  EXPECT_EQ(without_path("a/b.jpg is broken", "a/b.jpg"), "a/b.jpg is broken");
  EXPECT_EQ(without_path("a/b.jpg2: is broken", "a/b.jpg"), "a/b.jpg2: is broken");
  EXPECT_EQ(without_path("", "a"), "");
}

}  // namespace engraft::file_test
