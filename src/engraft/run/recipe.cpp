#include "engraft/run/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "engraft/base/error.h"

namespace engraft {
namespace {

/// Epochs below which a stage is not worth its set-up.
constexpr int kFewestEpochs = 2;

[[noreturn]] void damaged(const std::string& what) {
  throw Error(ErrorKind::kBadInput, "the plan of the run is damaged: " + what);
}

/// Not what nlohmann::json makes of a number that is none of int's.
int integer(const nlohmann::json& value) {
  const bool fits = value.is_number_integer() && value >= std::numeric_limits<int>::min() &&
                    value <= std::numeric_limits<int>::max();
  if (!fits) throw Error(ErrorKind::kBadInput, "no whole number: " + value.dump());
  return value.get<int>();
}

}  // namespace

Recipe automatic_recipe(const RecipeMaterial& material, const FineTuneOptions& tuned) {
  if (material.pictures < kFewPictures) {
    return {.stages = {},
            .reason = fmt::format(
                "Trained the head alone: {} training pictures are too few for more (--fine-tune "
                "last tries).",
                material.pictures)};
  }
  const double accuracy = material.head_accuracy.value_or(0);
  if (accuracy >= kGoodHead) {
    return {.stages = {},
            .reason = fmt::format(
                "Trained the head alone: it has {:.1f} % in cross-validation on the training "
                "pictures, which leaves little to gain (--fine-tune last tries).",
                100 * accuracy)};
  }
  FineTuneOptions stage = tuned;
  stage.from = "last";
  const std::string found =
      material.head_accuracy
          ? fmt::format("the head alone has {:.1f} % in cross-validation on the training pictures",
                        100 * accuracy)
          : fmt::format("there are {} training pictures", material.pictures);
  return {
      .stages = {stage},
      .reason = fmt::format("Trained the head, then the last stage of the network: {}.", found)};
}

Recipe fit_to_budget(Recipe recipe, const Budget& budget) {
  const double epoch = budget.seconds_per_picture * static_cast<double>(budget.pictures_per_epoch);
  const double share = budget.seconds / static_cast<double>(recipe.stages.size());
  const std::size_t before = recipe.stages.size();
  std::vector<FineTuneOptions> fitting;
  for (FineTuneOptions& stage : recipe.stages) {
    const int fewest = std::min(kFewestEpochs, stage.epochs);
    if (epoch > 0) {
      stage.epochs = static_cast<int>(std::clamp<double>(share / epoch, 0, stage.epochs));
    }
    if (stage.epochs >= fewest) fitting.push_back(stage);
  }
  recipe.stages = std::move(fitting);
  if (recipe.stages.size() < before) {
    recipe.reason += fmt::format(
        " The time given was too short for fine-tuning: an epoch takes {:.1f} s.", epoch);
  } else if (!recipe.stages.empty()) {
    recipe.reason +=
        fmt::format(" {} epochs of it fit into the time given.", recipe.stages.back().epochs);
  }
  return recipe;
}

std::string plan_json(const Recipe& recipe, const std::string& identity) {
  nlohmann::ordered_json stages = nlohmann::ordered_json::array();
  for (const FineTuneOptions& stage : recipe.stages) {
    stages.push_back(
        {{"from", stage.from}, {"epochs", stage.epochs}, {"micro_batch", stage.micro_batch}});
  }
  return nlohmann::ordered_json{{"run", identity}, {"stages", stages}, {"reason", recipe.reason}}
             .dump(2) +
         "\n";
}

Recipe recipe_from_plan(const std::string& json, const FineTuneOptions& options,
                        const std::string& identity) {
  Recipe recipe;
  bool same = false;
  try {
    const nlohmann::json plan = nlohmann::json::parse(json);
    same = plan.at("run").get<std::string>() == identity;
    recipe.reason = plan.at("reason").get<std::string>();
    for (const nlohmann::json& stage : plan.at("stages").get<std::vector<nlohmann::json>>()) {
      FineTuneOptions read = options;
      read.from = stage.at("from").get<std::string>();
      read.epochs = integer(stage.at("epochs"));
      read.micro_batch = integer(stage.at("micro_batch"));
      check(read);
      recipe.stages.push_back(read);
    }
  } catch (const nlohmann::json::exception& error) {
    damaged(error.what());
  } catch (const Error& error) {
    damaged(error.what());
  }
  if (!same) {
    throw Error(ErrorKind::kBadInput,
                "pictures, labels, base model or engraft have changed since this run was begun; "
                "begin it anew without --resume");
  }
  return recipe;
}

}  // namespace engraft
