#include "engraft/run/unfinished.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "engraft/base/file.h"
#include "engraft/formats/safetensors.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::unfinished_test {

namespace fs = std::filesystem;
using test::expect_error;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class UnfinishedRuns : public ::testing::Test {
 protected:
  static std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  [[nodiscard]] std::vector<std::string> names() const { return names_in(place_.path()); }
  [[nodiscard]] UnfinishedRun anew(const std::string& command = "{}") const {
    return UnfinishedRun(run_, Begin::kAnew, command);
  }
  static void save_something(UnfinishedRun& run) {
    run.checkpoints().save_result("fold1", SafetensorsFile());
  }
  /// As a killed process leaves it: with a command, a plan, and perhaps a checkpoint.
  void leave_unfinished(bool checkpoint, const std::string& command = "the command") const {
    UnfinishedRun run = anew(command);
    run.set_plan("the plan");
    if (checkpoint) save_something(run);
    run.keep();
  }
  void put_run_in_place(const std::string& results) const {
    write_file_atomic(run_ / "results.csv", results);
    write_file_atomic(run_ / "args.json", "{}");
  }

  test::TemporaryFolder place_;
  fs::path run_ = place_ / "run";
  fs::path folder_ = place_ / "run.unfinished";
};

TEST_F(UnfinishedRuns, LieBesideTheRun) {
  EXPECT_EQ(UnfinishedRun::folder_of(run_), folder_);
  EXPECT_EQ(UnfinishedRun::folder_of(place_ / "run/"), folder_);
  EXPECT_EQ(UnfinishedRun::folder_of(place_ / "a/../run"), folder_);
  EXPECT_TRUE(UnfinishedRun::folder_of("run").is_absolute());
}

TEST_F(UnfinishedRuns, KeepCommandAndPlan) {
  UnfinishedRun run = anew("the command");
  EXPECT_EQ(run.folder(), folder_);
  EXPECT_TRUE(run.earlier().empty());
  EXPECT_EQ(run.plan(), std::nullopt);
  run.set_plan("one");
  run.set_plan("two");
  EXPECT_EQ(run.plan(), "two");
  EXPECT_EQ(read_text_file(folder_ / "command.json"), "the command");
}

