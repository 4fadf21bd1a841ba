#include "engraft/base/shared_library.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <math.h>  // NOLINT: the names of the global namespace
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "engraft/base/error.h"

namespace engraft::shared_library_test {

constexpr SharedLibrary kC{"libc.so.6"};
constexpr SharedLibrary kMath{"libm.so.6"};
constexpr SharedLibrary kMissing{"libengraft-has-no-such-library.so.1"};

// As headers do it that give a function another version.
#define lgamma_of_old lgamma_r

/// As a header of the library's would declare them.
namespace later {
ENGRAFT_LOADED_LATER(kMath, lgamma_of_old);
ENGRAFT_LOADED_LATER(kMath, jn);
ENGRAFT_LOADED_LATER(kMath, yn);
ENGRAFT_LOADED_LATER(kMissing, j0);
ENGRAFT_LOADED_LATER(kC, fcntl);
ENGRAFT_READ_LATER(kC, optind);
}  // namespace later

void expect_unsupported(const SharedLibrary& library, const char* name,
                        const std::vector<std::string>& words) {
  try {
    (void)library.function(name);
    ADD_FAILURE() << library.file << " has " << name;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    const std::string message = error.what();
    for (const std::string& word : words) EXPECT_THAT(message, ::testing::HasSubstr(word));
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

TEST(SharedLibrary, AFunctionIsCalledByItsName) {
  EXPECT_EQ(later::jn(0, 0.0), 1.0);
  EXPECT_EQ(later::jn('\1', 0), 0.0);  // arguments are converted as the declaration asks
  double (*const pointer)(int, double) = later::jn;
  EXPECT_EQ(pointer, &::jn);
}

TEST(SharedLibrary, WhereTheHeaderMeansAnotherThatOneIsCalled) {
  int sign = 0;
  EXPECT_EQ(later::lgamma_of_old(1.0, &sign), 0.0);
  EXPECT_EQ(sign, 1);
}

TEST(SharedLibrary, OneWithAnyNumberOfArgumentsToo) {
  const int copy = later::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
  EXPECT_GE(copy, 100);
  EXPECT_EQ(later::fcntl(copy, F_GETFD), FD_CLOEXEC);
  ::close(copy);
}

/// Also where the program uses it itself, and by that has a copy of its own, which the library then
/// works with.
TEST(SharedLibrary, AVariableIsReadAnewEachTime) {
  const int before = ::optind;
  for (const int other : {before + 1, before + 2}) {
    ::optind = other;
    EXPECT_EQ(later::optind, other);
  }
  ::optind = before;
  EXPECT_EQ(kC.variable("optind"), &::optind);
}

/// The first call, too: no other test calls this function.
TEST(SharedLibrary, ThreadsMayCallAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { right += later::yn(0, 0.0) == -HUGE_VAL; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 8);
}

TEST(SharedLibrary, OneThatIsMissingIsNamed) {
  expect_unsupported(kMissing, "j0", {"libengraft-has-no-such-library.so.1", "install it"});
  EXPECT_THROW(later::j0(0.0), Error);
  EXPECT_THROW(later::j0(0.0), Error);  // and again: nothing is remembered
}

TEST(SharedLibrary, OneWithoutTheSymbolIsNamedWithIt) {
  expect_unsupported(kMath, "engraft_no_such_function", {"libm.so.6", "engraft_no_such_function"});
}

}  // namespace engraft::shared_library_test
