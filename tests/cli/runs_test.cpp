// Whole runs through the real binary, on drawn plates and a small random network: no data from
// anywhere else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/plates.h"
#include "cli/program.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/model/model.h"

namespace engraft::test::runs_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr int kSide = 64;
constexpr int kPictures = 40;

/// A base of ten made-up classes, small enough to run in a millisecond.
void write_base(const fs::path& file) {
  Model model;
  model.network.graph = mobilenet_v2({.width = 0.35f, .image_size = kSide, .classes = 10});
  model.network.weights = random_weights(model.network.graph, 7);
  model.preprocessing.width = model.preprocessing.height = kSide;
  for (int i = 0; i < 10; ++i) model.labels.push_back("thing " + std::to_string(i));
  save_model(model, file);
}

/// Files of a folder, by name.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

/// A CSV without its last column (the time).
std::string without_last_column(const std::string& csv) {
  std::istringstream lines(csv);
  std::string kept;
  for (std::string line; std::getline(lines, line);) kept += line.substr(0, line.rfind(',')) + "\n";
  return kept;
}

class Runs : public ::testing::Test {
 protected:
  void SetUp() override {
    write_base(base_);
    put_plates(plates_, kPictures);
  }

  ProcessResult train(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"train",   plates_.string(), "--labels", "labels.csv",
                                       "--model", base_.string(),   "--epochs", "6"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return program_.run(arguments);
  }
  json train_json(std::vector<std::string> more = {}) const {
    more.emplace_back("--json");
    const ProcessResult result = train(more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out);
  }
  [[nodiscard]] fs::path in(const fs::path& name) const { return program_.folder() / name; }

  Program program_;
  fs::path base_ = program_.folder() / "base.onnx";
  fs::path plates_ = program_.folder() / "plates";
};

TEST_F(Runs, ARunFolderHoldsEverything) {
  const ProcessResult result = train();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(names_in(in("runs/plates")),
              UnorderedElementsAre("args.json", "confusion.png", "curves.png", "model.onnx",
                                   "predictions.csv", "predictions.png", "report.html",
                                   "results.csv", "split.csv"));
  EXPECT_THAT(names_in(in("runs")), UnorderedElementsAre("plates"));
  EXPECT_THAT(result.out, HasSubstr("runs/plates/report.html"));
  EXPECT_THAT(result.out, HasSubstr("One mistake more or less is 12.5 points"));
  EXPECT_EQ(json::parse(slurp(in("runs/plates/args.json")))["epochs"], 6);
}

TEST_F(Runs, JsonIsOneObjectOfTheDocumentedForm) {
  const json result = train_json();
  EXPECT_EQ(result["run"], "runs/plates");
  EXPECT_EQ(result["n"], kPictures / 5);
  EXPECT_GE(result["accuracy"], result["interval"][0]);
  EXPECT_LE(result["accuracy"], result["interval"][1]);
  EXPECT_GT(result["seconds"], 0.0);
  EXPECT_FALSE(result.contains("folds"));
}

TEST_F(Runs, SameBitsForAnyNumberOfThreadsAndFromTheCache) {
  train_json({"--out", "one", "--threads", "1", "--no-cache"});
  train_json({"--out", "two", "--threads", "2", "--no-cache"});
  train_json({"--out", "three", "--threads", "3"});
  train_json({"--out", "cached", "--threads", "2"});
  const std::string model = slurp(in("one/model.onnx"));
  const std::string results = without_last_column(slurp(in("one/results.csv")));
  EXPECT_GT(model.size(), 100'000u);
  for (const char* run : {"two", "three", "cached"}) {
    EXPECT_TRUE(slurp(in(fs::path(run) / "model.onnx")) == model) << run;
    EXPECT_EQ(without_last_column(slurp(in(fs::path(run) / "results.csv"))), results) << run;
    EXPECT_EQ(slurp(in(fs::path(run) / "predictions.csv")), slurp(in("one/predictions.csv")))
        << run;
  }
}

TEST_F(Runs, ViewsAndTheMlpHeadAreReproducibleToo) {
  const std::vector<std::string> settings{"--head", "mlp",     "--views",     "2",
                                          "--loss", "sigmoid", "--optimizer", "sgd"};
  auto first = settings, second = settings;
  first.insert(first.end(), {"--out", "one", "--threads", "1"});
  second.insert(second.end(), {"--out", "two", "--threads", "2", "--no-cache"});
  train_json(first);
  train_json(second);
  EXPECT_TRUE(slurp(in("one/model.onnx")) == slurp(in("two/model.onnx")));
}

TEST_F(Runs, AnEarlierRunIsKept) {
  train_json();
  const std::string first = slurp(in("runs/plates/predictions.csv"));
  train_json({"--seed", "9"});
  EXPECT_EQ(slurp(in("runs/plates.1/predictions.csv")), first);
  EXPECT_NE(slurp(in("runs/plates/predictions.csv")), first);
}

TEST_F(Runs, ASplitCanBeUsedAgain) {
  train_json({"--out", "first", "--seed", "3"});
  train_json({"--out", "second", "--seed", "4", "--split", "first/split.csv"});
  EXPECT_EQ(slurp(in("first/split.csv")), slurp(in("second/split.csv")));
}

TEST_F(Runs, FoldsCanBeUsedAgainToo) {
  train_json({"--out", "first", "--seed", "3", "--folds", "3"});
  const json second = train_json({"--out", "second", "--seed", "4", "--split", "first/split.csv"});
  EXPECT_EQ(second["folds"].size(), 3u);
  EXPECT_EQ(slurp(in("first/split.csv")), slurp(in("second/split.csv")));
}

TEST_F(Runs, FoldsJudgeEveryPictureOnce) {
  const json result = train_json({"--folds", "4"});
  EXPECT_EQ(result["n"], kPictures);
  ASSERT_EQ(result["folds"].size(), 4u);
  const std::string predictions = slurp(in("runs/plates/predictions.csv"));
  EXPECT_EQ(std::ranges::count(predictions, '\n'), kPictures + 1);
  double mean = 0;
  for (const double fold : result["folds"]) mean += fold / 4;
  EXPECT_NEAR(mean, result["accuracy"], 1e-9);  // folds of equal size
}

TEST_F(Runs, TheNewModelClassifiesWithTheNewClasses) {
  train_json();
  write_file_atomic(in("not-a-picture.jpg"), "hello");
  const auto result =
      program_.run({"classify", "--json", "--model", "runs/plates/model.onnx",
                    "plates/clean_000.jpg", "not-a-picture.jpg", "plates/dirty_000.jpg"});
  EXPECT_EQ(result.exit_code, 4);
  const json answers = json::parse(result.out);
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0]["file"], "plates/clean_000.jpg");
  ASSERT_EQ(answers[0]["predictions"].size(), 2u);
  const double sum = answers[0]["predictions"][0]["probability"].get<double>() +
                     answers[0]["predictions"][1]["probability"].get<double>();
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_THAT(answers[1]["error"].get<std::string>(), HasSubstr("not-a-picture.jpg"));
  EXPECT_FALSE(answers[1].contains("predictions"));
  EXPECT_TRUE(answers[2].contains("predictions"));
  EXPECT_THAT(result.err, HasSubstr("not-a-picture.jpg"));
}

