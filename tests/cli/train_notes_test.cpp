// What a run says of options and pictures that do not do what one may think.
#include "cli/tuning.h"

namespace engraft::test::train_notes_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class TrainNotes : public TuningRuns {};

TEST_F(TrainNotes, AShareBesideFoldersOfValidationPicturesIsRefused) {
  fs::create_directories(in("parts/train"));
  fs::copy(in("photos"), in("parts/train"), fs::copy_options::recursive);
  for (int i = kEach; i < 2 * kEach; ++i) {
    write_picture("parts/val/blue", i, 2);
    write_picture("parts/val/red", i, 0);
  }
  const std::vector<std::string> plain{"train", "parts", "--model", "base.onnx", "--epochs", "2"};
  auto shared = plain;
  shared.insert(shared.end(), {"--val", "0.5"});
  expect_failure(program_.run(shared), 2, "--val 0.5 does nothing: parts has a folder of");
  EXPECT_THAT(names_in(in("runs")), IsEmpty());
  const ProcessResult without = program_.run(plain);
  EXPECT_EQ(without.exit_code, 0) << without.err;
  auto of_test = shared;  // a share of what is no test picture is of use
  fs::rename(in("parts/val"), in("parts/test"));
  const ProcessResult drawn = program_.run(of_test);
  EXPECT_EQ(drawn.exit_code, 0) << drawn.err;
  expect_failure(train({"--val", "0.5", "--split", "runs/parts/split.csv"}), 2, "--val");
}

TEST_F(TrainNotes, FineTuningOptionsThatTheRecipeHadNoUseForAreNamed) {
  const ProcessResult head = train({"--tune-lr", "0.001", "--mixup", "0.2"});
  ASSERT_EQ(head.exit_code, 0) << head.err;
  const std::string said =
      "Nothing was fine-tuned, and so --tune-lr, --tune-batch, --mixup had nothing to do";
  EXPECT_THAT(head.out, HasSubstr(said));
  EXPECT_THAT(slurp(in("runs/photos/report.html")), HasSubstr(said));
  const ProcessResult tuned = train({"--fine-tune", "last", "--tune-epochs", "1"});
  EXPECT_THAT(tuned.out, Not(HasSubstr("nothing to do")));
  const ProcessResult plain =
      program_.run({"train", "photos", "--model", "base.onnx", "--epochs", "2"});
  EXPECT_THAT(plain.out, Not(HasSubstr("nothing to do")));
}

TEST_F(TrainNotes, FromScratchTheReportHasNoHeadAndFewPicturesAreSaid) {
  const ProcessResult result =
      train({"--from-scratch", "--width", "0.35", "--image-size", "32", "--tune-epochs", "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string few = "16 training pictures are far too few for a network from random weights";
  EXPECT_THAT(result.err, HasSubstr(few));
  EXPECT_THAT(result.out, HasSubstr(few));
  const std::string report = slurp(in("runs/photos/report.html"));
  for (const char* of_head : {">Head<", ">Optimizer<", ">Features<", ">Views<", "0 epochs"}) {
    EXPECT_THAT(report, Not(HasSubstr(of_head)));
  }
  EXPECT_THAT(report, AllOf(HasSubstr(">Training<"), HasSubstr("from the first layer on, AdamW"),
                            HasSubstr("batch 8"), HasSubstr("cosine over 2 epochs")));
  trained({"--fine-tune", "last", "--tune-epochs", "1"});
  EXPECT_THAT(slurp(in("runs/photos/report.html")),
              AllOf(HasSubstr(">Head<"), HasSubstr(">Optimizer<"), HasSubstr(">Fine-tuning<")));
}

TEST_F(TrainNotes, ProgramsAreToldOfAHeadAlone) {
  const ProcessResult result = train({"--recipe", "head", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(json::parse(result.out)["recipe"], "head");
  const ProcessResult late =
      train({"--fine-tune", "last", "--tune-epochs", "100000", "--budget", "0.001s", "--json"});
  ASSERT_EQ(late.exit_code, 0) << late.err;
  EXPECT_THAT(json::parse(late.out)["recipe"],
              AllOf(HasSubstr("Trained the head alone: the time given was too short"),
                    Not(HasSubstr(", then"))));
}

TEST_F(TrainNotes, RangesAreShort) {
  expect_failure(train({"--seed", "-1"}), 2, "--seed: -1 is not a number from 0 on;");
  expect_failure(train({"--from-scratch", "--width", "9"}), 2,
                 "--width: 9 is not a number from 0.1 to 4;");
  expect_failure(train({"--threads", "0"}), 2, "--threads: 0 is not a number from 1 to 1024;");
  expect_failure(train({"--seed", "x"}), 2, "--seed: x is not a number from 0 on;");
  expect_failure(train({"--seed", "nan"}), 2, "--seed: nan is not");
}

}  // namespace engraft::test::train_notes_test
