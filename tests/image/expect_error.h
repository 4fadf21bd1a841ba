#pragma once

#include <gtest/gtest.h>

#include <string>

#include "engraft/base/error.h"

namespace engraft::test {

/// The action throws engraft::Error of this kind, with one non-empty line.
template <typename Action>
void expect_error(ErrorKind kind, const Action& action) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    const std::string message = error.what();
    EXPECT_FALSE(message.empty());
    EXPECT_EQ(message.find('\n'), message.npos) << message;
  }
}

/// The message of the engraft::Error that the action throws, else nothing.
template <typename Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace engraft::test
