// 8-bit integers through the real binary: trained for, classified in, judged beside float32.
#include <fmt/format.h>

#include "cli/tuning.h"
#include "engraft/formats/onnx.h"
#include "engraft/model/calibrate_model.h"

namespace engraft::test::precision_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class PrecisionRuns : public TuningRuns {
 protected:
  /// The run's --json.
  [[nodiscard]] json summary_of(std::vector<std::string> more) const {
    more.emplace_back("--json");
    const ProcessResult result = train(more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out);
  }
  [[nodiscard]] json evaluated(const fs::path& model, const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"evaluate", "photos", "--json", "--model", model.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = program_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out);
  }
  [[nodiscard]] json probabilities(const std::string& model,
                                   const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"classify", "photos/red", "--json", "--model", model};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = program_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out);
  }
};

TEST_F(PrecisionRuns, AModelTrainedForInt8SaysHowItDoesInBoth) {
  const json summary = summary_of({"--precision", "int8"});
  EXPECT_EQ(summary["precision"], "int8");
  EXPECT_EQ(summary["n"], 4);
  EXPECT_EQ(summary["float32"]["n"], 4);
  EXPECT_EQ(summary["float32"]["interval"].size(), 2u);
  const Model model = load_model(in("runs/photos/model.onnx"));
  EXPECT_EQ(model.precision, Precision::kInt8);
  EXPECT_FALSE(model.ranges.empty());
  EXPECT_EQ(json::parse(slurp(in("runs/photos/args.json")))["precision"], "int8");
  EXPECT_THAT(slurp(in("runs/photos/report.html")),
              AllOf(HasSubstr("That is in 8-bit integers"), HasSubstr("In float32 it is")));
  const ProcessResult printed = train({"--precision", "int8", "--out", "printed"});
  EXPECT_THAT(printed.out, AllOf(HasSubstr("of 4 validation pictures, in 8-bit integers\n"),
                                 HasSubstr("\nfloat32   "), HasSubstr(" of the same 4\n")));
}

TEST_F(PrecisionRuns, WithoutTheOptionNothingSpeaksOfPrecision) {
  const json summary = summary_of({"--out", "a"});
  EXPECT_FALSE(summary.contains("precision"));
  EXPECT_FALSE(summary.contains("float32"));
  EXPECT_THAT(slurp(in("a/args.json")), Not(HasSubstr("precision")));
  EXPECT_THAT(slurp(in("a/report.html")), Not(HasSubstr("8-bit")));
  const auto metadata = read_onnx(read_file(in("a/model.onnx")), "model").metadata;
  EXPECT_FALSE(metadata.contains("precision"));
  EXPECT_FALSE(metadata.contains("activation_ranges"));
  trained({"--out", "b", "--precision", "float32"}, "b");
  expect_same_run(in("a"), in("b"));
}

TEST_F(PrecisionRuns, WhatIsSaidOfAModelIsWhatItDoes) {
  for (const char* recipe : {"head", "last"}) {
    std::vector<std::string> options{"--precision", "int8", "--val", "0.4", "--out", recipe};
    if (std::string(recipe) == "head") {
      options.insert(options.end(), {"--recipe", "head"});
    } else {
      options.insert(options.end(), {"--fine-tune", "last", "--tune-epochs", "3"});
    }
    const json summary = summary_of(options);
    // Judge the saved model on the very pictures that were held out.
    std::string labels = "file,label\n";
    for (const auto& row : rows_of(in(recipe) / "predictions.csv")) {
      if (row[0] != "filename") labels += row[0] + "," + row[1] + "\n";
    }
    write_file_atomic(in("held_out.csv"), labels);
    const json judged =
        evaluated(in(recipe) / "model.onnx", {"--labels", in("held_out.csv").string()});
    EXPECT_EQ(judged["accuracy"], summary["accuracy"]) << recipe;
    EXPECT_EQ(judged["float32"], summary["float32"]) << recipe;
    EXPECT_EQ(judged["precision"], "int8");
  }
}

