#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <set>

#include "engraft/train/checkpoint_folder.h"
#include "support/errors.h"
#include "train/checkpoint_fixture.h"

namespace engraft::checkpoint_failure_test {

namespace fs = std::filesystem;

using test::CheckpointFolderTest;
using test::expect_error;
using test::expect_same_bits;
using test::names_in;
using test::put;
using test::sample_checkpoint;
using test::small_result;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// What happens to action() in a process of its own; its exit status.
int in_child(const std::function<int()>& action) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(action());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// 0 if action() throws Error(kIo) with each of these in its message.
int throws_io(const std::function<void()>& action, const std::vector<std::string>& parts) {
  try {
    action();
    return 1;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kIo) return 2;
    const std::string message = error.what();
    for (const std::string& part : parts) {
      if (message.find(part) == std::string::npos) return 3;
    }
    return message.find('\n') == std::string::npos ? 0 : 4;
  }
}

TEST_F(CheckpointFolderTest, WhatOthersPutIntoTheFolderStays) {
  fs::create_directories(folder);
  const std::vector<std::string> others{
      "notes.txt",
      "model.safetensors",
      "model-00001-of-00002.safetensors",
      "fold2-1.safetensors",        // not as this program writes numbers
      "fold2-0000010.safetensors",  // nor this
      "fold2--00010.safetensors",
      "-000010.safetensors",
      ".fold2-000010.safetensors",
      "fold2-000010.safetensors.bak",
      "fold2-99999999999999999999.safetensors",
      "my fold-000010.safetensors",
      ".notes.txt.999999999.0.part",
      ".fold2-000010.safetensors.999999999.part",
      ".fold2-000010.safetensors.1.0.part",  // process 1 lives
      ".fold2-000010.safetensors.x.0.part",
      ".fold2-000010.safetensors.99999999999999999999.0.part",
      ".fold2-000010.safetensors.-5.0.part",
      ".part",
      "..part",
  };
  for (const std::string& name : others) put(folder / name, "theirs");
  for (const std::int64_t step : {10, 20, 30}) save(step);
  checkpoints.save_result("fold1", small_result());
  EXPECT_EQ(latest()->checkpoint.state.step, 30);
  EXPECT_THAT(latest()->warning, IsEmpty());
  checkpoints.remove_all();
  EXPECT_EQ(names_in(folder), (std::set<std::string>(others.begin(), others.end())));
}

TEST_F(CheckpointFolderTest, WhatAKilledRunLeftHalfWrittenIsRemoved) {
  fs::create_directories(folder);
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  for (const std::string& process : {std::to_string(gone), std::to_string(::getpid())}) {
    put(folder / (".fold2-000010.safetensors." + process + ".3.part"), "half");
    put(folder / (".final-result.safetensors." + process + ".4.part"), "half");
  }
  EXPECT_FALSE(latest());
  EXPECT_EQ(names_in(folder).size(), 4u);
  save(20);
  EXPECT_THAT(names_in(folder), ElementsAre(fmt_step(20)));
  put(folder / (".fold2-000010.safetensors." + std::to_string(gone) + ".3.part"), "half");
  checkpoints.remove_all();
  EXPECT_THAT(names_in(folder), IsEmpty());
}

TEST_F(CheckpointFolderTest, RemovingAllLeavesAnEmptyFolder) {
  save(10);
  save(20, "final");
  checkpoints.save_result("fold2", small_result());
  checkpoints.remove_all();
  EXPECT_TRUE(fs::is_directory(folder));
  EXPECT_THAT(names_in(folder), IsEmpty());
}

TEST_F(CheckpointFolderTest, AFolderThatIsAFileIsAnError) {
  put(folder, "a file");
  expect_error(ErrorKind::kIo, StartsWith(folder.string()), [&] { save(1); });
  for (const auto& action :
       {std::function<void()>([&] { static_cast<void>(latest()); }),
        std::function<void()>([&] { static_cast<void>(checkpoints.result("fold2")); }),
        std::function<void()>([&] { checkpoints.remove_all(); })}) {
    expect_error(ErrorKind::kBadInput,
                 AllOf(StartsWith(folder.string() + ": "), HasSubstr("no folder")), action);
  }
  EXPECT_TRUE(fs::is_regular_file(folder));
}

TEST_F(CheckpointFolderTest, ALimitOnFileSizesLeavesTheEarlierOnes) {
  save(10);
  save(20);
  const auto before = names_in(folder);
  EXPECT_EQ(in_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{1000, 1000};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              return throws_io([&] { save(30); },
                               {path(30).string() + ": ", fmt_step(20) + " is kept", "resume"});
            }),
            0);
  EXPECT_EQ(names_in(folder), before);
  expect_same_bits(latest()->checkpoint, sample_checkpoint(layouts, 20));
}

TEST_F(CheckpointFolderTest, AResultThatCannotBeWrittenLeavesTheCheckpoints) {
  save(10);
  const auto before = names_in(folder);
  EXPECT_EQ(in_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{100, 100};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              return throws_io([&] { checkpoints.save_result("fold2", small_result()); },
                               {"fold2-result.safetensors: ", "is kept", "resume"});
            }),
            0);
  EXPECT_EQ(names_in(folder), before);
}

TEST_F(CheckpointFolderTest, AReadOnlyFolderLeavesTheEarlierOnes) {
  save(10);
  const auto before = names_in(folder);
  fs::permissions(place.path(), fs::perms::all);
  fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                              fs::perms::others_exec | fs::perms::group_read |
                              fs::perms::group_exec);
  constexpr int kRootAndBound = 77;
  const int status = in_child([&] {
    constexpr ::uid_t kNobody = 65534;
    if (::geteuid() == 0 && ::setuid(kNobody) != 0) return kRootAndBound;
    return throws_io([&] { save(20); },
                     {path(20).string() + ": ", fmt_step(10) + " is kept", "resume"});
  });
  fs::permissions(folder, fs::perms::owner_all);
  if (status == kRootAndBound) GTEST_SKIP() << "root, who may write anywhere, cannot step down";
  EXPECT_EQ(status, 0);
  EXPECT_EQ(names_in(folder), before);
}

TEST_F(CheckpointFolderTest, AFirstCheckpointThatCannotBeWrittenSaysSo) {
  put(place / "file", "");
  CheckpointFolder nowhere(place / "file" / "folder");
  expect_error(ErrorKind::kIo, HasSubstr("no earlier checkpoint"),
               [&] { nowhere.save("fold2", sample_checkpoint(layouts), layouts.get()); });
}

}  // namespace engraft::checkpoint_failure_test
