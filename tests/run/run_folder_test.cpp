#include "engraft/run/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    write_file_atomic(folder / "file", text);
    return folder.commit();
  }

  test::TemporaryFolder parent_;
};

TEST_F(RunFolders, AppearWhole) {
  {
    RunFolder folder(parent_ / "run");
    write_file_atomic(folder / "file", "text");
    EXPECT_FALSE(fs::exists(parent_ / "run"));
    EXPECT_TRUE(folder.commit().empty());
  }
  EXPECT_EQ(read_text_file(parent_ / "run/file"), "text");
  EXPECT_THAT(names(), ::testing::ElementsAre("run"));
}

TEST_F(RunFolders, LeaveNothingWhenNotCommitted) {
  {
    const RunFolder folder(parent_ / "run");
    write_file_atomic(folder / "file", "text");
  }
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(RunFolders, KeepEarlierRunsUnderTheNextFreeNumber) {
  EXPECT_TRUE(put("run", "first").empty());
  EXPECT_EQ(put("run", "second"), parent_ / "run.1");
  EXPECT_EQ(put("run", "third"), parent_ / "run.2");
  EXPECT_EQ(read_text_file(parent_ / "run/file"), "third");
  EXPECT_EQ(read_text_file(parent_ / "run.1/file"), "first");
  EXPECT_EQ(read_text_file(parent_ / "run.2/file"), "second");
}

TEST_F(RunFolders, TakeATrailingSlash) {
  EXPECT_TRUE(put("run/", "text").empty());
  EXPECT_EQ(read_text_file(parent_ / "run/file"), "text");
}

TEST_F(RunFolders, MakeTheFoldersAbove) {
  put("a/b/run", "text");
  EXPECT_EQ(read_text_file(parent_ / "a/b/run/file"), "text");
}

TEST_F(RunFolders, MoveAFileThatIsInTheWayAsideToo) {
  write_file_atomic(parent_ / "run", "precious");
  EXPECT_EQ(put("run", "text"), parent_ / "run.1");
  EXPECT_EQ(read_text_file(parent_ / "run.1"), "precious");
}

TEST_F(RunFolders, RefuseAPlaceThatIsNone) {
  write_file_atomic(parent_ / "file", "text");
  expect_error(ErrorKind::kIo, HasSubstr("--out"),
               [&] { const RunFolder folder(parent_ / "file/run"); });
}

}  // namespace
}  // namespace engraft
