// `engraft find-lr` through the real binary, on drawn plates and a small random network.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/plates.h"
#include "cli/program.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/image/decode.h"
#include "engraft/model/model.h"

namespace engraft::test::find_lr_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int kSide = 64;

/// Options with which the loss falls: rates worth trying, and each picture again and again.
const std::vector<std::string> kLearning{"--fine-tune", "all",  "--min",  "1e-5",
                                         "--augment",   "none", "--seed", "1"};

class FindLr : public ::testing::Test {
 protected:
  void SetUp() override {
    Model model;
    model.network.graph = mobilenet_v2({.width = 0.35f, .image_size = kSide, .classes = 4});
    model.network.weights = random_weights(model.network.graph, 7);
    model.preprocessing.width = model.preprocessing.height = kSide;
    for (int i = 0; i < 4; ++i) model.labels.push_back("thing " + std::to_string(i));
    save_model(model, in("base.onnx"));
    put_plates(in("plates"), 30);
  }

  [[nodiscard]] ProcessResult find_lr(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"find-lr",   "plates",  "--labels", "labels.csv", "--model",
                                       "base.onnx", "--steps", "40",       "--batch",    "8"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return program_.run(arguments);
  }
  [[nodiscard]] json find_lr_json(std::vector<std::string> more = {}) const {
    more.emplace_back("--json");
    const ProcessResult result = find_lr(more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out);
  }
  /// Fails with that code in one last line that names what is wrong, and draws nothing.
  void expect_failure(const std::vector<std::string>& arguments, int exit_code,
                      const std::string& named) const {
    const ProcessResult result = program_.run(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_THAT(result.out, IsEmpty());
    std::string last = result.err.substr(0, result.err.size() - 1);
    last = last.substr(last.rfind('\n') + 1);
    EXPECT_THAT(last, StartsWith("engraft: "));
    EXPECT_THAT(last, HasSubstr(named));
    EXPECT_FALSE(fs::exists(in("rates.png")));
  }
  [[nodiscard]] fs::path in(const fs::path& name) const { return program_.folder() / name; }

  Program program_;
};

TEST_F(FindLr, PrintsATableTheSuggestionAndTheCommandThatUsesIt) {
  const ProcessResult result = find_lr(kLearning);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("   rate    loss  smoothed\n   1e-5  "));
  // So few pictures teach more than chance on most machines, but not with the bits of every one.
  if (result.out.find("none to suggest") == std::string::npos) {
    EXPECT_THAT(result.out, HasSubstr("falls fastest\n"));
    EXPECT_THAT(result.out, HasSubstr("lowest\n"));
    EXPECT_THAT(result.out, HasSubstr("\nSuggested rate    "));
    EXPECT_THAT(result.out,
                HasSubstr("\n  engraft train plates --labels labels.csv --model base.onnx "
                          "--fine-tune all --tune-batch 8 --augment none --seed 1 --tune-lr "));
  }
  EXPECT_THAT(result.out, HasSubstr("\nDrawing  rates.png\n"));
  EXPECT_GT(read_image(in("rates.png")).width, 600);
  EXPECT_FALSE(fs::exists(in("runs")));
}

TEST_F(FindLr, JsonHasTheSuggestionAndEveryPoint) {
  const json result = find_lr_json(kLearning);
  EXPECT_EQ(result["drawing"], "rates.png");
  EXPECT_EQ(result["pictures"], 24);
  if (result["verdict"] == "never-fell") {
    EXPECT_TRUE(result["suggestion"].is_null());
  } else {
    EXPECT_GT(result["suggestion"], 1e-5);
    EXPECT_LE(result["suggestion"].get<double>(), result["minimum"].get<double>() / 2);
    EXPECT_THAT(result["command"].get<std::string>(), HasSubstr(" --tune-lr "));
  }
  ASSERT_GT(result["points"].size(), 5u);
  EXPECT_EQ(result["points"][0]["rate"], 1e-5);
  EXPECT_EQ(result["points"][0].size(), 3u);
}

