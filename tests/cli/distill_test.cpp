// `engraft distill` through the real binary, on drawn plates and small random networks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/plates.h"
#include "cli/program.h"
#include "engraft/base/file.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/model/model.h"

namespace engraft::test::distill_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Distill : public ::testing::Test {
 protected:
  void SetUp() override {
    Model model;
    model.network.graph = mobilenet_v2({.width = 0.35f, .image_size = 64, .classes = 4});
    model.network.weights = random_weights(model.network.graph, 7);
    model.preprocessing = keras_preprocessing();
    model.preprocessing.width = model.preprocessing.height = 64;
    for (int i = 0; i < 4; ++i) model.labels.push_back("thing " + std::to_string(i));
    save_model(model, in("teacher.onnx"));
    put_plates(in("plates"), 20);
  }

  [[nodiscard]] std::vector<std::string> words(const std::string& out,
                                               std::vector<std::string> more = {}) const {
    std::vector<std::string> all{"distill",   "plates",
                                 "--teacher", "teacher.onnx",
                                 "--student", "mobilenet_v2_0.35_32",
                                 "--batch",   "4",
                                 "--out",     out};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  void expect_failure(const std::vector<std::string>& arguments, int exit_code,
                      const std::string& named) const {
    const ProcessResult result = program_.run(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, AllOf(HasSubstr("engraft: "), HasSubstr(named)));
  }
  /// The number of the last look that was printed.
  static int last_epoch_of(const std::string& text) {
    const std::size_t at = text.rfind("epoch ");
    return at == std::string::npos ? 0 : std::stoi(text.substr(at + 6));
  }
  [[nodiscard]] fs::path in(const fs::path& name) const { return program_.folder() / name; }

  Program program_;
};

TEST_F(Distill, TeachesASmallNetworkThatThenClassifies) {
  const ProcessResult result =
      program_.run(words("small.onnx", {"--epochs", "2", "--sample-drawn", "4", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json summary = json::parse(result.out);
  EXPECT_EQ(summary["model"], "small.onnx");
  EXPECT_EQ(summary["run"], "small-run");
  EXPECT_EQ(summary["epochs"], 2);
  EXPECT_GE(summary["pictures"].get<int>(), 20);
  const json arguments = json::parse(slurp(in("small-run/args.json")));
  EXPECT_EQ(arguments["student"], "mobilenet_v2_0.35_32");
  EXPECT_EQ(arguments["drawn"], 4);
  const ProcessResult classified =
      program_.run({"classify", "--model", "small.onnx", "plates/clean_000.jpg", "--json"});
  EXPECT_EQ(classified.exit_code, 0) << classified.err;
  EXPECT_THAT(classified.out, HasSubstr("thing "));
}

TEST_F(Distill, TakesTheHeadsOverThatEngraftTrains) {
  const std::vector<std::vector<std::string>> heads{
      {"--head", "mlp", "--hidden", "16"},
      {"--head", "mlp", "--hidden", "16", "--loss", "sigmoid"},
      {"--head", "linear", "--loss", "sigmoid"},
      {"--head", "mlp", "--hidden", "16", "--features", "logits"},
      {"--head", "linear", "--features", "probabilities", "--fine-tune", "last", "--tune-epochs",
       "1"}};
  for (const std::vector<std::string>& head : heads) {
    const std::string named = testing::PrintToString(head);
    std::vector<std::string> train{"train",        "plates",   "--labels", "labels.csv", "--model",
                                   "teacher.onnx", "--epochs", "2",        "--out",      "trained"};
    train.insert(train.end(), head.begin(), head.end());
    const ProcessResult trained = program_.run(train);
    ASSERT_EQ(trained.exit_code, 0) << named << trained.err;
    std::vector<std::string> distill = words("small.onnx", {"--epochs", "2"});
    *(std::ranges::find(distill, "--teacher") + 1) = "trained/model.onnx";
    const ProcessResult taught = program_.run(distill);
    ASSERT_EQ(taught.exit_code, 0) << named << taught.err;
    const ProcessResult classified =
        program_.run({"classify", "--model", "small.onnx", "plates/dirty_000.jpg"});
    EXPECT_EQ(classified.exit_code, 0) << named << classified.err;
    EXPECT_THAT(classified.out, AllOf(HasSubstr("clean"), HasSubstr("dirty"))) << named;
    const Model teacher = load_model(in("trained/model.onnx"));
    const Model student = load_model(in("small.onnx"));
    EXPECT_EQ(student.labels, teacher.labels);
    const Graph& whole = teacher.network.graph;
    const Graph taken = part_behind(whole, whole.find(kPooledValue));
    for (const Node& node : taken.nodes()) {
      for (const std::string& name : node.parameters) {
        EXPECT_TRUE(std::ranges::equal(student.network.weights.at(name).values(),
                                       teacher.network.weights.at(name).values()))
            << name;
      }
    }
    for (const char* made : {"trained", "small-run", "small.onnx"}) fs::remove_all(in(made));
  }
}

TEST_F(Distill, NamesTheLayerOfATeachersHeadThatAStudentCannotTakeOver) {
  Model model = load_model(in("teacher.onnx"));
  GraphBuilder g({1280});
  const ValueId hidden = g.apply(Op::kHardSwish, "swish", g.dense("hidden", g.input(), 8));
  Network head{.graph = g.finish(g.apply(Op::kSoftmax, "softmax", g.dense("last", hidden, 4))),
               .weights = {}};
  head.weights = random_weights(head.graph, 1);
  model.network = graft(base_at(model, FeatureLevel::kPooled), head);
  save_model(model, in("odd.onnx"));
  std::vector<std::string> distill = words("small.onnx");
  *(std::ranges::find(distill, "--teacher") + 1) = "odd.onnx";
  expect_failure(distill, 5, "odd.onnx: the teacher's head has a layer 'swish' (hard_swish)");
  EXPECT_FALSE(fs::exists(in("small-run.unfinished")));
}

TEST_F(Distill, StoppedByCtrlCItSaysHowToGoOnAndEndsInTheSameBytes) {
  const std::vector<std::string> more{"--epochs", "12", "--look-every", "1"};
  ASSERT_EQ(program_.run(words("whole.onnx", more)).exit_code, 0);
  Invocation stopped = program_.invocation(words("small.onnx", more));
  stopped.signal = SIGINT;
  stopped.signal_after = "epoch 1:";
  const ProcessResult first = run_process(stopped);
  ASSERT_EQ(first.exit_code, 130) << first.err;
  EXPECT_THAT(first.err, HasSubstr("go on with: engraft distill --resume small.onnx"));
  const ProcessResult second =
      program_.run({"distill", "--resume", "small.onnx", "--threads", "1", "--json"});
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(json::parse(second.out)["epochs"], 12);
  EXPECT_EQ(slurp(in("small.onnx")), slurp(in("whole.onnx")));
  expect_failure({"distill", "--resume", "small.onnx"}, 3, "no unfinished run");
}

TEST_F(Distill, KilledItGoesOnAndMayBeMadeLonger) {
  Invocation killed =
      program_.invocation(words("small.onnx", {"--epochs", "1000", "--look-every", "1",
                                               "--checkpoint-every", "0.2", "--hold-out", "0"}));
  killed.signal = SIGKILL;
  killed.signal_after = "epoch 3:";
  const ProcessResult first = run_process(killed);
  ASSERT_EQ(first.exit_code, 128 + SIGKILL);
  EXPECT_TRUE(fs::exists(in("small.onnx")));  // as it was at the last look
  // The signal may come some epochs late; the rate must not have begun to fall by then.
  const int epochs = 5 + 2 * last_epoch_of(first.err);
  const ProcessResult result = program_.run(
      {"distill", "--resume", "small.onnx", "--epochs", std::to_string(epochs), "--threads", "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("in " + std::to_string(epochs) + " epochs"));
}

TEST_F(Distill, GoesOnWithARunThatIsNamedAsWhatLiesThereAfterACrash) {
  Invocation killed =
      program_.invocation(words("small.onnx", {"--epochs", "12", "--look-every", "1"}));
  killed.signal = SIGKILL;
  killed.signal_after = "epoch 1:";
  ASSERT_EQ(run_process(killed).exit_code, 128 + SIGKILL);
  for (const char* name : {"small", "small-run", "small-run.unfinished", "small-run.unfinished/"}) {
    fs::copy(in("small-run.unfinished"), in("copy"));
    const ProcessResult result = program_.run({"distill", "--resume", name});
    EXPECT_EQ(result.exit_code, 0) << name << ": " << result.err;
    EXPECT_TRUE(fs::exists(in("small-run/report.html"))) << name;
    fs::remove_all(in("small-run"));
    fs::rename(in("copy"), in("small-run.unfinished"));
  }
}

TEST_F(Distill, ABegunRunIsKeptAsideByANewOneAndGoesOnAsItSays) {
  const std::vector<std::string> more{"--epochs",           "12", "--look-every", "1",
                                      "--checkpoint-every", "0"};
  Invocation killed = program_.invocation(words("small.onnx", more));
  killed.signal = SIGKILL;
  killed.signal_after = "epoch 1:";
  ASSERT_EQ(run_process(killed).exit_code, 128 + SIGKILL);
  fs::remove(in("small.onnx"));
  const ProcessResult anew = program_.run(words("small.onnx", more));
  ASSERT_EQ(anew.exit_code, 0) << anew.err;
  const std::string commands =
      "mv small-run.unfinished.1 small-1-run.unfinished && engraft distill --resume small-1.onnx";
  const std::string said =
      "An unfinished run of that name is kept as small-run.unfinished.1; to go on with it: ";
  EXPECT_THAT(anew.err, HasSubstr(said + commands)) << "before hours have gone by";
  EXPECT_THAT(anew.out, HasSubstr(said + commands + "\n"));
  Invocation shell =
      program_.invocation({"-c", "engraft() { \"$0\" \"$@\"; }; " + commands, ENGRAFT_PROGRAM});
  shell.program = "/bin/sh";
  const ProcessResult gone_on = run_process(shell);
  ASSERT_EQ(gone_on.exit_code, 0) << gone_on.err;
  EXPECT_TRUE(fs::exists(in("small-1-run/report.html")));
  EXPECT_FALSE(fs::exists(in("small-1-run.unfinished")));
  EXPECT_EQ(slurp(in("small-1.onnx")), slurp(in("small.onnx")));
}

/// Names in ISO 8859-1, as old archives have them.
TEST_F(Distill, GoesOnWhereNamesAreNotUtf8) {
  fs::create_directory(in("b\xFCro"));
  fs::rename(in("plates"), in("b\xFCro/t\xE4ller"));
  fs::rename(in("teacher.onnx"), in("b\xFCro/g\xF6the.onnx"));
  std::vector<std::string> arguments =
      words("sch\xFCler.onnx", {"--epochs", "12", "--look-every", "1"});
  std::ranges::replace(arguments, "plates", "t\xE4ller");
  std::ranges::replace(arguments, "teacher.onnx", "g\xF6the.onnx");
  Invocation killed = program_.invocation(arguments);
  killed.folder = in("b\xFCro");
  killed.signal = SIGKILL;
  killed.signal_after = "epoch 1:";
  const ProcessResult first = run_process(killed);
  ASSERT_EQ(first.exit_code, 128 + SIGKILL) << first.err;
  const ProcessResult resumed = program_.run({"distill", "--resume", "b\xFCro/sch\xFCler.onnx"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  std::ranges::replace(arguments, "sch\xFCler.onnx", "whole.onnx");
  Invocation undisturbed = program_.invocation(arguments);
  undisturbed.folder = in("b\xFCro");
  ASSERT_EQ(run_process(undisturbed).exit_code, 0);
  EXPECT_EQ(slurp(in("b\xFCro/sch\xFCler.onnx")), slurp(in("b\xFCro/whole.onnx")));
}

TEST_F(Distill, SaysWhereARunCannotGoOn) {
  Invocation killed =
      program_.invocation(words("small.onnx", {"--epochs", "1000", "--look-every", "1"}));
  killed.signal = SIGKILL;
  killed.signal_after = "epoch 1:";
  ASSERT_EQ(run_process(killed).exit_code, 128 + SIGKILL);
  expect_failure({"train", "--resume", "small-run"}, 2, "go on with engraft distill --resume");
  const std::vector<std::string> again{"distill", "--resume", "small.onnx"};
  const fs::path file = in("small-run.unfinished/command.json");
  json command = json::parse(slurp(file));
  command["directory"] = "/no/such/folder";
  write_file_atomic(file, command.dump());
  expect_failure(again, 3, "/no/such/folder: the run was begun there");
  for (const json& word : {json(5), json{{"letters", 5}}, json{{"bytes", "x"}}}) {
    command["directory"] = word;
    write_file_atomic(file, command.dump());
    expect_failure(again, 4, "command.json: damaged; begin the run anew");
  }
  write_file_atomic(file, "{}");
  expect_failure(again, 4, "command.json: damaged; begin the run anew");
}

TEST_F(Distill, RefusesWhatMakesNoSense) {
  expect_failure({"distill"}, 2, "--out NAME.onnx");
  expect_failure({"distill", "plates"}, 2, "--out NAME.onnx");
  expect_failure(words("teacher.onnx"), 2, "there already");
  expect_failure(words("small.h5"), 2, ".onnx");
  expect_failure(words("small.onnx", {"--mixed", "2"}), 2, "--mixed");
  expect_failure(words("small.onnx", {"--epochs", "2", "--budget", "1m"}), 2, "--budget");
  expect_failure(words("small.onnx", {"--probe", "nowhere"}), 3, "nowhere");
  expect_failure({"distill", "--resume", "small.onnx", "--batch", "8"}, 2, "leave out --batch");
  expect_failure({"distill", "--resume", "small.onnx"}, 3, "small.onnx");
  EXPECT_FALSE(fs::exists(in("small-run")));
  EXPECT_FALSE(fs::exists(in("small-run.unfinished")));
}

TEST_F(Distill, HelpNamesItAndItsOptions) {
  const ProcessResult help = program_.run({"distill", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* option : {"--teacher", "--student", "--views", "--probe", "--resume"}) {
    EXPECT_THAT(help.out, HasSubstr(option));
  }
  EXPECT_THAT(program_.run({"--help"}).out, HasSubstr("distill"));
}

}  // namespace engraft::test::distill_test
