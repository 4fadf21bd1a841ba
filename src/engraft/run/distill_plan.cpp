#include "engraft/run/distill_plan.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engraft/base/error.h"
#include "engraft/train/distiller.h"

namespace engraft {
namespace {

constexpr const char* kEpochs = "epochs";

}  // namespace

std::optional<int> planned_epochs(const UnfinishedRun& unfinished) {
  const auto text = unfinished.plan();
  if (!text) return std::nullopt;
  try {
    const nlohmann::json epochs = nlohmann::json::parse(*text).at(kEpochs);
    if (epochs.is_number_integer() && epochs >= 1 && epochs <= DistillOptions::kMostEpochs) {
      return epochs.get<int>();
    }
  } catch (const nlohmann::json::exception&) {  // said below
  }
  throw Error(ErrorKind::kBadInput,
              fmt::format("{}: damaged; begin the run anew", unfinished.plan_path().string()));
}

void plan_epochs(UnfinishedRun& unfinished, int epochs) {
  unfinished.set_plan(nlohmann::json{{kEpochs, epochs}}.dump() + "\n");
}

}  // namespace engraft
