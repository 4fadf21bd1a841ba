// With no network, no weights and an empty cache: the model that is built in does the main job.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/plates.h"
#include "cli/program.h"
#include "engraft/model/model.h"
#include "engraft/zoo/zoo.h"
#include "support/test_data.h"

namespace engraft::test::offline_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Offline : public ::testing::Test {
 protected:
  void SetUp() override { put_plates(program_.folder() / "plates", 20); }
  ProcessResult train(std::vector<std::string> more) const {
    std::vector<std::string> arguments{"train",    "plates", "--labels", "labels.csv",
                                       "--recipe", "head",   "--epochs", "3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return program_.run(arguments);
  }
  [[nodiscard]] fs::path in(const fs::path& name) const { return program_.folder() / name; }
  [[nodiscard]] std::string picture() const {
    for (const auto& entry : fs::recursive_directory_iterator(in("plates"))) {
      if (entry.path().extension() == ".jpg") return entry.path().string();
    }
    return {};
  }

  Program program_;
};

/// Lines of standard error that speak of the model.
std::ptrdiff_t notices(const std::string& err) {
  std::ptrdiff_t count = 0;
  for (std::size_t at = 0; (at = err.find("Using engraft-mini", at)) != std::string::npos; ++at) {
    ++count;
  }
  return count;
}

TEST_F(Offline, TrainUsesTheEmbeddedModelSaysSoOnceAndNotesItInTheReport) {
  const ProcessResult result = train({"--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(notices(result.err), 1) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("ENGRAFT_OFFLINE"), HasSubstr(zoo().front().url)));
  const json summary = json::parse(result.out);
  EXPECT_THAT(summary["notes"].get<std::vector<std::string>>(),
              Contains(HasSubstr("The base is engraft-mini")));
  EXPECT_THAT(slurp(in("runs/plates/report.html")), HasSubstr("The base is engraft-mini"));
  EXPECT_EQ(json::parse(slurp(in("runs/plates/args.json")))["model"], "engraft-mini");
  EXPECT_EQ(load_model(in("runs/plates/model.onnx")).provenance.at("base"), "engraft-mini");
}

TEST_F(Offline, NamedItIsNoSubstituteAndNothingIsSaid) {
  const ProcessResult result = train({"--model", "engraft-mini", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(notices(result.err), 0);
  EXPECT_THAT(json::parse(result.out)["notes"].get<std::vector<std::string>>(),
              Not(Contains(HasSubstr("engraft-mini"))));
}

TEST_F(Offline, NamedAndByDefaultItGivesTheSameBits) {
  ASSERT_EQ(train({"--out", "a"}).exit_code, 0);
  ASSERT_EQ(train({"--out", "b", "--model", "engraft-mini"}).exit_code, 0);
  EXPECT_TRUE(slurp(in("a/model.onnx")) == slurp(in("b/model.onnx")));
  EXPECT_EQ(slurp(in("a/args.json")), slurp(in("b/args.json")));
}

TEST_F(Offline, AnotherModelByNameIsTheErrorItWas) {
  const ProcessResult result = train({"--model", "mobilenet_v2_1.0_224"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, AllOf(HasSubstr("not found"), Not(HasSubstr("Using engraft-mini"))));
  EXPECT_FALSE(fs::exists(in("runs")));
}

TEST_F(Offline, ClassifyAnswersWithImageNetsLabelsAndKeepsStandardOutputClean) {
  const ProcessResult result = program_.run({"classify", "--json", picture()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(notices(result.err), 1);
  const json answers = json::parse(result.out);
  ASSERT_EQ(answers[0]["predictions"].size(), 5u);
  EXPECT_THAT(imagenet_labels(),
              Contains(answers[0]["predictions"][0]["label"].get<std::string>()));
}

TEST_F(Offline, KerasWeightsAreMadeReadyForTheNextPicture) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const ZooEntry& entry = *find_entry(kDefaultModel);
  fs::copy_file(data / "models" / entry.file, in(entry.file));
  fs::last_write_time(in(entry.file), fs::file_time_type::clock::now() - std::chrono::hours(1));
  const auto classify = [&] {
    return program_.run({"classify", "--json", "--model", entry.file, picture()});
  };
  const ProcessResult first = classify();
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const fs::directory_iterator copies(in("cache/engraft/prepared"));
  ASSERT_EQ(std::distance(begin(copies), end(copies)), 1);
  EXPECT_EQ(classify().out, first.out);
  EXPECT_TRUE(fs::remove(in(entry.file)));
  EXPECT_EQ(classify().exit_code, 3);
}

TEST_F(Offline, WhereNothingListensItIsTheSame) {
  const ProcessResult result =
      program_.run({"classify", picture()}, {{"ENGRAFT_OFFLINE", ""},
                                             {"ENGRAFT_MIRROR", "http://127.0.0.1:1/"},
                                             {"http_proxy", ""},
                                             {"all_proxy", ""}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(notices(result.err), 1);
  EXPECT_THAT(result.err, HasSubstr("127.0.0.1"));
}

TEST_F(Offline, ARunGoesOnWithTheModelItWasBegunWith) {
  // Stopped before its first epoch is over, and resumed where the full model cannot be had either.
  Invocation begun =
      program_.invocation({"train", "plates", "--labels", "labels.csv", "--fine-tune", "last",
                           "--tune-epochs", "2", "--epochs", "3", "--checkpoint-every", "0"});
  const ProcessResult whole = run_process(begun);
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  fs::rename(in("runs/plates"), in("whole"));
  begun.arguments.insert(begun.arguments.end(), {"--out", "runs/plates"});
  begun.program = "/bin/sh";
  const std::string command =
      std::string(ENGRAFT_PROGRAM) +
      " train plates --labels labels.csv --fine-tune last --tune-epochs 2 --epochs 3 "
      "--checkpoint-every 0 & p=$!; "
      "until ls runs/plates.unfinished/*.safetensors >/dev/null 2>&1 || "
      "! kill -0 $p 2>/dev/null; do :; done; kill -KILL $p; wait $p; true";
  begun.arguments = {"-c", command};
  static_cast<void>(run_process(begun));
  if (fs::exists(in("runs/plates.unfinished"))) {
    const json saved = json::parse(slurp(in("runs/plates.unfinished/command.json")));
    EXPECT_EQ(saved["model"], "engraft-mini");
    const ProcessResult resumed = program_.run({"train", "--resume", "runs/plates"});
    ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_EQ(notices(resumed.err), 0) << "nothing was replaced now";
  }
  EXPECT_TRUE(slurp(in("runs/plates/model.onnx")) == slurp(in("whole/model.onnx")));
  EXPECT_EQ(slurp(in("runs/plates/args.json")), slurp(in("whole/args.json")));
  EXPECT_THAT(slurp(in("runs/plates/report.html")), HasSubstr("The base is engraft-mini"));
}

TEST_F(Offline, ModelsListsItAsBuiltIn) {
  const ProcessResult result = program_.run({"models"});
  EXPECT_THAT(result.out, AllOf(HasSubstr("engraft-mini"), HasSubstr("built in")));
  const json list = json::parse(program_.run({"models", "--json"}).out);
  EXPECT_EQ(list.back()["name"], "engraft-mini");
  EXPECT_EQ(list.back()["built_in"], true);
  EXPECT_TRUE(list.back()["url"].is_null());
  EXPECT_EQ(list.front()["built_in"], false);
}

class Compact : public Offline {
 protected:
  ProcessResult compact(std::vector<std::string> more) const {
    std::vector<std::string> arguments{"compact"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return program_.run(arguments);
  }
};

TEST_F(Compact, MakesAFileOfAQuarterThatClassifiesAndTrains) {
  ASSERT_EQ(train({}).exit_code, 0);
  const ProcessResult result = compact({"runs/plates/model.onnx", "--out", "small.onnx", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json sizes = json::parse(result.out);
  EXPECT_EQ(sizes["bytes"], fs::file_size(in("runs/plates/model.onnx")));
  EXPECT_EQ(sizes["compact_bytes"], fs::file_size(in("small.onnx")));
  EXPECT_LT(sizes["compact_bytes"].get<double>(), sizes["bytes"].get<double>() * 0.4);
  EXPECT_EQ(program_.run({"classify", "--model", "small.onnx", picture()}).exit_code, 0);
  EXPECT_EQ(train({"--model", "small.onnx", "--out", "again"}).exit_code, 0);
}

TEST_F(Compact, SaysTheSizeBeforeAndAfter) {
  const ProcessResult result = compact({"engraft-mini", "--out", "mini.onnx"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("mini.onnx"), HasSubstr(" MB, was ")));
}

TEST_F(Compact, EqualModelsGiveEqualFiles) {
  ASSERT_EQ(compact({"engraft-mini", "--out", "a.onnx"}).exit_code, 0);
  ASSERT_EQ(compact({"engraft-mini", "--out", "b.onnx"}).exit_code, 0);
  EXPECT_TRUE(slurp(in("a.onnx")) == slurp(in("b.onnx")));
}

TEST_F(Compact, NeverOverwritesUnlessItIsTold) {
  ASSERT_EQ(compact({"engraft-mini", "--out", "a.onnx"}).exit_code, 0);
  const ProcessResult refused = compact({"engraft-mini", "--out", "a.onnx"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--overwrite"));
  EXPECT_EQ(compact({"engraft-mini", "--out", "a.onnx", "--overwrite"}).exit_code, 0);
}

TEST_F(Compact, WrongInputIsOneLine) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"nowhere.onnx", "--out", "x.onnx"},
        {picture(), "--out", "x.onnx"},
        {"engraft-mini"},
        {"engraft-mini", "--out", "nowhere/x.onnx/", "--image-size", "7"}}) {
    const ProcessResult result = compact(arguments);
    EXPECT_NE(result.exit_code, 0);
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    EXPECT_FALSE(fs::exists(in("x.onnx")));
  }
}

}  // namespace engraft::test::offline_test
