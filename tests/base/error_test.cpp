#include "engraft/base/error.h"

#include <gtest/gtest.h>

#include <set>

#include "engraft/base/progress.h"

namespace engraft::error_test {

TEST(ExitCode, IsDocumentedAndDistinctForEachKind) {
  EXPECT_EQ(exit_code(ErrorKind::kInternal), 1);
  EXPECT_EQ(exit_code(ErrorKind::kUsage), 2);
  EXPECT_EQ(exit_code(ErrorKind::kNotFound), 3);
  EXPECT_EQ(exit_code(ErrorKind::kBadInput), 4);
  EXPECT_EQ(exit_code(ErrorKind::kUnsupported), 5);
  EXPECT_EQ(exit_code(ErrorKind::kIo), 6);
  EXPECT_EQ(exit_code(ErrorKind::kNetwork), 7);
  EXPECT_EQ(exit_code(ErrorKind::kCancelled), 130);
}

TEST(Error, CarriesKindAndMessage) {
  const Error error(ErrorKind::kIo, "disk full");
  EXPECT_EQ(error.kind(), ErrorKind::kIo);
  EXPECT_STREQ(error.what(), "disk full");
}

TEST(Stop, ThrowsOnlyOnceRequested) {
  std::stop_source source;
  EXPECT_NO_THROW(throw_if_stopped(source.get_token()));
  EXPECT_NO_THROW(throw_if_stopped(std::stop_token())) << "a token of nothing never stops";
  source.request_stop();
  try {
    throw_if_stopped(source.get_token());
    FAIL() << "not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
}

}  // namespace engraft::error_test
