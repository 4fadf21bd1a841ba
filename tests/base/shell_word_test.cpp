#include "engraft/base/shell_word.h"

#include <gtest/gtest.h>
#include <stdio.h>  // NOLINT: popen

#include <array>
#include <string>

namespace engraft::shell_word_test {

/// What a shell makes of a word.
std::string through_a_shell(const std::string& word) {
  FILE* const pipe = ::popen(("printf %s " + word).c_str(), "r");
  std::string text;
  std::array<char, 256> piece{};
  while (pipe != nullptr) {
    const std::size_t got = ::fread(piece.data(), 1, piece.size(), pipe);
    if (got == 0) break;
    text.append(piece.data(), got);
  }
  return pipe != nullptr && ::pclose(pipe) == 0 ? text : "the shell failed";
}

TEST(ShellWord, IsAsItWasWhereItIsPlain) {
  for (const char* word : {"runs/photos", "a-b_c.1", "x=1", "50%", "Straße"}) {
    EXPECT_EQ(shell_word(word), word);
  }
}

TEST(ShellWord, ComesOutOfAShellUnchanged) {
  for (const std::string word : {"my photos", "it's", "", "''", "a\nb", "$HOME", "`id`", "*", "~",
                                 "a;b", "\\", "\"", "#x", "caf\xE9 x", "-n"}) {
    EXPECT_EQ(through_a_shell(shell_word(word)), word);
  }
}

TEST(ShellPath, IsNeverTakenForAnOption) {
  EXPECT_EQ(shell_path("-x"), "./-x");
  EXPECT_EQ(shell_path("-my run"), "'./-my run'");
  EXPECT_EQ(shell_path("runs/-x"), "runs/-x");
}

}  // namespace engraft::shell_word_test
