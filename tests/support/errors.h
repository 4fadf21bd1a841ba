#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engraft/base/error.h"

namespace engraft::test {

/// Expects action() to throw Error(kind) with a message that matches.
template <typename Matcher, typename Action>
void expect_error(ErrorKind kind, const Matcher& message, Action&& action) {
  try {
    action();
    ADD_FAILURE() << "no error was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    EXPECT_THAT(std::string(error.what()), message);
  }
}

}  // namespace engraft::test