TEST_F(UnfinishedRuns, GoWhenNothingWasSaved) {
  {
    UnfinishedRun run = anew();
    run.set_plan("the plan");
    write_file_atomic(folder_ / kTensorBoardFolder / "model/events", "x");
  }
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(UnfinishedRuns, StayWithACheckpointOrWhenToldTo) {
  {
    UnfinishedRun run = anew();
    save_something(run);
  }
  EXPECT_THAT(names_in(folder_), UnorderedElementsAre("command.json", "fold1-result.safetensors"));
  fs::remove_all(folder_);
  leave_unfinished(false);
  EXPECT_THAT(names_in(folder_), UnorderedElementsAre("command.json", "plan.json"));
}

TEST_F(UnfinishedRuns, AreResumedWithWhatTheyHave) {
  leave_unfinished(true);
  {
    UnfinishedRun run(run_, Begin::kResume, "another command");
    EXPECT_EQ(run.plan(), "the plan");
    EXPECT_TRUE(run.checkpoints().result("fold1").has_value());
  }
  EXPECT_EQ(read_text_file(folder_ / "command.json"), "the command");
}

TEST_F(UnfinishedRuns, StayAfterAResumeThatFailedEvenWithoutACheckpoint) {
  leave_unfinished(false);
  { const UnfinishedRun run(run_, Begin::kResume, "{}"); }
  EXPECT_THAT(names(), ElementsAre("run.unfinished"));
}

TEST_F(UnfinishedRuns, CannotBeResumedWhereThereAreNone) {
  const auto resume = [&] { const UnfinishedRun run(run_, Begin::kResume, "{}"); };
  expect_error(
      ErrorKind::kNotFound,
      AllOf(HasSubstr(run_.string() + ": there is no unfinished run"), Not(HasSubstr("complete"))),
      resume);
  fs::create_directory(run_);
  expect_error(ErrorKind::kNotFound, HasSubstr("is no run of engraft's"), resume);
  fs::remove(run_);
  put_run_in_place("x");
  expect_error(ErrorKind::kNotFound, HasSubstr("it is complete, see report.html"), resume);
  fs::remove(run_ / "results.csv");
  expect_error(ErrorKind::kNotFound, HasSubstr("it is not complete, but nothing is left"), resume);
  EXPECT_THAT(names(), ElementsAre("run")) << "nothing was made";
}

TEST_F(UnfinishedRuns, AreNamedWithAndWithoutTheirSuffix) {
  const fs::path with = run_.string() + ".unfinished";
  EXPECT_EQ(UnfinishedRun::run_of(run_), run_);
  EXPECT_EQ(UnfinishedRun::run_of(with), run_);
  EXPECT_EQ(UnfinishedRun::run_of(with / ""), run_);
  EXPECT_EQ(UnfinishedRun::run_of(run_.parent_path() / ".unfinished"),
            run_.parent_path() / ".unfinished");
  fs::create_directory(with);
  write_file_atomic(with / "args.json", "{}");
  EXPECT_EQ(UnfinishedRun::run_of(with), with) << "a run may be called so";
}

TEST_F(UnfinishedRuns, ThatWereSetAsideAreNamedWithTheWayToGoOn) {
  leave_unfinished(true, R"({"command":["train","photos"]})");
  fs::create_directory(run_.string() + "-1");
  const UnfinishedRun anew(run_, Begin::kAnew, "{}");
  EXPECT_THAT(anew.earlier_in_words("run/"),
              ::testing::EndsWith("run.unfinished.1; to go on with it: mv run.unfinished.1 "
                                  "run-1.unfinished && engraft train --resume run-1"));
  const std::string there = anew.earlier_in_words(run_);
  const std::string other = run_.string() + "-2";
  EXPECT_THAT(there, HasSubstr("mv " + run_.string() + ".unfinished.1 " + other + ".unfinished"));
  EXPECT_THAT(anew.earlier_in_words("it's mine/run"),
              HasSubstr("mv 'it'\\''s mine/run.unfinished.1' 'it'\\''s mine/run-1.unfinished'"));
}

/// Of a distillation, the student gives the name; nothing of another student's is written over.
TEST_F(UnfinishedRuns, OfADistillationAreNamedByAStudentThatIsNotThere) {
  run_ = place_ / "small-run";
  leave_unfinished(true, R"({"command":["distill",{"bytes":[255]}]})");
  write_file_atomic(place_ / "small-1.onnx", "a model");
  fs::create_directory(place_ / "small-2-run");
  fs::create_directory(place_ / "small-3-run.unfinished");
  const UnfinishedRun anew(run_, Begin::kAnew, R"({"command":["train"]})");
  EXPECT_THAT(
      anew.earlier_in_words(run_.string() + "/"),
      AllOf(HasSubstr("mv " + (place_ / "small-run.unfinished.1 ").string() +
                      (place_ / "small-4-run.unfinished").string() + " && "),
            ::testing::EndsWith("engraft distill --resume " + (place_ / "small-4.onnx").string())));
  EXPECT_THAT(anew.earlier_in_words("run"), ::testing::EndsWith("--resume run-1.onnx"));
}

TEST_F(UnfinishedRuns, WhoseCommandSaysNothingAreOnlyNamed) {
  for (const char* command :
       {"the command", "{}", R"({"command":[]})", R"({"command":["sing"]})"}) {
    fs::remove_all(run_.string() + ".unfinished");
    fs::remove_all(run_.string() + ".unfinished.1");
    leave_unfinished(true, command);
    const UnfinishedRun anew(run_, Begin::kAnew, "{}");
    EXPECT_EQ(anew.earlier_in_words("run"),
              "An unfinished run of that name is kept as run.unfinished.1.")
        << command;
  }
}

TEST_F(UnfinishedRuns, CannotBeResumedBeforeTheyHaveACommand) {
  fs::create_directory(folder_);
  write_file_atomic(folder_ / ".command.json.999999.0.part", "ha");
  expect_error(ErrorKind::kNotFound, HasSubstr("there is no unfinished run"),
               [&] { const UnfinishedRun run(run_, Begin::kResume, "{}"); });
}

TEST_F(UnfinishedRuns, AreMovedAsideByTheNextUnderAFreeNumber) {
  for (const char* expected : {"", "run.unfinished.1", "run.unfinished.2"}) {
    UnfinishedRun run = anew(expected);
    EXPECT_EQ(run.earlier(), std::string(expected).empty() ? fs::path() : place_ / expected);
    save_something(run);
  }
  EXPECT_THAT(names(),
              UnorderedElementsAre("run.unfinished", "run.unfinished.1", "run.unfinished.2"));
  EXPECT_EQ(read_text_file(place_ / "run.unfinished.2/command.json"), "run.unfinished.1");
}

TEST_F(UnfinishedRuns, AreReplacedByTheNextWhereNothingWasSaved) {
  leave_unfinished(false);
  write_file_atomic(folder_ / ".plan.json.999999.3.part", "half");
  {
    const UnfinishedRun run = anew();
    EXPECT_TRUE(run.earlier().empty());
    EXPECT_EQ(run.plan(), std::nullopt);
    EXPECT_THAT(names(), ElementsAre("run.unfinished"));
  }
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(UnfinishedRuns, LeaveAllThatIsNotTheirs) {
  {
    const UnfinishedRun run = anew();
    write_file_atomic(folder_ / "notes.txt", "precious");
  }
  EXPECT_THAT(names_in(folder_), ElementsAre("notes.txt"));
  {
    UnfinishedRun run = anew();
    EXPECT_EQ(run.earlier(), place_ / "run.unfinished.1");
    write_file_atomic(folder_ / "more.txt", "precious");
    save_something(run);
    run.remove();
  }
  EXPECT_THAT(names_in(folder_), ElementsAre("more.txt"));
  EXPECT_EQ(read_text_file(place_ / "run.unfinished.1/notes.txt"), "precious");
}

TEST_F(UnfinishedRuns, MoveASomethingElseOfThatNameAside) {
  write_file_atomic(folder_, "a file, and precious");
  put_run_in_place("x");
  { const UnfinishedRun run = anew(); }
  EXPECT_EQ(read_text_file(place_ / "run.unfinished.1"), "a file, and precious");
  write_file_atomic(folder_ / "tensorboard/mine", "somebody's own folder of that name");
  write_file_atomic(folder_ / "drawing.png", "precious");
  { const UnfinishedRun run = anew(); }
  EXPECT_TRUE(fs::exists(place_ / "run.unfinished.2/tensorboard/mine"));
  EXPECT_TRUE(fs::exists(place_ / "run.unfinished.2/drawing.png"));
}

TEST_F(UnfinishedRuns, LeaveNothingWhenComplete) {
  {
    UnfinishedRun run = anew();
    run.set_plan("x");
    save_something(run);
    write_file_atomic(folder_ / kTensorBoardFolder / "model/events", "x");
    write_file_atomic(folder_ / ".plan.json.999999.0.part", "half");
    put_run_in_place("x");
    run.announce(run_ / "results.csv");
    run.remove();
  }
  EXPECT_THAT(names(), ElementsAre("run"));
}

TEST_F(UnfinishedRuns, GoWithTheWorkThatWasCarriedOut) {
  UnfinishedRun run = anew();
  run.set_plan("x");
  EXPECT_EQ(run.carry_out([] { return 7; }), 7);
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(UnfinishedRuns, StayAfterAStopAndAFullDiskAndAfterNothingElse) {
  const auto fail = [&](ErrorKind kind, bool planned) {
    {
      UnfinishedRun run = anew();
      if (planned) run.set_plan("x");
      expect_error(kind, HasSubstr("why"),
                   [&] { (void)run.carry_out([&]() -> int { throw Error(kind, "why"); }); });
    }
    const bool kept = !names().empty();
    fs::remove_all(folder_);
    return kept;
  };
  EXPECT_TRUE(fail(ErrorKind::kCancelled, false));
  EXPECT_TRUE(fail(ErrorKind::kCancelled, true));
  EXPECT_TRUE(fail(ErrorKind::kIo, true));
  EXPECT_FALSE(fail(ErrorKind::kIo, false));
  EXPECT_FALSE(fail(ErrorKind::kBadInput, true));
}

/// Killed between putting the run folder in place and removing what is beside it.
TEST_F(UnfinishedRuns, AreSettledWhenOnlyTheCleaningUpWasLeft) {
  {
    UnfinishedRun run = anew();
    save_something(run);
    put_run_in_place("times of this run");
    run.announce(run_ / "results.csv");
    write_file_atomic(folder_ / kTensorBoardFolder / "model/events", "x");
  }
  EXPECT_TRUE(UnfinishedRun::settle(run_));
  EXPECT_THAT(names(), ElementsAre("run"));
  EXPECT_FALSE(UnfinishedRun::settle(run_)) << "nothing to do";
}

TEST_F(UnfinishedRuns, AreSettledWhileTheyWereBeingRemoved) {
  put_run_in_place("x");
  write_file_atomic(folder_ / "complete", "whatever");
  EXPECT_TRUE(UnfinishedRun::settle(run_));
  EXPECT_THAT(names(), ElementsAre("run"));
  fs::create_directory(folder_);
  EXPECT_TRUE(UnfinishedRun::settle(run_));
  EXPECT_THAT(names(), ElementsAre("run"));
}

TEST_F(UnfinishedRuns, AreNotSettledByAnEarlierRunOfThatName) {
  put_run_in_place("an earlier one");
  leave_unfinished(true);
  EXPECT_FALSE(UnfinishedRun::settle(run_));
  write_file_atomic(place_ / "new/results.csv", "a later one");
  {
    UnfinishedRun run(run_, Begin::kResume, "{}");
    run.announce(place_ / "new/results.csv");
  }
  EXPECT_FALSE(UnfinishedRun::settle(run_)) << "killed right before it was put in place";
  EXPECT_TRUE(fs::exists(folder_ / "command.json"));
}

TEST_F(UnfinishedRuns, AreNotSettledWithCheckpointsButWithoutTheirCommand) {
  put_run_in_place("x");
  leave_unfinished(true);
  fs::remove(folder_ / "command.json");
  EXPECT_FALSE(UnfinishedRun::settle(run_));
  EXPECT_TRUE(fs::exists(folder_ / "fold1-result.safetensors"));
}

TEST_F(UnfinishedRuns, ThatOnlyNeedCleaningUpAreReplacedByTheNext) {
  {
    UnfinishedRun run = anew();
    save_something(run);
    put_run_in_place("x");
    run.announce(run_ / "results.csv");
  }
  { EXPECT_TRUE(anew().earlier().empty()); }
  EXPECT_THAT(names(), ElementsAre("run"));
}

TEST_F(UnfinishedRuns, AreForOneProcessAtATime) {
  UnfinishedRun mine = anew();
  save_something(mine);
  const ::pid_t other = ::fork();
  if (other == 0) {
    int refused = 0;
    for (const Begin begin : {Begin::kAnew, Begin::kResume}) {
      try {
        const UnfinishedRun theirs(run_, begin, "{}");
      } catch (const Error& error) {
        const std::string_view what = error.what();
        if (error.kind() == ErrorKind::kUsage && what.find("at work") != what.npos) ++refused;
      }
    }
    ::_exit(refused);
  }
  int status = 0;
  ::waitpid(other, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 2);
  EXPECT_THAT(names(), ElementsAre("run.unfinished"));
  EXPECT_THAT(names_in(folder_), UnorderedElementsAre("command.json", "fold1-result.safetensors"));
}

/// Begins anew again and again, looks whether somebody else puts a hand on what it has, and leaves
/// what the next only has to clean up.
int begin_often(const fs::path& run) {
  const std::string mine = std::to_string(::getpid());
  for (int i = 0; i < 25; ++i) {
    try {
      UnfinishedRun unfinished(run, Begin::kAnew, mine);
      unfinished.set_plan(mine);
      ::usleep(20);
      const fs::path command = unfinished.folder() / "command.json";
      if (unfinished.plan() != mine || read_text_file(command) != mine) return 1;
      unfinished.announce(run / "results.csv");
      unfinished.keep();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kUsage) continue;  // another is at work
      std::fprintf(stderr, "%s\n", error.what());
      return 2;
    }
  }
  return 0;
}

TEST_F(UnfinishedRuns, AreNobodyElsesHoweverManyBeginAtOnce) {
  put_run_in_place("x");
  std::vector<::pid_t> children;
  for (int i = 0; i < 6; ++i) {
    children.push_back(::fork());
    if (children.back() == 0) ::_exit(begin_often(run_));
  }
  for (const ::pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << WEXITSTATUS(status);
  }
  EXPECT_TRUE(UnfinishedRun::settle(run_));
  EXPECT_THAT(names(), ElementsAre("run"));
}

TEST_F(UnfinishedRuns, RefuseAPlaceThatIsNone) {
  write_file_atomic(place_ / "file", "text");
  expect_error(ErrorKind::kIo, HasSubstr("--out"),
               [&] { const UnfinishedRun run(place_ / "file/run", Begin::kAnew, "{}"); });
}

}  // namespace engraft::unfinished_test
