#include "engraft/run/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "support/errors.h"

namespace engraft::recipe_test {

using nlohmann::json;
using test::expect_error;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Fifty epochs of a head, then so many of fine-tuning.
Recipe recipe(std::optional<int> tuning_epochs) {
  Recipe result{.head_epochs = 50, .tuning = {}, .reason = "Because."};
  if (tuning_epochs) {
    result.tuning.emplace();
    result.tuning->epochs = *tuning_epochs;
  }
  return result;
}

TEST(AutomaticRecipe, TrainsTheHeadAloneForFewPictures) {
  const Recipe few =
      automatic_recipe({.head_epochs = 7, .pictures = kFewPictures - 1, .head_accuracy = {}}, {});
  EXPECT_FALSE(few.tuning);
  EXPECT_EQ(few.head_epochs, 7);
  EXPECT_THAT(few.reason, HasSubstr(std::to_string(kFewPictures - 1)));
  EXPECT_FALSE(automatic_recipe({.head_epochs = 7, .head_accuracy = {}}, {}).tuning);
}

TEST(AutomaticRecipe, TrainsTheLastStageAfterTheHeadWithEnoughPictures) {
  FineTuneOptions tuned;
  tuned.epochs = 17;
  tuned.learning_rate = 0.001f;
  tuned.from = "all";
  for (const std::size_t pictures : {kFewPictures, kFewPictures + 1, std::size_t{1'000'000}}) {
    const Recipe enough =
        automatic_recipe({.head_epochs = 7, .pictures = pictures, .head_accuracy = 0.6}, tuned);
    ASSERT_TRUE(enough.tuning);
    EXPECT_EQ(enough.tuning->from, "last");
    EXPECT_EQ(enough.tuning->epochs, 17);
    EXPECT_EQ(enough.tuning->learning_rate, 0.001f);
    EXPECT_EQ(enough.epochs(), 7 + 17);
    EXPECT_THAT(enough.reason, HasSubstr("60.0 %"));
  }
}

TEST(AutomaticRecipe, LeavesAHeadAloneThatDoesWellEnough) {
  const auto with = [](double accuracy) {
    return automatic_recipe({.head_epochs = 7, .pictures = 1000, .head_accuracy = accuracy}, {});
  };
  EXPECT_FALSE(with(kGoodHead).tuning);
  EXPECT_THAT(with(kGoodHead).reason, HasSubstr("95.0 %"));
  EXPECT_FALSE(with(1).tuning);
  EXPECT_TRUE(with(kGoodHead - 0.001).tuning);
}

TEST(AutomaticRecipe, DoesWithoutAnAccuracy) {
  const Recipe blind =
      automatic_recipe({.head_epochs = 7, .pictures = 321, .head_accuracy = {}}, {});
  EXPECT_TRUE(blind.tuning);
  EXPECT_THAT(blind.reason, HasSubstr("321"));
}

/// 100 s for the heads, 4 to set up, 10 an epoch.
Budget budget(double seconds) {
  return {.seconds = seconds, .head_epoch = 2, .tuning_set_up = 4, .tuning_epoch = 10};
}

TEST(FitToBudget, LeavesWhatFitsAsItIs) {
  const Recipe fitted = fit_to_budget(recipe(8), budget(184));
  EXPECT_EQ(fitted.head_epochs, 50);
  ASSERT_TRUE(fitted.tuning);
  EXPECT_EQ(fitted.tuning->epochs, 8);
  EXPECT_EQ(fitted.reason, "Because. 8 of 8 epochs of it fit into the time given.");
}

TEST(FitToBudget, TakesOffWhatHeadsAndTheSetUpNeed) {
  for (const auto& [seconds, epochs] : {std::pair{183.9, 7}, {134.0, 3}, {133.9, 2}, {124.0, 2}}) {
    const Recipe fitted = fit_to_budget(recipe(8), budget(seconds));
    ASSERT_TRUE(fitted.tuning) << seconds;
    EXPECT_EQ(fitted.tuning->epochs, epochs) << seconds;
    EXPECT_THAT(fitted.reason, HasSubstr(std::to_string(epochs) + " of 8 epochs of it fit"));
  }
}

TEST(FitToBudget, LeavesFineTuningOutWhereThereIsNoTimeForIt) {
  for (const double seconds : {123.9, 104.0, 100.0}) {
    const Recipe fitted = fit_to_budget(recipe(8), budget(seconds));
    EXPECT_FALSE(fitted.tuning) << seconds;
    EXPECT_EQ(fitted.head_epochs, 50) << seconds;
    EXPECT_THAT(fitted.reason,
                StartsWith("Trained the head alone: the time given was too short for "
                           "fine-tuning, an epoch of which takes 10.0 s."));
    EXPECT_THAT(fitted.reason, Not(HasSubstr("Because")));
  }
}

TEST(FitToBudget, ShortensTheHeadWhereItAloneIsTooLong) {
  for (const auto& [seconds, epochs] :
       {std::pair{99.0, 49}, {20.0, 10}, {2.0, 1}, {1.0, 1}, {-50.0, 1}}) {
    for (const Recipe& given : {recipe(8), recipe(std::nullopt)}) {
      const Recipe fitted = fit_to_budget(given, budget(seconds));
      EXPECT_EQ(fitted.head_epochs, epochs) << seconds;
      EXPECT_FALSE(fitted.tuning) << seconds;
      EXPECT_THAT(fitted.reason,
                  HasSubstr(std::to_string(epochs) + " of 50 epochs of the head fit"));
    }
  }
}

TEST(FitToBudget, TakesTheOneEpochThatWasAskedFor) {
  ASSERT_TRUE(fit_to_budget(recipe(1), budget(115)).tuning);
  EXPECT_EQ(fit_to_budget(recipe(1), budget(115)).tuning->epochs, 1);
  EXPECT_FALSE(fit_to_budget(recipe(2), budget(115)).tuning);
}

TEST(FitToBudget, HasNothingToDoForAHeadThatFits) {
  EXPECT_EQ(fit_to_budget(recipe(std::nullopt), budget(100)).reason, "Because.");
}

TEST(FitToBudget, FromScratchThereIsNoHead) {
  Recipe scratch = recipe(8);
  scratch.head_epochs = 0;
  EXPECT_EQ(fit_to_budget(scratch, {.seconds = 30, .tuning_epoch = 10}).tuning->epochs, 3);
  EXPECT_FALSE(fit_to_budget(scratch, {.seconds = 0, .tuning_epoch = 10}).tuning);
  EXPECT_EQ(fit_to_budget(scratch, {.seconds = 0, .tuning_epoch = 10}).head_epochs, 0);
}

TEST(FitToBudget, TakesWhatTookNoTime) {
  const Recipe fitted = fit_to_budget(recipe(8), {.seconds = 1});
  EXPECT_EQ(fitted.epochs(), 58);
}

/// As it was read from a file of that name.
Recipe read_plan(const std::string& text, const FineTuneOptions& options = {},
                 const std::string& identity = "me") {
  return recipe_from_plan({.json = text, .path = "there/plan.json"}, options, identity);
}

TEST(Plan, ComesBackAsItWas) {
  Recipe written = recipe(3);
  written.head_epochs = 17;
  written.tuning->from = "block_13";
  written.tuning->micro_batch = 2;
  written.reason = "Straße \"x\"\n\\";
  FineTuneOptions options;
  options.learning_rate = 0.5f;
  options.epochs = 99;
  const Recipe read = read_plan(plan_json(written, "me"), options);
  EXPECT_EQ(read.reason, written.reason);
  EXPECT_EQ(read.head_epochs, 17);
  ASSERT_TRUE(read.tuning);
  EXPECT_EQ(read.tuning->from, "block_13");
  EXPECT_EQ(read.tuning->epochs, 3);
  EXPECT_EQ(read.tuning->micro_batch, 2);
  EXPECT_EQ(read.tuning->learning_rate, 0.5f) << "what the plan does not decide";
  EXPECT_EQ(plan_json(read, "me"), plan_json(written, "me"));
}

TEST(Plan, OfAHeadAloneHasNoFineTuning) {
  const Recipe read = read_plan(plan_json(recipe(std::nullopt), "me"));
  EXPECT_FALSE(read.tuning);
  EXPECT_EQ(read.head_epochs, 50);
}

/// A plan with one value replaced.
std::string plan_with(const json::json_pointer& where, const json& value) {
  json plan = json::parse(plan_json(recipe(3), "me"));
  plan[where] = value;
  return plan.dump();
}

void expect_damaged(const std::string& plan) {
  expect_error(ErrorKind::kBadInput,
               AllOf(StartsWith("there/plan.json: the plan of the run is damaged: "),
                     HasSubstr("; begin the run anew")),
               [&] { (void)read_plan(plan); });
}

TEST(Plan, OfAnotherRunIsRefused) {
  expect_error(ErrorKind::kBadInput,
               AllOf(StartsWith("there/plan.json: "),
                     HasSubstr("have changed since this run was begun; begin it anew")),
               [] { (void)read_plan(plan_json(recipe(3), "me"), {}, "another"); });
}

TEST(Plan, RefusesWhatIsNoJson) {
  const std::string whole = plan_json(recipe(3), "me");
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) expect_damaged(whole.substr(0, size));
  expect_damaged(std::string(100'000, '['));
  expect_damaged("\xFF\xFE");
  expect_damaged(std::string("\0\0", 2));
}

TEST(Plan, RefusesJsonOfAnotherForm) {
  for (const char* plan : {"null", "1", "[]", "{}", R"("text")", R"({"reason":"x"})",
                           R"({"reason":1,"fine_tuning":null})", R"({"run":"me","reason":""})",
                           R"({"run":"me","reason":"","head_epochs":1})",
                           R"({"run":[],"reason":"","head_epochs":1,"fine_tuning":null})"}) {
    expect_damaged(plan);
  }
  for (const json& tuning : {json(7), json("last"), json::object({{"a", 1}}), json::array({1}),
                             json::array({json::object()})}) {
    expect_damaged(plan_with("/fine_tuning"_json_pointer, tuning));
  }
  for (const char* member : {"from", "epochs", "micro_batch"}) {
    const json::json_pointer where = "/fine_tuning"_json_pointer / member;
    for (const json& value : {json(), json(json::array()), json(true), json(json::object())}) {
      expect_damaged(plan_with(where, value));
    }
  }
  expect_damaged(plan_with("/fine_tuning/from"_json_pointer, 3));
}

TEST(Plan, RefusesNumbersThatCannotBe) {
  for (const json& value : {json(-1), json(2.5), json("3"), json(), json(2'147'483'647)}) {
    expect_damaged(plan_with("/head_epochs"_json_pointer, value));
  }
  for (const char* member : {"epochs", "micro_batch"}) {
    const json::json_pointer where = "/fine_tuning"_json_pointer / member;
    for (const json& value : {json(0), json(-1), json(2.5), json(1e300), json(4'294'967'297),
                              json("3"), json(std::numeric_limits<std::int64_t>::min()),
                              json(std::numeric_limits<std::uint64_t>::max()), json(200'000)}) {
      expect_damaged(plan_with(where, value));
    }
  }
}

}  // namespace engraft::recipe_test
