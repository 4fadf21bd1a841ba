#include "engraft/run/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "support/errors.h"

namespace engraft {
namespace {

using nlohmann::json;
using test::expect_error;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Recipe recipe(const std::vector<int>& epochs) {
  Recipe result{.stages = {}, .reason = "Because."};
  for (const int n : epochs) {
    FineTuneOptions stage;
    stage.epochs = n;
    result.stages.push_back(stage);
  }
  return result;
}

TEST(AutomaticRecipe, TrainsTheHeadAloneForFewPictures) {
  const Recipe few = automatic_recipe({.pictures = kFewPictures - 1, .head_accuracy = {}}, {});
  EXPECT_THAT(few.stages, IsEmpty());
  EXPECT_THAT(few.reason, HasSubstr(std::to_string(kFewPictures - 1)));
  EXPECT_THAT(automatic_recipe({.pictures = 0, .head_accuracy = {}}, {}).stages, IsEmpty());
}

TEST(AutomaticRecipe, TrainsTheLastStageAfterTheHeadWithEnoughPictures) {
  FineTuneOptions tuned;
  tuned.epochs = 17;
  tuned.learning_rate = 0.001f;
  tuned.from = "all";
  for (const std::size_t pictures : {kFewPictures, kFewPictures + 1, std::size_t{1'000'000}}) {
    const Recipe enough = automatic_recipe({.pictures = pictures, .head_accuracy = 0.6}, tuned);
    ASSERT_EQ(enough.stages.size(), 1u);
    EXPECT_EQ(enough.stages[0].from, "last");
    EXPECT_EQ(enough.stages[0].epochs, 17);
    EXPECT_EQ(enough.stages[0].learning_rate, 0.001f);
    EXPECT_THAT(enough.reason, HasSubstr("60.0 %"));
  }
}

TEST(AutomaticRecipe, LeavesAHeadAloneThatDoesWellEnough) {
  const auto with = [](double accuracy) {
    return automatic_recipe({.pictures = 1000, .head_accuracy = accuracy}, {});
  };
  EXPECT_THAT(with(kGoodHead).stages, IsEmpty());
  EXPECT_THAT(with(kGoodHead).reason, HasSubstr("95.0 %"));
  EXPECT_THAT(with(1).stages, IsEmpty());
  EXPECT_THAT(with(kGoodHead - 0.001).stages, Not(IsEmpty()));
}

TEST(AutomaticRecipe, DoesWithoutAnAccuracy) {
  const Recipe blind = automatic_recipe({.pictures = 321, .head_accuracy = {}}, {});
  EXPECT_EQ(blind.stages.size(), 1u);
  EXPECT_THAT(blind.reason, HasSubstr("321"));
}

TEST(FitToBudget, LeavesWhatFitsAsItIs) {
  const Recipe fitted = fit_to_budget(
      recipe({8}), {.seconds = 100, .seconds_per_picture = 0.01, .pictures_per_epoch = 1000});
  ASSERT_EQ(fitted.stages.size(), 1u);
  EXPECT_EQ(fitted.stages[0].epochs, 8);
}

TEST(FitToBudget, TakesAsManyEpochsAsFitAndSaysSo) {
  const Recipe fitted = fit_to_budget(
      recipe({8}), {.seconds = 35, .seconds_per_picture = 0.01, .pictures_per_epoch = 1000});
  ASSERT_EQ(fitted.stages.size(), 1u);
  EXPECT_EQ(fitted.stages[0].epochs, 3);
  EXPECT_THAT(fitted.reason, HasSubstr("Because. 3 epochs"));
}

TEST(FitToBudget, LeavesOutAStageForWhichThereIsNoTime) {
  for (const double seconds : {19.9, 1.0, 0.0, -50.0}) {
    const Recipe fitted = fit_to_budget(
        recipe({8}), {.seconds = seconds, .seconds_per_picture = 0.01, .pictures_per_epoch = 1000});
    EXPECT_THAT(fitted.stages, IsEmpty()) << seconds;
    EXPECT_THAT(fitted.reason, HasSubstr("too short for fine-tuning: an epoch takes 10.0 s"));
  }
}

TEST(FitToBudget, TakesTheOneEpochThatWasAskedFor) {
  const Budget budget{.seconds = 10.5, .seconds_per_picture = 0.01, .pictures_per_epoch = 1000};
  const Recipe fitted = fit_to_budget(recipe({1}), budget);
  ASSERT_EQ(fitted.stages.size(), 1u);
  EXPECT_EQ(fitted.stages[0].epochs, 1);
  EXPECT_THAT(fit_to_budget(recipe({2}), budget).stages, IsEmpty());
}

TEST(FitToBudget, DividesTheTimeBetweenStages) {
  const Recipe fitted = fit_to_budget(
      recipe({8, 2}), {.seconds = 80, .seconds_per_picture = 0.01, .pictures_per_epoch = 1000});
  ASSERT_EQ(fitted.stages.size(), 2u);
  EXPECT_EQ(fitted.stages[0].epochs, 4);
  EXPECT_EQ(fitted.stages[1].epochs, 2);
}

TEST(FitToBudget, HasNothingToDoForAHeadAlone) {
  const Recipe fitted =
      fit_to_budget(recipe({}), {.seconds = 0, .seconds_per_picture = 1, .pictures_per_epoch = 1});
  EXPECT_THAT(fitted.stages, IsEmpty());
  EXPECT_EQ(fitted.reason, "Because.");
}

TEST(FitToBudget, TakesAStepThatTookNoTime) {
  const Recipe fitted = fit_to_budget(
      recipe({8}), {.seconds = 1, .seconds_per_picture = 0, .pictures_per_epoch = 1000});
  ASSERT_EQ(fitted.stages.size(), 1u);
  EXPECT_EQ(fitted.stages[0].epochs, 8);
}

TEST(Plan, ComesBackWithItsStages) {
  Recipe written = recipe({3, 5});
  written.stages[0].from = "block_13";
  written.stages[0].micro_batch = 2;
  written.stages[1].from = "100";
  written.reason = "Straße \"x\"\n\\";
  FineTuneOptions options;
  options.learning_rate = 0.5f;
  options.epochs = 99;
  const Recipe read = recipe_from_plan(plan_json(written, "me"), options, "me");
  EXPECT_EQ(read.reason, written.reason);
  ASSERT_EQ(read.stages.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read.stages[i].from, written.stages[i].from);
    EXPECT_EQ(read.stages[i].epochs, written.stages[i].epochs);
    EXPECT_EQ(read.stages[i].micro_batch, written.stages[i].micro_batch);
    EXPECT_EQ(read.stages[i].learning_rate, 0.5f) << "what the plan does not decide";
  }
  EXPECT_EQ(plan_json(read, "me"), plan_json(written, "me"));
}

TEST(Plan, OfAHeadAloneHasNoStages) {
  EXPECT_THAT(recipe_from_plan(plan_json(recipe({}), ""), {}, "").stages, IsEmpty());
}

/// A plan with one value replaced.
std::string plan_with(const json::json_pointer& where, const json& value) {
  json plan = json::parse(plan_json(recipe({3}), "me"));
  plan[where] = value;
  return plan.dump();
}

void expect_damaged(const std::string& plan) {
  expect_error(ErrorKind::kBadInput, HasSubstr("the plan of the run is damaged: "),
               [&] { (void)recipe_from_plan(plan, {}, "me"); });
}

TEST(Plan, OfAnotherRunIsRefused) {
  expect_error(ErrorKind::kBadInput, HasSubstr("have changed since this run was begun"),
               [] { (void)recipe_from_plan(plan_json(recipe({3}), "me"), {}, "another"); });
}

TEST(Plan, RefusesWhatIsNoJson) {
  const std::string whole = plan_json(recipe({3}), "me");
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) expect_damaged(whole.substr(0, size));
  expect_damaged(std::string(100'000, '['));
  expect_damaged("\xFF\xFE");
  expect_damaged(std::string("\0\0", 2));
}

TEST(Plan, RefusesJsonOfAnotherForm) {
  for (const char* plan :
       {"null", "1", "[]", "{}", R"("text")", R"({"reason":"x"})", R"({"reason":1,"stages":[]})",
        R"({"stages":[]})", R"({"stages":[],"reason":""})",
        R"({"run":[],"stages":[],"reason":""})"}) {
    expect_damaged(plan);
  }
  for (const json& stages : {json(), json(7), json("last"), json::object({{"a", 1}}),
                             json::array({1}), json::array({json::object()})}) {
    expect_damaged(plan_with("/stages"_json_pointer, stages));
  }
  for (const char* member : {"from", "epochs", "micro_batch"}) {
    const json::json_pointer where = "/stages/0"_json_pointer / member;
    for (const json& value : {json(), json(json::array()), json(true), json(json::object())}) {
      expect_damaged(plan_with(where, value));
    }
  }
  expect_damaged(plan_with("/stages/0/from"_json_pointer, 3));
}

TEST(Plan, RefusesNumbersThatCannotBe) {
  for (const char* member : {"epochs", "micro_batch"}) {
    const json::json_pointer where = "/stages/0"_json_pointer / member;
    for (const json& value : {json(0), json(-1), json(2.5), json(1e300), json(4'294'967'297),
                              json("3"), json(std::numeric_limits<std::int64_t>::min()),
                              json(std::numeric_limits<std::uint64_t>::max()), json(200'000)}) {
      expect_damaged(plan_with(where, value));
    }
  }
}

}  // namespace
}  // namespace engraft
