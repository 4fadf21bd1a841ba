#include "engraft/run/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "engraft/base/error.h"

namespace engraft {
namespace {

/// Epochs below which fine-tuning is not worth its set-up.
constexpr int kFewestEpochs = 2;
constexpr int kMostHeadEpochs = std::numeric_limits<int>::max() / 2;

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::kBadInput,
              fmt::format("{}: the plan of the run is damaged: {}; begin the run anew without "
                          "--resume",
                          path, what));
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
  Recipe recipe{.head_epochs = material.head_epochs, .tuning = {}, .reason = {}};
  const double accuracy = material.head_accuracy.value_or(0);
  const std::string_view tried_on =
      material.has_folds ? "all pictures" : "the training pictures alone";
  if (material.pictures < kFewPictures) {
    recipe.reason = fmt::format(
        "Trained the head alone: {} training pictures are too few for more (--fine-tune last "
        "tries).",
        material.pictures);
  } else if (accuracy >= kGoodHead) {
    recipe.reason = fmt::format(
        "Trained the head alone: it has {:.1f} % in cross-validation on {}, "
        "which leaves little to gain (--fine-tune last tries).",
        100 * accuracy, tried_on);
  } else {
    recipe.tuning = tuned;
    recipe.tuning->from = "last";
    recipe.reason =
        fmt::format("Trained the head, then the last stage of the network: {}.",
                    material.head_accuracy
                        ? fmt::format("the head alone has {:.1f} % in cross-validation on {}",
                                      100 * accuracy, tried_on)
                        : fmt::format("there are {} training pictures", material.pictures));
  }
  return recipe;
}

Recipe fit_to_budget(Recipe recipe, const Budget& budget) {
  const auto fitting = [](double seconds, double epoch, int wanted) {
    if (!(epoch > 0)) return wanted;
    return static_cast<int>(std::clamp<double>(seconds / epoch, 0, wanted));
  };
  const int head = recipe.head_epochs;
  std::string shortened;
  if (head > 0) {
    recipe.head_epochs = std::max(1, fitting(budget.seconds, budget.head_epoch, head));
    if (recipe.head_epochs < head) {
      shortened = fmt::format(" {} of {} epochs of the head fit into the time given.",
                              recipe.head_epochs, head);
    }
  }
  if (!recipe.tuning) {
    if (recipe.reason.empty() && !shortened.empty()) recipe.reason = "Trained the head alone.";
    recipe.reason += shortened;
    return recipe;
  }
  const double left =
      budget.seconds - budget.head_epoch * recipe.head_epochs - budget.tuning_set_up;
  const int wanted = recipe.tuning->epochs;
  recipe.tuning->epochs = left > 0 ? fitting(left, budget.tuning_epoch, wanted) : 0;
  if (recipe.tuning->epochs >= std::min(kFewestEpochs, wanted)) {
    recipe.reason += shortened;
    recipe.reason += fmt::format(" {} of {} epochs of it fit into the time given.",
                                 recipe.tuning->epochs, wanted);
    return recipe;
  }
  recipe.tuning.reset();
  recipe.reason = "Trained the head alone: the time given was too short for fine-tuning";
  if (budget.tuning_epoch > 0) {
    recipe.reason += fmt::format(", an epoch of which takes {:.1f} s", budget.tuning_epoch);
  }
  recipe.reason += "." + shortened;
  return recipe;
}

std::string plan_json(const Recipe& recipe, const std::string& identity) {
  nlohmann::ordered_json tuning;
  if (recipe.tuning) {
    tuning = {{"from", recipe.tuning->from},
              {"epochs", recipe.tuning->epochs},
              {"micro_batch", recipe.tuning->micro_batch}};
  }
  return nlohmann::ordered_json{{"run", identity},
                                {"head_epochs", recipe.head_epochs},
                                {"fine_tuning", tuning},
                                {"reason", recipe.reason}}
             .dump(2) +
         "\n";
}

Recipe recipe_from_plan(const SavedPlan& saved, const FineTuneOptions& options,
                        const std::string& identity) {
  Recipe recipe;
  bool same = false;
  try {
    const nlohmann::json plan = nlohmann::json::parse(saved.json);
    same = plan.at("run").get<std::string>() == identity;
    recipe.reason = plan.at("reason").get<std::string>();
    recipe.head_epochs = integer(plan.at("head_epochs"));
    if (recipe.head_epochs < 0 || recipe.head_epochs > kMostHeadEpochs) {
      throw Error(ErrorKind::kBadInput, fmt::format("{} epochs of the head", recipe.head_epochs));
    }
    const nlohmann::json& tuning = plan.at("fine_tuning");
    if (!tuning.is_null()) {
      recipe.tuning = options;
      recipe.tuning->from = tuning.at("from").get<std::string>();
      recipe.tuning->epochs = integer(tuning.at("epochs"));
      recipe.tuning->micro_batch = integer(tuning.at("micro_batch"));
      check(*recipe.tuning);
    }
  } catch (const nlohmann::json::exception& error) {
    damaged(saved.path, error.what());
  } catch (const Error& error) {
    damaged(saved.path, error.what());
  }
  if (!same) throw Error(ErrorKind::kBadInput, has_changed(saved.path));
  return recipe;
}

std::string has_changed(const std::string& file) {
  return fmt::format(
      "{}: pictures, labels, base model or engraft have changed since this run was begun; begin it "
      "anew without --resume",
      file);
}

}  // namespace engraft
