// Runs that are stopped, killed or cut short by a full disk, and what --resume makes of them.
#include <fmt/format.h>
#include <sys/stat.h>

#include <functional>

#include "cli/tuning.h"
#include "engraft/base/hash.h"
#include "engraft/formats/safetensors.h"

namespace engraft::test::resume_test {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// A run in the background.
class Process {
 public:
  Process(const Invocation& invocation, const fs::path& err) : child_(::fork()) {
    if (child_ == 0) become(invocation, "/dev/null", err);
  }
  ~Process() { end(SIGKILL); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Waits until that holds, for half a minute at most; false if the process ended before.
  [[nodiscard]] bool wait_until(const std::function<bool()>& holds) {
    for (int tries = 0; tries < 15'000; ++tries) {
      if (holds()) return true;
      if (::waitpid(child_, nullptr, WNOHANG) == child_) {
        child_ = -1;
        return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }
  void end(int signal) {
    if (child_ < 0) return;
    ::kill(child_, signal);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }

 private:
  pid_t child_;
};

class Resume : public TuningRuns {
 protected:
  [[nodiscard]] ProcessResult resume(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"train", "--resume", "runs/photos"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return program_.run(arguments);
  }
  [[nodiscard]] std::vector<fs::path> saved(const std::string& beginning) const {
    std::vector<fs::path> files;
    for (const std::string& name : names_in(unfinished_)) {
      if (name.starts_with(beginning) && name.ends_with(".safetensors")) {
        files.push_back(unfinished_ / name);
      }
    }
    return files;
  }
  /// Starts a run and kills it as soon as that holds.
  void kill_when(const std::function<bool()>& holds) const {
    Process process(program_.invocation(command(options_)), in("said"));
    ASSERT_TRUE(process.wait_until(holds)) << slurp(in("said"));
    process.end(SIGKILL);
  }
  void kill_with_two_checkpoints() const {
    kill_when([&] { return saved("model-").size() >= 2; });
  }
  /// Resumes, which must succeed and end in the bits of a run that nobody stopped.
  void expect_same_as_undisturbed(const std::vector<std::string>& more = {}) const {
    const ProcessResult resumed = resume(more);
    ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_THAT(names_in(in("runs")), ElementsAre("photos"));
    auto undisturbed = options_;
    undisturbed.insert(undisturbed.end(), {"--out", "undisturbed"});
    trained(undisturbed, "undisturbed");
    expect_same_run(in("runs/photos"), in("undisturbed"));
  }

  fs::path unfinished_ = in("runs/photos.unfinished");
  std::vector<std::string> options_{"--fine-tune",        "last", "--tune-epochs", "8",
                                    "--checkpoint-every", "0",    "--threads",     "2"};
};

TEST_F(Resume, AnInterruptNamesTheCommandThatGoesOn) {
  options_[3] = "60";
  options_[5] = "30";  // the interrupt itself makes the checkpoint
  Invocation invocation = program_.invocation(command(options_));
  invocation.signal = SIGINT;
  invocation.signal_after = "Fine-tuning: ";
  const ProcessResult stopped = run_process(invocation);
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("; go on with: engraft train --resume runs/photos\n"));
  EXPECT_THAT(names_in(in("runs")), ElementsAre("photos.unfinished"));
  expect_same_as_undisturbed({"--threads", "1"});
}

TEST_F(Resume, AfterAKillEndsInTheSameBits) {
  kill_with_two_checkpoints();
  EXPECT_FALSE(fs::exists(in("runs/photos")));
  expect_same_as_undisturbed({"--threads", "3", "--json"});
}

TEST_F(Resume, WorksFromAnotherFolder) {
  kill_with_two_checkpoints();
  Invocation invocation =
      program_.invocation({"train", "--resume", (in("runs") / "photos").string() + "/", "--json"});
  invocation.folder = "/";
  const ProcessResult result = run_process(invocation);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out)["n"], 2 * kEach / 5);
  EXPECT_THAT(names_in(in("runs")), ElementsAre("photos"));
}

/// Names in ISO 8859-1, as old archives have them.
TEST_F(Resume, GoesOnWhereNamesAreNotUtf8) {
  const fs::path office = in("b\xFCro");
  fs::create_directory(office);
  fs::rename(in("photos"), office / "f\xF6tos");
  fs::rename(in("base.onnx"), office / "b\xE4se.onnx");
  const auto in_office = [&](const fs::path& out) {
    options_.resize(8);
    options_.insert(options_.end(), {"--out", out.string()});
    std::vector<std::string> words = command(options_);
    std::ranges::replace(words, "photos", "f\xF6tos");
    std::ranges::replace(words, "base.onnx", "b\xE4se.onnx");
    Invocation invocation = program_.invocation(words);
    invocation.folder = office;
    return invocation;
  };
  unfinished_ = office / "l\xE4ufe.unfinished";
  {
    Process process(in_office("l\xE4ufe"), in("said"));
    ASSERT_TRUE(process.wait_until([&] { return saved("model-").size() >= 2; }))
        << slurp(in("said"));
    process.end(SIGKILL);
  }
  const ProcessResult resumed = program_.run({"train", "--resume", "b\xFCro/l\xE4ufe"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  const ProcessResult undisturbed = run_process(in_office(in("undisturbed")));
  ASSERT_EQ(undisturbed.exit_code, 0) << undisturbed.err;
  expect_same_run(office / "l\xE4ufe", in("undisturbed"));
}

TEST_F(Resume, FinishedFoldsAreNotTrainedAgain) {
  options_[3] = "4";
  options_.insert(options_.end(), {"--folds", "2"});
  kill_when([&] { return !saved("fold1-result").empty() && !saved("fold2-0").empty(); });
  EXPECT_THAT(saved("fold1-0"), IsEmpty());
  fs::copy(unfinished_, in("copy"));
  expect_same_as_undisturbed();

  // What the saved result says is taken at its word.
  fs::copy(in("copy"), unfinished_);
  SafetensorsFile result = read_safetensors(saved("fold1-result").at(0), DigestRule::kRequired);
  Tensor probabilities = to_tensor(result.tensors.at("probabilities"));
  std::ranges::fill(probabilities.values(), 0.5f);
  result.tensors.insert_or_assign("probabilities", make_entry(probabilities));
  write_safetensors(saved("fold1-result").at(0), result);
  ASSERT_EQ(resume().exit_code, 0);
  int marked = 0;
  for (const auto& row : rows_of(in("runs/photos/predictions.csv"))) {
    const bool is_marked = row.at(5) == "0.5" && row.at(6) == "0.5";
    EXPECT_EQ(is_marked, row.at(4) == "1") << row[0];
    marked += is_marked ? 1 : 0;
  }
  EXPECT_EQ(marked, kEach);
}

TEST_F(Resume, AnInt8RunEndsInTheSameBits) {
  options_.insert(options_.end(), {"--precision", "int8"});
  kill_with_two_checkpoints();
  expect_same_as_undisturbed({"--threads", "1"});
}

TEST_F(Resume, FinishedFoldsOfAnInt8RunAreJudgedInBothPrecisions) {
  options_[3] = "4";
  options_.insert(options_.end(), {"--folds", "2", "--precision", "int8"});
  kill_when([&] { return !saved("fold1-result").empty() && !saved("fold2-0").empty(); });
  const SafetensorsFile result =
      read_safetensors(saved("fold1-result").at(0), DigestRule::kRequired);
  EXPECT_TRUE(result.tensors.contains("probabilities_float32"));
  EXPECT_NE(result.tensors.at("probabilities_float32"), result.tensors.at("probabilities"));
  const ProcessResult resumed = resume({"--json"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  auto again = options_;
  again.insert(again.end(), {"--out", "undisturbed", "--json"});
  const ProcessResult undisturbed = train(again);
  ASSERT_EQ(undisturbed.exit_code, 0) << undisturbed.err;
  expect_same_run(in("runs/photos"), in("undisturbed"));
  EXPECT_EQ(nlohmann::json::parse(resumed.out)["float32"],
            nlohmann::json::parse(undisturbed.out)["float32"]);
}

TEST_F(Resume, AResultOfAFoldWithAnotherNumberOfEpochsIsNamed) {
  options_[3] = "4";
  options_.insert(options_.end(), {"--folds", "2"});
  kill_when([&] { return !saved("fold1-result").empty(); });
  const fs::path path = saved("fold1-result").at(0);
  SafetensorsFile result = read_safetensors(path, DigestRule::kRequired);
  std::vector<double> rows = values_of<double>(result.tensors.at("history"));
  rows.resize(rows.size() - 7);
  const Shape shape{static_cast<std::int64_t>(rows.size() / 7), 7};
  result.tensors.insert_or_assign("history", make_entry<double>(shape, rows));
  write_safetensors(path, result);
  const ProcessResult refused = resume();
  expect_failure(refused, 4, path.string() + ": damaged: it has 6 of 7 epochs");
  EXPECT_THAT(refused.err, HasSubstr("remove it, and fold1 is run again"));
}

TEST_F(Resume, ADamagedResultOfAFoldIsNamedAndCanBeRemoved) {
  options_[3] = "4";
  options_.insert(options_.end(), {"--folds", "2"});
  kill_when([&] { return !saved("fold1-result").empty(); });
  write_file_atomic(saved("fold1-result").at(0), "damaged");
  const ProcessResult damaged = resume();
  expect_failure(damaged, 4, "fold1-result.safetensors");
  EXPECT_THAT(damaged.err, HasSubstr("remove it, and fold1 is run again"));
  fs::remove(saved("fold1-result").at(0));
  expect_same_as_undisturbed();
}

TEST_F(Resume, RefusesPicturesThatHaveChanged) {
  kill_with_two_checkpoints();
  fs::rename(in("photos/red/3.png"), in("away.png"));
  expect_failure(resume(), 4, "have changed since this run was begun; begin it anew");
  for (int i = 0; i < kEach; ++i) write_picture("photos/green", i, 1);
  expect_failure(resume(), 4, "have changed since this run was begun; begin it anew");
  fs::rename(in("away.png"), in("photos/red/3.png"));
  fs::remove_all(in("photos/green"));
  expect_same_as_undisturbed();
}

TEST_F(Resume, GoesBackToTheCheckpointBeforeADamagedOne) {
  kill_with_two_checkpoints();
  const auto both = saved("model-");
  std::string damaged = slurp(both.back());
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  write_file_atomic(both.back(), damaged);
  const ProcessResult resumed = resume();
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, AllOf(HasSubstr(both.back().filename().string()),
                                 HasSubstr("went back to " + both.front().filename().string())));
  auto undisturbed = options_;
  undisturbed.insert(undisturbed.end(), {"--out", "undisturbed"});
  expect_same_run(in("runs/photos"), trained(undisturbed, "undisturbed"));
}

TEST_F(Resume, SaysWhereNothingCanBeRead) {
  kill_with_two_checkpoints();
  for (const fs::path& file : saved("model-")) write_file_atomic(file, "nothing");
  expect_failure(resume(), 4, "no checkpoint of model can be read; begin that run anew");
  write_file_atomic(unfinished_ / "plan.json", "{");
  expect_failure(resume(), 4, "plan.json: the plan of the run is damaged");
  write_file_atomic(unfinished_ / "command.json", "{}");
  expect_failure(resume(), 4, "command.json: damaged; begin the run anew");
  nlohmann::json command{{"directory", program_.folder().path().string()},
                         {"command", {"train", "photos", "--no-such-option"}}};
  write_file_atomic(unfinished_ / "command.json", command.dump());
  expect_failure(resume(), 4, "command.json: ");
  EXPECT_THAT(resume().err, AllOf(HasSubstr("--no-such-option"), HasSubstr("begin the run anew")));
  for (const char* bytes : {"[300]", "[-1]", "[46.5]", "46"}) {
    command["directory"] = {{"bytes", nlohmann::json::parse(bytes)}};
    write_file_atomic(unfinished_ / "command.json", command.dump());
    expect_failure(resume(), 4, "command.json: damaged; begin the run anew");
  }
  command["directory"] = "/no/such/folder";
  write_file_atomic(unfinished_ / "command.json", command.dump());
  expect_failure(resume(), 3, "/no/such/folder: the run was begun there");
}

/// Its digest is right, and still it is not of this training.
TEST_F(Resume, NamesACheckpointThatDoesNotFit) {
  kill_with_two_checkpoints();
  for (const fs::path& path : saved("model-")) {
    SafetensorsFile file = read_safetensors(path, DigestRule::kRequired);
    const std::vector<std::int64_t> nine{9};
    file.tensors.insert_or_assign("position/pictures", make_entry<std::int64_t>(Shape{}, nine));
    write_safetensors(path, file);
  }
  const ProcessResult result = resume();
  expect_failure(result, 4, saved("model-").back().string() + ": ");
  EXPECT_THAT(result.err, HasSubstr("begin this one anew"));
}

TEST_F(Resume, OfWhatIsNotThereOrComplete) {
  expect_failure(resume(), 3, "there is no unfinished run of that name to resume");
  trained({});
  expect_failure(resume(), 3,
                 "runs/photos: it is complete, see report.html in it; to train again leave out "
                 "--resume");
  for (const char* none : {"photos", "base.onnx", "/tmp"}) {
    const ProcessResult result = program_.run({"train", "--resume", none});
    expect_failure(result, 3, std::string(none) + ": is no run of engraft's");
    EXPECT_THAT(result.err, AllOf(HasSubstr("args.json"), HasSubstr("--resume runs/photos"),
                                  Not(HasSubstr("complete"))));
  }
}

TEST_F(Resume, TakesTheNameOfTheFolderThatLiesThere) {
  kill_with_two_checkpoints();
  const ProcessResult result = program_.run({"train", "--resume", "runs/photos.unfinished/"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(names_in(in("runs")), ElementsAre("photos"));
}

TEST_F(Resume, OfARunThatOnlyHadToCleanUpDoesThat) {
  trained({"--fine-tune", "last", "--tune-epochs", "1"});
  write_file_atomic(unfinished_ / "command.json", "{}");
  write_file_atomic(unfinished_ / "complete",
                    sha256(read_file(in("runs/photos/results.csv"))).hex() + "\n");
  const ProcessResult result = resume();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("runs/photos: was complete already"));
  EXPECT_THAT(names_in(in("runs")), ElementsAre("photos"));
}

TEST_F(Resume, KeepsToItsMicroBatchAndSaysHowMuchMemoryThatTakes) {
  kill_with_two_checkpoints();
  expect_failure(resume({"--memory", "1M"}), 2, "allow more with --memory");
  EXPECT_TRUE(fs::exists(unfinished_));
  expect_same_as_undisturbed({"--memory", "8G"});
}

/// Into a folder that stands there, empty, before the run: a plain one takes the run's name at
/// once; what a link leads to is filled file by file.
TEST_F(Resume, AfterAKillInAnEmptyFolderEndsInTheSameBits) {
  for (const bool linked : {false, true}) {
    fs::remove_all(in("runs"));
    fs::remove_all(in("undisturbed"));
    fs::create_directories(in("runs"));
    fs::create_directory(in(linked ? "real" : "runs/photos"));
    if (linked) fs::create_directory_symlink(in("real"), in("runs/photos"));
    kill_with_two_checkpoints();
    EXPECT_THAT(names_in(in("runs/photos")).size(), linked ? 1u : 0u);
    expect_same_as_undisturbed();
  }
}

/// A disk that is full, say, when the event files are copied.
TEST_F(Resume, EventFilesThatCannotBeCopiedLoseNothing) {
  options_.emplace_back("--tensorboard");
  kill_with_two_checkpoints();
  const fs::path pipe = unfinished_ / "tensorboard/model/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const ProcessResult failed = resume();
  expect_failure(failed, 6, "cannot be copied into the run folder");
  EXPECT_THAT(failed.err, HasSubstr("go on with: engraft train --resume"));
  fs::remove(pipe);
  expect_same_as_undisturbed();
}

TEST_F(Resume, TakesNoOtherOptions) {
  kill_with_two_checkpoints();
  expect_failure(resume({"--tune-lr", "1"}), 2, "leave out --tune-lr");
  expect_failure(program_.run({"train", "photos", "--resume", "runs/photos"}), 2, "leave out");
  EXPECT_TRUE(fs::exists(unfinished_));
}

TEST_F(Resume, IsNotForARunThatGoesOn) {
  options_[3] = "100000";
  Process process(program_.invocation(command(options_)), in("said"));
  ASSERT_TRUE(process.wait_until([&] { return !saved("model-").empty(); })) << slurp(in("said"));
  expect_failure(resume(), 2, "another engraft is at work on this run");
  expect_failure(train(options_), 2, "another engraft is at work on this run");
}

TEST_F(Resume, ABegunRunIsKeptAsideByANewOne) {
  kill_with_two_checkpoints();
  const ProcessResult anew = train(options_);
  ASSERT_EQ(anew.exit_code, 0) << anew.err;
  const std::string said =
      "An unfinished run of that name is kept as runs/photos.unfinished.1; to "
      "go on with it: ";
  EXPECT_THAT(anew.err, HasSubstr(said)) << "before hours have gone by";
  EXPECT_THAT(names_in(in("runs")), ElementsAre("photos", "photos.unfinished.1"));

  const auto begin = anew.out.find(said);
  ASSERT_NE(begin, std::string::npos) << anew.out;
  std::string words = anew.out.substr(begin + said.size());
  words = words.substr(0, words.find('\n'));
  ASSERT_THAT(words, HasSubstr(" && engraft "));
  words.replace(words.find("engraft"), 7, "\"$0\"");
  Invocation shell = program_.invocation({"-c", words, ENGRAFT_PROGRAM});
  shell.program = "/bin/sh";
  const ProcessResult gone_on = run_process(shell);
  ASSERT_EQ(gone_on.exit_code, 0) << gone_on.err;
  EXPECT_THAT(names_in(in("runs")), ElementsAre("photos", "photos-1"));
  expect_same_run(in("runs/photos"), in("runs/photos-1"));
}

/// Half a disk: the first checkpoints fit, those with the weights of a best epoch do not.
TEST_F(Resume, AFullDiskLosesNoEarlierCheckpoint) {
  options_ = {"--fine-tune",        "all", "--tune-epochs", "3",  "--tune-optimizer", "sgd",
              "--checkpoint-every", "0",   "--ema",         "0.9"};
  Invocation limited = program_.invocation({});
  std::vector<std::string> words = command(options_);
  limited.program = "/bin/sh";
  limited.arguments = {"-c", "ulimit -f 10600; exec \"$0\" \"$@\"", ENGRAFT_PROGRAM};
  limited.arguments.insert(limited.arguments.end(), words.begin(), words.end());
  const ProcessResult full = run_process(limited);
  expect_failure(full, 6, "cannot write");
  EXPECT_THAT(full.err, AllOf(HasSubstr("the earlier checkpoint model-000001.safetensors is kept"),
                              HasSubstr("go on with: engraft train --resume runs/photos")));
  EXPECT_EQ(saved("model-").size(), 1u);
  expect_same_as_undisturbed();
}

TEST_F(Resume, AFullDiskBeforeTheFirstCheckpointCanBeResumed) {
  Invocation limited = program_.invocation({});
  std::vector<std::string> words = command(options_);
  limited.program = "/bin/sh";
  limited.arguments = {"-c", "ulimit -f 1000; exec \"$0\" \"$@\"", ENGRAFT_PROGRAM};
  limited.arguments.insert(limited.arguments.end(), words.begin(), words.end());
  const ProcessResult full = run_process(limited);
  expect_failure(full, 6, "there is no earlier checkpoint");
  const ProcessResult resumed = resume();
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(names_in(in("runs")), ElementsAre("photos"));
}

}  // namespace engraft::test::resume_test
