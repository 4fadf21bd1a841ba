// Every option of fine-tuning says in one line what is wrong with a value.
#include "cli/tuning.h"

namespace engraft::test::tune_options_test {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class TuneOptionValues : public TuningRuns {
 protected:
  void expect_refused(const std::string& option, std::initializer_list<const char*> values,
                      const std::string& named) const {
    for (const char* value : values) {
      const ProcessResult result = train({option, value});
      SCOPED_TRACE(option + " " + value);
      expect_failure(result, 2, named);
      EXPECT_EQ(std::ranges::count(result.err, '\n'), 1);
      EXPECT_LT(result.err.size(), 200u);
    }
    EXPECT_THAT(names_in(in("runs")), IsEmpty());
  }
};

TEST_F(TuneOptionValues, NumbersOutOfTheirRange) {
  expect_refused("--tune-epochs", {"0", "-1", "100001", "x", "1.5"}, "--tune-epochs");
  expect_refused("--tune-lr", {"0", "-1", "1e30", "nan", "inf", "x"}, "--tune-lr");
  expect_refused("--tune-batch", {"2", "0"}, "--tune-batch");  // the first is given twice
  expect_refused("--micro-batch", {"0", "1025", "x"}, "--micro-batch");
  expect_refused("--tune-warmup", {"1", "-0.1"}, "--tune-warmup");
  expect_refused("--tune-weight-decay", {"-1", "nan", "1e9"}, "--tune-weight-decay");
  expect_refused("--layer-decay", {"0", "1.1"}, "--layer-decay");
  expect_refused("--clip", {"-1", "inf"}, "--clip");
  expect_refused("--ema", {"1", "-1"}, "--ema");
  expect_refused("--checkpoint-every", {"-1", "nan", "x"}, "--checkpoint-every");
  expect_refused("--label-smoothing", {"1", "-1"}, "--label-smoothing");
}

TEST_F(TuneOptionValues, WordsThatAreNone) {
  expect_refused("--recipe", {"x", "0", ""}, "none of auto, head");
  expect_refused("--batch-norm", {"x", "1"}, "none of frozen, trainable");
  expect_refused("--augment", {"x"}, "none of light, none, standard, strong");
  expect_refused("--tune-optimizer", {"x", "3"}, "none of adam, adamw, nesterov, rmsprop, sgd");
  expect_refused("--tune-schedule", {"x"}, "none of constant, cosine, one-cycle, step");
}

TEST_F(TuneOptionValues, TimesAndAmounts) {
  expect_refused("--budget", {"0", "-5m", "5x", "5 m", "m", "nan", "inf", "1e9", "1e400", "5ms"},
                 "--budget");
  expect_refused("--memory", {"0", "-1G", "5X", "lots"}, "is no amount of memory");
}

TEST_F(TuneOptionValues, PartsOfTheAugmentation) {
  for (const auto& [option, value] : std::map<std::string, const char*>{{"--mirror", "2"},
                                                                        {"--upside-down", "-1"},
                                                                        {"--rotation", "181"},
                                                                        {"--brightness", "2"},
                                                                        {"--contrast", "nan"},
                                                                        {"--saturation", "-1"},
                                                                        {"--hue", "0.6"},
                                                                        {"--grayscale", "2"},
                                                                        {"--rand-augment", "11"},
                                                                        {"--magnitude", "11"},
                                                                        {"--erasing", "2"},
                                                                        {"--mixup", "-1"},
                                                                        {"--cutmix", "101"}}) {
    std::string part = option.substr(2);
    std::ranges::replace(part, '-', '_');
    expect_refused(option, {value}, part);
  }
  expect_refused("--crop", {"0", "2"}, "crop");
}

TEST_F(TuneOptionValues, ThatExcludeEachOther) {
  for (const auto& both : {std::vector<std::string>{"--recipe", "head", "--fine-tune", "all"},
                           {"--from-scratch", "--fine-tune", "all"},
                           {"--from-scratch", "--recipe", "auto"}}) {
    expect_failure(train(both), 2, "excludes");
  }
}

TEST_F(TuneOptionValues, ThatWouldDoNothingAreRefused) {
  for (const auto& [option, value] : std::map<std::string, std::string>{{"--epochs", "5"},
                                                                        {"--lr", "0.1"},
                                                                        {"--batch", "8"},
                                                                        {"--optimizer", "sgd"},
                                                                        {"--momentum", "0.5"},
                                                                        {"--weight-decay", "1"},
                                                                        {"--schedule", "step"},
                                                                        {"--warmup", "0.1"},
                                                                        {"--head", "mlp"},
                                                                        {"--hidden", "8"},
                                                                        {"--dropout", "0.1"},
                                                                        {"--views", "1"},
                                                                        {"--features", "logits"}}) {
    const ProcessResult result = train({"--from-scratch", option, value});
    expect_failure(result, 2, option + " does nothing with --from-scratch");
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1);
  }
  expect_failure(train({"--from-scratch", "--epochs", "5"}), 2, "say --tune-epochs");
  for (const auto& [option, value] : std::map<std::string, std::string>{{"--tune-epochs", "5"},
                                                                        {"--tune-lr", "0.1"},
                                                                        {"--layer-decay", "0.5"},
                                                                        {"--ema", "0.9"},
                                                                        {"--micro-batch", "2"},
                                                                        {"--augment", "light"},
                                                                        {"--mixup", "0.2"}}) {
    std::vector<std::string> words{"train", "photos", "--recipe", "head", option, value};
    expect_failure(program_.run(words), 2, option + " does nothing with --recipe head");
  }
  expect_failure(train({"--from-scratch", "--loss", "sigmoid"}), 2, "--loss sigmoid");
  EXPECT_THAT(names_in(in("runs")), IsEmpty());
}

TEST_F(TuneOptionValues, OfUseFromScratchAreTaken) {
  trained({"--from-scratch", "--width", "0.35", "--image-size", "32", "--tune-epochs", "1",
           "--label-smoothing", "0.1", "--balance", "--patience", "3", "--seed", "1", "--loss",
           "softmax"});
}

TEST_F(TuneOptionValues, TrainWantsAFolderOrARunToResume) {
  expect_failure(program_.run({"train"}), 2, "a folder of pictures, or --resume RUN");
  expect_failure(program_.run({"train", "--fine-tune", "all"}), 2, "a folder of pictures");
  expect_failure(program_.run({"train", "--resume"}), 2, "--resume");
}

}  // namespace engraft::test::tune_options_test