TEST_F(PrecisionRuns, TheFloatsOfAnInt8RunWithFineTuningFromScratchAreThoseOfAFloatRun) {
  const std::vector<std::string> options{"--from-scratch", "--width", "0.35", "--image-size", "32",
                                         "--tune-epochs",  "2"};
  auto int8 = options;
  int8.insert(int8.end(), {"--precision", "int8", "--out", "int8"});
  auto floats = options;
  floats.insert(floats.end(), {"--out", "floats"});
  const json a = summary_of(int8), b = summary_of(floats);
  EXPECT_EQ(a["float32"]["accuracy"], b["accuracy"]);
  EXPECT_EQ(results_of(in("int8")), results_of(in("floats")));
  EXPECT_FALSE(load_model(in("int8/model.onnx")).ranges.empty());
}

TEST_F(PrecisionRuns, SameBitsForAnyNumberOfThreadsAndWithACache) {
  for (const char* threads : {"1", "2"}) {
    trained({"--precision", "int8", "--fine-tune", "last", "--tune-epochs", "2", "--folds", "2",
             "--views", "1", "--out", threads, "--threads", threads},
            threads);
  }
  expect_same_run(in("1"), in("2"));
  trained({"--precision", "int8", "--recipe", "head", "--folds", "2", "--out", "cached"}, "cached");
  trained(
      {"--precision", "int8", "--recipe", "head", "--folds", "2", "--out", "fresh", "--no-cache"},
      "fresh");
  expect_same_run(in("cached"), in("fresh"));
}

TEST_F(PrecisionRuns, TheCacheKeepsFloatsAndIntegersApart) {
  trained({"--out", "floats", "--no-cache"}, "floats");
  trained({"--out", "int8", "--no-cache", "--precision", "int8"}, "int8");
  EXPECT_NE(slurp(in("floats/predictions.csv")), slurp(in("int8/predictions.csv")));
  for (int round = 0; round < 2; ++round) {
    const std::string number = std::to_string(round);
    trained({"--out", "int8." + number, "--precision", "int8"}, "int8." + number);
    trained({"--out", "floats." + number}, "floats." + number);
    expect_same_run(in("int8." + number), in("int8"));
    expect_same_run(in("floats." + number), in("floats"));
  }
}

TEST_F(PrecisionRuns, HeldOutPicturesHaveNoSayInTheScales) {
  trained({"--precision", "int8", "--out", "a"}, "a");
  // Whatever happens to the held-out pictures, the scales stay.
  for (const auto& row : rows_of(in("a/predictions.csv"))) {
    if (row[0] == "filename") continue;
    Image white(kSide, kSide);
    std::ranges::fill(white.pixels, std::uint8_t{255});
    white.pixels[static_cast<std::size_t>(row[0].size())] = 254;
    white.pixels[0] = static_cast<std::uint8_t>(row[0][row[0].size() - 5]);
    white.pixels[1] = static_cast<std::uint8_t>(row[0][0]);
    write_file_atomic(in("photos") / row[0], encode_png(white));
  }
  trained({"--precision", "int8", "--out", "b"}, "b");
  EXPECT_EQ(slurp(in("a/split.csv")), slurp(in("b/split.csv")));
  EXPECT_EQ(load_model(in("a/model.onnx")).ranges, load_model(in("b/model.onnx")).ranges);
}