TEST_F(Runs, AFolderStandsForItsPictures) {
  const auto result =
      program_.run({"classify", "--model", base_.string(), "--csv", "--top", "1", "plates"});
  EXPECT_EQ(result.exit_code, 0) << result.err;  // labels.csv lies there, too
  EXPECT_EQ(std::ranges::count(result.out, '\n'), kPictures + 1);
}

TEST_F(Runs, EvaluateTellsHowWellAndThatItHasSeenThePictures) {
  train_json();
  const auto result = program_.run({"evaluate", "plates", "--labels", "labels.csv", "--model",
                                    "runs/plates/model.onnx", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json evaluation = json::parse(result.out);
  EXPECT_EQ(evaluation["n"], kPictures);
  EXPECT_EQ(evaluation["seen_in_training"], kPictures * 4 / 5);
  ASSERT_EQ(evaluation["per_class"].size(), 2u);
  EXPECT_EQ(evaluation["per_class"][0]["label"], "clean");
  EXPECT_EQ(evaluation["per_class"][0]["n"], kPictures / 2);
  EXPECT_THAT(result.err, HasSubstr("was trained on 32 of these pictures"));
}

TEST_F(Runs, ATrainedModelCanBeTheBaseOfTheNext) {
  train_json({"--out", "first"});
  const auto result =
      program_.run({"train", "plates", "--labels", "labels.csv", "--model", "first/model.onnx",
                    "--out", "second", "--epochs", "2", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(Runs, FoldersOfClassesNeedNoCsv) {
  for (const char* kind : {"clean", "dirty"}) {
    fs::create_directories(in(fs::path("photos") / kind));
    for (const auto& name : names_in(plates_)) {
      if (name.starts_with(kind)) fs::copy(plates_ / name, in(fs::path("photos") / kind / name));
    }
  }
  const auto result =
      program_.run({"train", "photos", "--model", base_.string(), "--epochs", "2", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(json::parse(result.out)["run"], "runs/photos");
}

TEST_F(Runs, AnInterruptLeavesNothingHalfDoneAndTheNextRunIsWhole) {
  const fs::path many = in("many");
  put_plates(many, 120);
  Invocation invocation =
      program_.invocation({"train", "many", "--labels", "labels.csv", "--model", base_.string(),
                           "--views", "8", "--epochs", "2", "--json"});
  invocation.signal = SIGINT;
  invocation.signal_after = "Reading pictures";
  const ProcessResult stopped = run_process(invocation);
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("stopped"));
  // What `--resume` needs is all that is there.
  EXPECT_THAT(stopped.err, HasSubstr("engraft train --resume runs/many"));
  EXPECT_EQ(names_in(in("runs")), std::vector<std::string>{"many.unfinished"});

  invocation.signal = 0;
  const ProcessResult whole = run_process(invocation);
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  invocation.arguments.insert(invocation.arguments.end(), {"--no-cache", "--out", "anew"});
  ASSERT_EQ(run_process(invocation).exit_code, 0);
  EXPECT_TRUE(slurp(in("runs/many/model.onnx")) == slurp(in("anew/model.onnx")));
}

}  // namespace engraft::test::runs_test