TEST_F(FindLr, CsvIsARowAStepTheSameForAnyNumberOfThreads) {
  const ProcessResult one = find_lr({"--csv", "--threads", "1"});
  const ProcessResult two = find_lr({"--csv", "--threads", "2", "--no-cache"});
  ASSERT_EQ(one.exit_code, 0) << one.err;
  EXPECT_THAT(one.out, StartsWith("rate,loss,smoothed\n1.00000001e-07,"));
  EXPECT_GT(std::ranges::count(one.out, '\n'), 5);
  EXPECT_EQ(one.out, two.out);
  EXPECT_TRUE(slurp(in("rates.png")) == slurp(in("rates.1.png")));
  EXPECT_NE(find_lr({"--csv", "--seed", "3"}).out, one.out);
}

TEST_F(FindLr, NeverOverwritesUnlessItIsTold) {
  write_file_atomic(in("rates.png"), "mine");
  write_file_atomic(in("other.png"), "mine");
  EXPECT_EQ(find_lr_json()["drawing"], "rates.1.png");
  EXPECT_EQ(find_lr_json()["drawing"], "rates.2.png");
  EXPECT_EQ(slurp(in("rates.png")), "mine");
  const ProcessResult refused = find_lr({"--out", "other.png"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, StartsWith("engraft: other.png: is there already"));
  EXPECT_EQ(slurp(in("other.png")), "mine");
  EXPECT_EQ(find_lr_json({"--out", "other.png", "--overwrite"})["drawing"], "other.png");
  EXPECT_NE(slurp(in("other.png")), "mine");
}

TEST_F(FindLr, SuggestsNothingWhereNoRateHelps) {
  const ProcessResult result = find_lr({"--min", "1e-30", "--max", "1e-28"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("fell at no rate by more than chance"));
  EXPECT_THAT(result.out, Not(HasSubstr("--tune-lr")));
  const json data = find_lr_json({"--min", "1e-30", "--max", "1e-28"});
  EXPECT_EQ(data["verdict"], "never-fell");
  EXPECT_TRUE(data["suggestion"].is_null());
  EXPECT_TRUE(data["command"].is_null());
}

TEST_F(FindLr, SaysWhereTheRatesBeginTooHigh) {
  const ProcessResult result = find_lr({"--min", "1", "--max", "10", "--optimizer", "sgd"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("begin lower, with --min 1e-3"));
}

TEST_F(FindLr, WrongOptionsAreOneLine) {
  const auto with = [](std::vector<std::string> more) {
    std::vector<std::string> arguments{"find-lr", "plates", "--model", "base.onnx"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  expect_failure({"find-lr"}, 2, "PICTURES");
  expect_failure({"find-lr", "nowhere", "--model", "base.onnx"}, 3, "nowhere");
  expect_failure(with({"--min", "0"}), 2, "--min 0: must be more than 0");
  expect_failure(with({"--min", "0.5"}), 2, "--max 1: must be at least ten times --min");
  expect_failure(with({"--max", "1000"}), 2, "--max 1000");
  expect_failure(with({"--steps", "3"}), 2, "--steps 3: must be from 20");
  expect_failure(with({"--batch", "0"}), 2, "--tune-batch 0");
  expect_failure(with({"--weight-decay", "2"}), 2, "--tune-weight-decay 2");
  expect_failure(with({"--optimizer", "adagrad"}), 2, "adagrad");
  expect_failure(with({"--fine-tune", "block_99"}), 2, "block_99");
  expect_failure(with({"--out", "rates.jpg"}), 2, ".png or .svg");
  expect_failure(with({"--overwrite"}), 2, "--out");
  expect_failure(with({"--json", "--csv"}), 2, "--csv");
}

TEST_F(FindLr, PicturesThatTeachNothingAreOneLine) {
  fs::create_directories(in("empty"));
  fs::create_directories(in("one/only"));
  fs::copy(in("plates/clean_000.jpg"), in("one/only/a.jpg"));
  fs::copy(in("plates/clean_001.jpg"), in("one/only/b.jpg"));
  expect_failure({"find-lr", "empty", "--model", "base.onnx"}, 4, "empty");
  expect_failure({"find-lr", "one", "--model", "base.onnx"}, 4, "at least two classes");
}

TEST_F(FindLr, HelpSaysWhatTheRateIsFor) {
  const ProcessResult help = program_.run({"find-lr", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("--tune-lr"));
  EXPECT_THAT(program_.run({"--help"}).out, HasSubstr("find-lr"));
}

}  // namespace engraft::test::find_lr_test
