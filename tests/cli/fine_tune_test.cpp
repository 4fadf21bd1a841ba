// Fine-tuning through the real binary: what is trained, and what a run folder then holds.
#include <fmt/format.h>

#include <cstring>
#include <map>

#include "cli/tuning.h"
#include "engraft/graph/graph_builder.h"

namespace engraft::test::fine_tune_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class FineTune : public TuningRuns {};

TEST_F(FineTune, FollowsTheHeadFromWhereverOneLikes) {
  for (const char* from : {"last", "all", "block_13", "100"}) {
    const fs::path run = trained({"--fine-tune", from, "--tune-epochs", "2", "--out", from}, from);
    EXPECT_THAT(stages_of(run), ElementsAre("head", from));
    EXPECT_EQ(rows_of(run / "results.csv").size(), 1u + 3 + 2);
    EXPECT_EQ(json::parse(slurp(run / "args.json"))["fine_tune"], from);
    EXPECT_THAT(slurp(run / "report.html"), HasSubstr("Trained the head, then"));
  }
  EXPECT_NE(results_of(in("all")).back(), results_of(in("last")).back());
}

TEST_F(FineTune, RefusesLayersThatAreNotThereBeforeItReadsAnything) {
  for (const char* from : {"bogus", "block_17", "1000", "-1", "12x", "blo"}) {
    const ProcessResult result = train({"--fine-tune", from});
    expect_failure(result, 2, "");
    EXPECT_THAT(result.err, AllOf(HasSubstr(from), Not(HasSubstr("Reading"))));
  }
  expect_failure(train({"--fine-tune", ""}), 2, "--fine-tune");
  EXPECT_THAT(names_in(in("runs")), IsEmpty());
}

TEST_F(FineTune, TrainsTheHeadAloneWhereThatIsTheRecipe) {
  const ProcessResult automatic = train({"--out", "auto"});
  EXPECT_EQ(automatic.exit_code, 0) << automatic.err;
  EXPECT_THAT(automatic.out, HasSubstr("Trained the head alone: 16 training pictures"));
  EXPECT_THAT(slurp(in("auto/report.html")), HasSubstr("Trained the head alone"));
  trained({"--recipe", "head", "--out", "head"}, "head");
  EXPECT_TRUE(slurp(in("auto/model.onnx")) == slurp(in("head/model.onnx")));
  for (const char* run : {"auto", "head"}) {
    EXPECT_THAT(stages_of(in(run)), ElementsAre("head"));
    EXPECT_THAT(names_in(in(run)), Not(Contains("augmented.png")));
  }
}

