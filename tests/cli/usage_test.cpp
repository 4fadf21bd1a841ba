// What a person meets first: help, version, wrong usage, nothing found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.h"
#include "engraft/version.h"

namespace engraft::test::usage_test {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// One line, from engraft, and nothing else.
void expect_one_line(const ProcessResult& result) {
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, AllOf(StartsWith("engraft: "), EndsWith("\n")));
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
}

TEST(Usage, HelpTeachesTheFirstCommands) {
  const auto result = Program().run({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("engraft classify photo.jpg"), HasSubstr("engraft train photos/"),
                    HasSubstr("Exit codes"), HasSubstr("NO_COLOR")));
  EXPECT_THAT(result.err, IsEmpty());
}

constexpr const char* kCommands[] = {"classify", "train",  "find-lr", "distill",
                                     "evaluate", "models", "compact", "sample"};

TEST(Usage, EveryCommandHasHelp) {
  for (const char* command : kCommands) {
    const auto result = Program().run({command, "--help"});
    EXPECT_EQ(result.exit_code, 0) << command;
    EXPECT_THAT(result.out, HasSubstr(command));
  }
}

TEST(Usage, WhatMustBeGivenIsSaidToHaveNoDefault) {
  // An option's name and its description stand on one line or on two; a default ends it, [in
  // brackets].
  for (const char* command : kCommands) {
    std::istringstream help(Program().run({command, "--help"}).out);
    bool required = false;
    for (std::string line; std::getline(help, line);) {
      const bool goes_on = line.starts_with("        ");
      required = line.find(" REQUIRED") != std::string::npos || (required && goes_on);
      EXPECT_FALSE(required && line.ends_with("]")) << command << ": " << line;
    }
  }
}

TEST(Usage, VersionIsTheProjects) {
  const auto result = Program().run({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr(kVersion));
}

TEST(Usage, NoCommandOrAnUnknownOptionIsWrongUsage) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{},
                                                    {"frobnicate"},
                                                    {"classify"},
                                                    {"classify", "--topp", "3", "x.jpg"},
                                                    {"classify", "--top", "0", "x.jpg"},
                                                    {"train", "photos", "--head", "deep"},
                                                    {"evaluate", "t", "--json", "--csv"}}) {
    const auto result = Program().run(arguments);
    EXPECT_EQ(result.exit_code, 2);
    expect_one_line(result);
  }
}

TEST(Usage, AMisspeltCommandIsNamedWithTheOneThatIsNear) {
  const auto near = Program().run({"trian", "photos"});
  EXPECT_EQ(near.exit_code, 2);
  EXPECT_THAT(near.err, AllOf(HasSubstr("trian"), HasSubstr("did you mean train?")));
  const auto far = Program().run({"frobnicate"});
  EXPECT_THAT(far.err, AllOf(HasSubstr("frobnicate: there is no such command"),
                             Not(HasSubstr("did you mean"))));
}

TEST(Usage, ModelsListsNamesSizesAndAccuracy) {
  const auto result = Program().run({"models"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("mobilenet_v2_1.0_224"), HasSubstr("71.8 %"), HasSubstr("3.54 M")));
  const auto list = nlohmann::json::parse(Program().run({"models", "--json"}).out);
  EXPECT_EQ(list.size(), 23u);
  EXPECT_EQ(list[0]["name"], "mobilenet_v2_1.0_224");
}

TEST(Usage, WithoutWeightsOneErrorNamesFileAddressAndFolder) {
  const Program program;
  const auto result = program.run({"classify", "--model", "mobilenet_v2_1.0_224", "x.jpg"});
  EXPECT_EQ(result.exit_code, 3);
  expect_one_line(result);
  EXPECT_THAT(
      result.err,
      AllOf(HasSubstr("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"),
            HasSubstr("https://"), HasSubstr((program.folder() / "cache" / "engraft").string())));
}

TEST(Usage, AClosedPipeIsAnErrorAndNotAKill) {
  const auto result =
      run_process({.program = "/bin/bash",
                   .arguments = {"-c", std::string("set -o pipefail; ") + ENGRAFT_PROGRAM +
                                           " models >/dev/full; echo $?"},
                   .environment = {},
                   .folder = {}});
  EXPECT_EQ(result.out, "6\n") << result.err;
}

}  // namespace engraft::test::usage_test
