#include "engraft/train/checkpoint_history.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "engraft/base/error.h"

namespace engraft {
namespace {

/// Members of an EpochResult.
constexpr std::size_t kHistoryColumns = 7;

[[noreturn]] void damaged(const std::string& what) {
  throw Error(ErrorKind::kBadInput, what);
}

/// A double that came from a float.
float narrow(double value) {
  const bool fits = !std::isfinite(value) || std::abs(value) <= std::numeric_limits<float>::max();
  const float result = fits ? static_cast<float>(value) : 0;
  if (!fits || (!std::isnan(value) && static_cast<double>(result) != value)) {
    damaged(fmt::format("{} holds {}, which is no float", kHistoryTensor, value));
  }
  return result;
}

}  // namespace

SafetensorsEntry history_entry(std::span<const EpochResult> history) {
  std::vector<double> values;
  for (const EpochResult& e : history) {
    if (e.epoch != static_cast<int>(values.size() / kHistoryColumns) + 1) {
      throw Error(ErrorKind::kUsage, fmt::format("a checkpoint: epoch {} in row {}", e.epoch,
                                                 values.size() / kHistoryColumns + 1));
    }
    values.insert(values.end(), {static_cast<double>(e.epoch), e.learning_rate, e.train_loss,
                                 e.train_accuracy, e.val_loss, e.val_accuracy, e.seconds});
  }
  const Shape shape{static_cast<std::int64_t>(history.size()),
                    static_cast<std::int64_t>(kHistoryColumns)};
  return make_entry<double>(shape, values);
}

std::vector<EpochResult> history_from(const SafetensorsEntry& entry) {
  const std::int64_t epochs = entry.shape.rank() == 2 ? entry.shape[0] : 0;
  const Shape expected{epochs, static_cast<std::int64_t>(kHistoryColumns)};
  if (entry.shape != expected) {
    damaged(fmt::format("tensor {} has shape {}, not {}", kHistoryTensor, entry.shape.to_string(),
                        expected.to_string()));
  }
  std::vector<double> all;
  try {
    all = values_of<double>(entry);
  } catch (const Error& error) {
    damaged(fmt::format("tensor {}: {}", kHistoryTensor, error.what()));
  }
  if (all.size() != static_cast<std::size_t>(expected.elements())) {
    damaged(fmt::format("tensor {} has {} values for {}", kHistoryTensor, all.size(),
                        expected.to_string()));
  }
  std::vector<EpochResult> result;
  for (std::size_t at = 0; at < all.size(); at += kHistoryColumns) {
    const std::span row = std::span(all).subspan(at, kHistoryColumns);
    if (!(row[0] == static_cast<double>(result.size() + 1))) {
      damaged(fmt::format("{} has epoch {} in row {}", kHistoryTensor, row[0], result.size() + 1));
    }
    result.push_back({.epoch = static_cast<int>(result.size()) + 1,
                      .learning_rate = narrow(row[1]),
                      .train_loss = narrow(row[2]),
                      .train_accuracy = narrow(row[3]),
                      .val_loss = narrow(row[4]),
                      .val_accuracy = narrow(row[5]),
                      .seconds = row[6]});
  }
  return result;
}

}  // namespace engraft