TEST_F(FineTune, FromScratchNeedsNoModel) {
  const fs::path run = trained({"--from-scratch", "--width", "0.35", "--image-size", "32",
                                "--tune-epochs", "3", "--mixup", "0.2", "--ema", "0.9"});
  EXPECT_THAT(stages_of(run), ElementsAre("all"));
  const ProcessResult result =
      program_.run({"classify", "--json", "--model", "runs/photos/model.onnx", "photos/red/0.png"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(json::parse(result.out)[0]["predictions"].size(), 2u);
  expect_failure(program_.run({"train", "photos", "--from-scratch", "--model", "base.onnx"}), 2,
                 "--from-scratch");
  expect_failure(train({"--width", "0.5"}), 2, "--from-scratch");
}

TEST_F(FineTune, SameBitsForAnyNumberOfThreads) {
  for (const char* threads : {"1", "2", "3"}) {
    trained({"--fine-tune", "all", "--tune-epochs", "2", "--folds", "2", "--augment", "strong",
             "--batch-norm", "trainable", "--ema", "0.9", "--out", threads, "--threads", threads},
            threads);
  }
  expect_same_run(in("1"), in("2"));
  expect_same_run(in("1"), in("3"));
}

TEST_F(FineTune, FoldsJudgeEveryPictureOnce) {
  const fs::path run = trained({"--fine-tune", "last", "--tune-epochs", "2", "--folds", "2"});
  const auto predictions = rows_of(run / "predictions.csv");
  ASSERT_EQ(predictions.size(), 1u + 2 * kEach);
  for (std::size_t i = 1; i < predictions.size(); ++i) {
    const auto& row = predictions[i];
    EXPECT_NEAR(std::stod(row.at(5)) + std::stod(row.at(6)), 1, 1e-5) << row[0];
  }
  EXPECT_THAT(stages_of(run), ElementsAre("head", "last"));
}

TEST_F(FineTune, ShowsWhatTheNetworkSawUnlessItSawThePicturesAsTheyAre) {
  const fs::path shown = trained({"--fine-tune", "last", "--tune-epochs", "1", "--out", "a"}, "a");
  EXPECT_THAT(slurp(shown / "augmented.png"), ::testing::StartsWith("\x89PNG"));
  const fs::path plain = trained(
      {"--fine-tune", "last", "--tune-epochs", "1", "--augment", "none", "--out", "b"}, "b");
  EXPECT_THAT(names_in(plain), Not(Contains("augmented.png")));
}

/// The CRC-32C of a TFRecord, as its definition masks it.
std::uint32_t masked_crc(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<std::uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/// The records of an event file, whose framing must be right to the last byte.
std::vector<std::string> records_of(const std::string& file) {
  std::vector<std::string> records;
  const auto sum_at = [&](std::size_t i) {
    std::uint32_t sum = 0;
    std::memcpy(&sum, file.data() + i, sizeof sum);
    return sum;
  };
  std::size_t at = 0;
  while (at + 16 <= file.size()) {
    std::uint64_t size = 0;
    std::memcpy(&size, file.data() + at, sizeof size);
    EXPECT_EQ(sum_at(at + 8), masked_crc(std::string_view(file).substr(at, 8)));
    if (size > file.size() - at - 16) break;
    records.push_back(file.substr(at + 12, size));
    EXPECT_EQ(sum_at(at + 12 + size), masked_crc(records.back()));
    at += 16 + size;
  }
  EXPECT_EQ(at, file.size()) << "something is left behind the last record";
  return records;
}

TEST_F(FineTune, WritesEventFilesOfEveryTraining) {
  const fs::path run =
      trained({"--fine-tune", "last", "--tune-epochs", "2", "--folds", "2", "--tensorboard"});
  EXPECT_THAT(names_in(run / "tensorboard"), ElementsAre("fold1", "fold2", "model"));
  for (const char* part : {"fold1", "fold2", "model"}) {
    const fs::path folder = run / "tensorboard" / part;
    ASSERT_EQ(names_in(folder).size(), 1u);
    const auto records = records_of(slurp(folder / names_in(folder)[0]));
    EXPECT_THAT(records.at(0), HasSubstr("brain.Event:2"));
    int epochs = 0;
    for (const std::string& record : records) {
      epochs += record.find("loss/train") != std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(epochs, 3 + 2) << part << ": of the head, and behind it";
  }
  EXPECT_THAT(names_in(in("runs")), ElementsAre("photos"));
}

/// Two layers in a row without an activation: what one gains, the other multiplies.
void write_unstable_base(const fs::path& file) {
  GraphBuilder g({32, 32, 3});
  ValueId x = g.conv("Conv1", g.input(), {.channels = 8, .kernel = 3, .stride = 2});
  x = g.conv("Conv_1", x, {.channels = 8});
  x = g.apply(Op::kGlobalAveragePool, std::string(kPooledValue), x);
  Model base;
  base.network.graph = g.finish(x);
  base.network.weights = random_weights(base.network.graph, 3);
  base.preprocessing.width = base.preprocessing.height = 32;
  save_model(base, file);
}

TEST_F(FineTune, StopsWhereTheLossIsNoNumberAndLeavesTheEarlierRun) {
  trained({});
  const std::string earlier = slurp(in("runs/photos/report.html"));
  write_unstable_base(in("unstable.onnx"));
  const ProcessResult result = program_.run({"train",
                                             "photos",
                                             "--model",
                                             "unstable.onnx",
                                             "--epochs",
                                             "3",
                                             "--fine-tune",
                                             "all",
                                             "--tune-batch",
                                             "4",
                                             "--tune-epochs",
                                             "50",
                                             "--tune-optimizer",
                                             "sgd",
                                             "--tune-lr",
                                             "100",
                                             "--tune-weight-decay",
                                             "0",
                                             "--tune-warmup",
                                             "0",
                                             "--layer-decay",
                                             "1"});
  expect_failure(result, 4, "no number in epoch ");
  EXPECT_THAT(result.err, AllOf(HasSubstr("at a learning rate of "), HasSubstr("try a tenth")));
  EXPECT_TRUE(slurp(in("runs/photos/report.html")) == earlier);
  EXPECT_THAT(names_in(in("runs")), ElementsAre("photos"));
}

TEST_F(FineTune, KeepsToItsTime) {
  const ProcessResult none = train(
      {"--fine-tune", "all", "--tune-epochs", "100000", "--budget", "0.001s", "--out", "none"});
  EXPECT_EQ(none.exit_code, 0) << none.err;
  EXPECT_THAT(none.out, AllOf(HasSubstr("Trained the head alone: the time given was too short for"),
                              HasSubstr("--tune-epochs, --tune-batch had nothing to do"),
                              Not(HasSubstr("Trained the head, then"))));
  EXPECT_THAT(stages_of(in("none")), ElementsAre("head"));
  const ProcessResult some = train({"--fine-tune", "all", "--tune-epochs", "100000", "--budget",
                                    "2s", "--folds", "2", "--out", "some"});
  EXPECT_EQ(some.exit_code, 0) << some.err;
  EXPECT_THAT(some.out, AnyOf(HasSubstr("of 100000 epochs of it fit"), HasSubstr("too short")));
  EXPECT_LT(rows_of(in("some/results.csv")).size(), 10'000u);
}

TEST_F(FineTune, AHeadAloneKeepsToItsTime) {
  const ProcessResult head = program_.run({"train", "photos", "--model", "base.onnx", "--epochs",
                                           "1000000", "--recipe", "head", "--budget", "1s"});
  EXPECT_EQ(head.exit_code, 0) << head.err;
  EXPECT_THAT(head.out, HasSubstr("of 1000000 epochs of the head fit into the time given"));
  EXPECT_LT(rows_of(in("runs/photos/results.csv")).size(), 900'000u);
}

TEST_F(FineTune, NoMemoryIsTakenToMeasureTheTime) {
  const ProcessResult result =
      train({"--fine-tune", "last", "--memory", "1M", "--budget", "1h", "--tensorboard"});
  expect_failure(result, 2, "--memory");
}

TEST_F(FineTune, TakesOneEpochOfOneStepWithinItsTime) {
  const ProcessResult one = train({"--fine-tune", "last", "--tune-epochs", "1", "--budget", "1h"});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_THAT(stages_of(in("runs/photos")), ElementsAre("head", "last"));
}

TEST_F(FineTune, FromScratchNeedsMoreTimeThanNone) {
  expect_failure(
      train({"--from-scratch", "--width", "0.35", "--image-size", "32", "--budget", "0.001s"}), 2,
      "--budget");
  EXPECT_THAT(names_in(in("runs")), IsEmpty());
}

TEST_F(FineTune, AHeadWithAWideHiddenLayerIsPartOfTheMemory) {
  expect_failure(
      train({"--fine-tune", "last", "--head", "mlp", "--hidden", "16384", "--memory", "1000M"}), 2,
      "allow more with --memory");
  trained({"--fine-tune", "last", "--tune-epochs", "1", "--head", "mlp", "--hidden", "16",
           "--memory", "1000M"});
}

/// The note on the comparison has the figures of the best epoch of each stage, as results.csv has
/// them.
void expect_both_figures(const std::string& said, const fs::path& run) {
  std::map<std::string, std::pair<float, float>> best;  // loss and accuracy
  for (const auto& row : rows_of(run / "results.csv")) {
    if (row.at(1) == "stage") continue;
    const std::pair figures(std::stof(row.at(5)), std::stof(row.at(6)));
    const auto [at, is_first] = best.emplace(row[1], figures);
    if (!is_first && figures.first < at->second.first) at->second = figures;
  }
  EXPECT_EQ(best.size(), 2u);
  for (const auto& [stage, figures] : best) {
    EXPECT_THAT(said, HasSubstr(fmt::format("{:.1f} % at a loss of {:.4f}", 100 * figures.second,
                                            figures.first)))
        << stage;
  }
}

TEST_F(FineTune, SaysWhichWeightsWereKept) {
  const auto trained_of = [&](const fs::path& run) {
    return load_model(run / "model.onnx").provenance.at("trained");
  };
  // The rate ruins what the head had.
  const ProcessResult ruined =
      train({"--fine-tune", "all", "--tune-epochs", "2", "--tune-lr", "1", "--tune-optimizer",
             "adam", "--tune-weight-decay", "0", "--out", "ruined"});
  ASSERT_EQ(ruined.exit_code, 0) << ruined.err;
  const bool head_was_kept = fs::exists(in("ruined/last.onnx"));
  ASSERT_TRUE(head_was_kept);
  EXPECT_EQ(trained_of(in("ruined")), "head");
  EXPECT_THAT(ruined.out, HasSubstr("The head was kept"));
  expect_both_figures(ruined.out, in("ruined"));
  EXPECT_THAT(slurp(in("ruined/report.html")), HasSubstr("The head was kept"));

  const fs::path folds = trained(
      {"--fine-tune", "last", "--tune-epochs", "1", "--folds", "2", "--out", "folds"}, "folds");
  EXPECT_EQ(trained_of(folds), "head, last") << "with folds the last epoch";
  EXPECT_EQ(trained_of(trained({"--out", "head"}, "head")), "head");
  EXPECT_EQ(trained_of(trained({"--from-scratch", "--width", "0.35", "--image-size", "32",
                                "--tune-epochs", "1", "--out", "scratch"},
                               "scratch")),
            "all");
}

TEST_F(FineTune, TellsProgramsWhatWasDone) {
  const ProcessResult result = train({"--fine-tune", "last", "--tune-epochs", "2", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json said = json::parse(result.out);
  EXPECT_THAT(said["recipe"], HasSubstr("Trained the head, then the last stage"));
  EXPECT_EQ(said["stages"], json::parse(R"([{"name": "head", "first_epoch": 1},
                                            {"name": "last", "first_epoch": 4}])"));
  EXPECT_EQ(said["epochs"], 5);
  EXPECT_TRUE(said["best_epoch"] >= 1 && said["best_epoch"] <= 5);
  EXPECT_THAT(said["notes"].dump(), HasSubstr("chosen on the same validation pictures"));
  const ProcessResult folds = train({"--folds", "2", "--json", "--out", "folds"});
  EXPECT_TRUE(json::parse(folds.out)["best_epoch"].is_null());
}

/// Enough of them that the default recipe looks at how well a head does.
TEST_F(FineTune, SaysThatHeldOutPicturesHadASayInTheRecipe) {
  for (int i = kEach; i < 80; ++i) {
    write_picture("photos/blue", i, 2);
    write_picture("photos/red", i, 0);
  }
  const std::string said = "How far to train was chosen on all pictures, the held-out ones among";
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(),
                {"train", "photos", "--model", "base.onnx", "--epochs", "3", "--folds", "3"});
    const ProcessResult result = program_.run(more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out + slurp(in("runs/photos/report.html"));
  };
  EXPECT_THAT(run({"--tune-epochs", "1"}), HasSubstr(said));
  EXPECT_THAT(run({"--recipe", "head"}), Not(HasSubstr(said)));
  const ProcessResult plain = train({"--tune-epochs", "1"});
  EXPECT_THAT(plain.out, Not(HasSubstr(said)));
}

TEST_F(FineTune, SaysHowMuchMemoryItNeeds) {
  const ProcessResult result = train({"--fine-tune", "last", "--memory", "1M"});
  expect_failure(result, 2, "--memory");
  EXPECT_THAT(result.err, HasSubstr("needs "));
  EXPECT_THAT(names_in(in("runs")), IsEmpty());
}

}  // namespace engraft::test::fine_tune_test