/// Which pictures are trained on is known only when all have been looked at: one of them is
/// damaged, and two are twins that only their pixels give away.
TEST_F(PrecisionRuns, HeldOutPicturesHaveNoSayWhereTheSplitTurnsOutOtherwiseEither) {
  write_file_atomic(in("photos/red/0.png"), "no picture");
  for (int i = 0; i < 6; i += 2) {
    write_file_atomic(in(fmt::format("photos/blue/{}.png", i + 1)),
                      slurp(in(fmt::format("photos/blue/{}.png", i))) + "twin");
  }
  const ProcessResult first = train({"--precision", "int8", "--val", "0.4", "--out", "a"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  int readings = 0;
  for (auto at = first.err.find("Reading pictures: "); at != std::string::npos;
       at = first.err.find("Reading pictures: ", at + 1)) {
    ++readings;
  }
  EXPECT_EQ(readings, 3) << "the split was foretold rightly, or not looked at again: " << first.err;
  trained({"--precision", "int8", "--val", "0.4", "--out", "b", "--no-cache", "--threads", "1"},
          "b");
  expect_same_run(in("a"), in("b"));

  std::vector<fs::path> trained_on;
  const std::string split = slurp(in("a/split.csv"));
  for (const auto& row : rows_of(in("a/split.csv"))) {
    if (row.back() == "train") trained_on.push_back(in("photos") / row[0]);
  }
  ASSERT_GE(trained_on.size(), 9u) << split;
  const Model base = load_model(in("base.onnx"));
  ThreadPool pool(1);
  const ActivationRanges of_trained =
      calibrate(base_at(base, FeatureLevel::kPooled), base.preprocessing, Orientation::kUpright,
                trained_on, pool);
  const ActivationRanges found = load_model(in("a/model.onnx")).ranges;
  ASSERT_EQ(found.size(), of_trained.size());
  for (const auto& [name, range] : found) {
    EXPECT_GE(range.low, of_trained.at(name).low) << name;
    EXPECT_LE(range.high, of_trained.at(name).high) << name;
  }
}

TEST_F(PrecisionRuns, ClassifyTakesTheModelsPrecisionUnlessToldOtherwise) {
  trained({"--precision", "int8"});
  const std::string model = "runs/photos/model.onnx";
  const json own = probabilities(model, {});
  EXPECT_EQ(probabilities(model, {"--precision", "int8"}), own);
  EXPECT_NE(probabilities(model, {"--precision", "float32"}), own);
  EXPECT_EQ(probabilities(model, {"--threads", "1"}), own);
}

TEST_F(PrecisionRuns, AModelWithoutScalesGetsThemFromThePictures) {
  for (const char* what : {"photos", "photos/red/1.png"}) {
    const ProcessResult result =
        program_.run({"classify", what, "--model", "base.onnx", "--precision", "int8", "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr("The model brings no scales for 8-bit integers"));
    const json answers = json::parse(result.out);
    EXPECT_EQ(answers.size(), std::string(what) == "photos" ? 2u * kEach : 1u);
    EXPECT_EQ(answers[0]["predictions"].size(), 5u);
  }
  EXPECT_NE(probabilities("base.onnx", {"--precision", "int8"}), probabilities("base.onnx", {}));
  EXPECT_EQ(probabilities("base.onnx", {"--precision", "float32"}), probabilities("base.onnx", {}));
}

TEST_F(PrecisionRuns, UnreadablePicturesAreNamedAsEver) {
  write_file_atomic(in("bad.png"), "no picture");
  const ProcessResult floats = program_.run({"classify", "bad.png", "--model", "base.onnx"});
  const ProcessResult int8 =
      program_.run({"classify", "bad.png", "--model", "base.onnx", "--precision", "int8"});
  EXPECT_EQ(int8.exit_code, floats.exit_code);
  EXPECT_EQ(int8.err, floats.err);
}

TEST_F(PrecisionRuns, EvaluateJudgesInBoth) {
  trained({"--precision", "int8"});
  const fs::path int8 = in("runs/photos/model.onnx");
  const json both = evaluated(int8, {});
  EXPECT_EQ(both["precision"], "int8");
  EXPECT_EQ(both["float32"]["n"], 2 * kEach);
  const json floats = evaluated(int8, {"--precision", "float32"});
  EXPECT_FALSE(floats.contains("precision"));
  EXPECT_EQ(floats["accuracy"], both["float32"]["accuracy"]);

  trained({"--out", "floats"}, "floats");
  EXPECT_FALSE(evaluated(in("floats/model.onnx"), {}).contains("float32"));
  const ProcessResult calibrated =
      program_.run({"evaluate", "photos", "--model", "floats/model.onnx", "--precision", "int8"});
  EXPECT_EQ(calibrated.exit_code, 0) << calibrated.err;
  EXPECT_THAT(calibrated.err, HasSubstr("20 of these pictures set them"));
  EXPECT_THAT(calibrated.out, AllOf(HasSubstr("of 20 pictures, in 8-bit integers\nfloat32 "),
                                    HasSubstr("same 20")));
}

TEST_F(PrecisionRuns, OtherWordsAreRefused) {
  for (const char* command : {"train", "classify", "evaluate"}) {
    const ProcessResult result =
        program_.run({command, "photos", "--model", "base.onnx", "--precision", "int4"});
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("--precision"), HasSubstr("float32, int8")));
  }
}

}  // namespace engraft::test::precision_test
