#include "engraft/train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/base/utf8.h"
#include "engraft/train/checkpoint_history.h"

namespace engraft {
namespace {

constexpr std::string_view kReserved = "engraft.";
constexpr std::string_view kVersionKey = "engraft.checkpoint";
constexpr std::string_view kVersion = "1";

constexpr std::string_view kParameters = "parameters/";
constexpr std::string_view kStatistics = "statistics/";
constexpr std::string_view kAverage = "average/";
constexpr std::string_view kBestParameters = "best/parameters/";
constexpr std::string_view kBestStatistics = "best/statistics/";
constexpr std::string_view kOptimizer = "optimizer/";
constexpr std::string_view kLoss = "position/loss";
constexpr std::string_view kHasAverage = "contains/average";
constexpr std::string_view kHasBest = "contains/best";
constexpr std::string_view kSlots = "contains/optimizer_slots";

std::string joined(std::string_view prefix, std::string_view name) {
  return std::string(prefix).append(name);
}

// ---- writing

void require_writable(bool holds, const std::string& what) {
  if (!holds) throw Error(ErrorKind::kUsage, "a checkpoint: " + what);
}

/// Fills a file.
class Writer {
 public:
  explicit Writer(SafetensorsFile& file) : file_(file) {}

  void integer(std::string_view name, std::uint64_t value) {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    require_writable(value <= kMost, fmt::format("{} is negative or too large", name));
    const std::array values{static_cast<std::int64_t>(value)};
    file_.tensors.emplace(name, make_entry<std::int64_t>(Shape{}, values));
  }

  void number(std::string_view name, double value) {
    file_.tensors.emplace(name, make_entry<double>(Shape{}, std::array{value}));
  }

  void slot(const std::string& name, std::span<const float> values, std::size_t wanted) {
    require_writable(
        !name.empty() && values.size() == wanted,
        fmt::format("slot \"{}\" of {} values for {} parameters", name, values.size(), wanted));
    const Shape shape{static_cast<std::int64_t>(values.size())};
    const bool is_new =
        file_.tensors.emplace(joined(kOptimizer, name), make_entry<float>(shape, values)).second;
    require_writable(is_new, fmt::format("two slots are named {}", name));
  }

  /// A tensor for each parameter.
  void parameters(std::string_view prefix, const ParameterLayout& layout,
                  std::span<const float> flat) {
    require_writable(flat.size() == layout.size(),
                     fmt::format("{} values for {} of {}", flat.size(), layout.size(), prefix));
    for (const auto& slot : layout.slots()) {
      file_.tensors.emplace(joined(prefix, slot.name),
                            make_entry<float>(slot.shape, flat.subspan(slot.offset, slot.size)));
    }
  }

  void history(std::span<const EpochResult> epochs) {
    file_.tensors.emplace(kHistoryTensor, history_entry(epochs));
  }

 private:
  SafetensorsFile& file_;
};

// ---- reading

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kBadInput, what);
}

/// Takes tensors out of a file, each once, and knows at the end what nobody asked for.
class CheckpointReader {
 public:
  explicit CheckpointReader(const SafetensorsFile& file) : file_(file) {}

  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t most) {
    const std::int64_t value = values<std::int64_t>(std::string(name), Shape{}).front();
    if (value < 0 || value > most) refuse(fmt::format("{} is {}", name, value));
    return value;
  }

  [[nodiscard]] double number(std::string_view name) {
    return values<double>(std::string(name), Shape{}).front();
  }

  [[nodiscard]] std::vector<float> parameters(std::string_view prefix,
                                              const ParameterLayout& layout) {
    std::vector<float> flat(layout.size());
    for (const auto& slot : layout.slots()) {
      std::ranges::copy(values<float>(joined(prefix, slot.name), slot.shape),
                        flat.begin() + static_cast<std::ptrdiff_t>(slot.offset));
    }
    return flat;
  }

  [[nodiscard]] std::vector<std::pair<std::string, std::vector<float>>> slots(std::size_t size) {
    std::vector<std::pair<std::string, std::vector<float>>> result;
    for (auto entry = file_.tensors.lower_bound(std::string(kOptimizer));
         entry != file_.tensors.end() && entry->first.starts_with(kOptimizer); ++entry) {
      result.emplace_back(entry->first.substr(kOptimizer.size()),
                          values<float>(entry->first, Shape{static_cast<std::int64_t>(size)}));
    }
    if (static_cast<std::int64_t>(result.size()) !=
        integer(kSlots, std::numeric_limits<std::int64_t>::max())) {
      refuse(fmt::format("it has {} tensors {}…, {} says another number", result.size(), kOptimizer,
                         kSlots));
    }
    return result;
  }

  [[nodiscard]] std::vector<EpochResult> history() {
    const std::string name(kHistoryTensor);
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) refuse(fmt::format("tensor {} is missing", name));
    taken_.insert(name);
    return history_from(found->second);
  }

  void finish() const {
    if (taken_.size() == file_.tensors.size()) return;
    const auto extra = std::ranges::find_if(
        file_.tensors, [&](const auto& item) { return !taken_.contains(item.first); });
    refuse(fmt::format("tensor {} does not belong to this training", printable(extra->first)));
  }

 private:
  template <typename T>
  std::vector<T> values(const std::string& name, const Shape& shape) {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) refuse(fmt::format("tensor {} is missing", printable(name)));
    const SafetensorsEntry& entry = found->second;
    if (entry.shape != shape) {
      refuse(fmt::format("tensor {} has shape {}, not {}", printable(name), entry.shape.to_string(),
                         shape.to_string()));
    }
    std::vector<T> result;
    try {
      result = values_of<T>(entry);
    } catch (const Error& error) {
      refuse(fmt::format("tensor {}: {}", printable(name), error.what()));
    }
    if (result.size() != static_cast<std::size_t>(shape.elements())) {
      refuse(fmt::format("tensor {} has {} values for {}", printable(name), result.size(),
                         shape.to_string()));
    }
    taken_.insert(name);
    return result;
  }

  const SafetensorsFile& file_;
  std::set<std::string> taken_;
};

Checkpoint read_checkpoint(const SafetensorsFile& file, const CheckpointLayout& layout) {
  constexpr auto kAny = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kYes = 1;
  Checkpoint checkpoint{.state = {}, .metadata = file.metadata};
  const auto version = checkpoint.metadata.find(std::string(kVersionKey));
  if (version == checkpoint.metadata.end()) refuse("it is no checkpoint of engraft's");
  if (version->second != kVersion) {
    refuse(fmt::format("its version is {}, this engraft reads {}", printable(version->second),
                       kVersion));
  }
  checkpoint.metadata.erase(version);
  FineTuneState& state = checkpoint.state;
  CheckpointReader reader(file);
  state.step = reader.integer("position/step", kAny);
  state.parameters = reader.parameters(kParameters, layout.parameters);
  state.statistics = reader.parameters(kStatistics, layout.statistics);
  state.optimizer_steps = reader.integer("position/optimizer_steps", kAny);
  state.optimizer = reader.slots(layout.parameters.size());
  state.ema_steps = reader.integer("position/average_steps", kAny);
  if (reader.integer(kHasAverage, kYes) == kYes) {
    state.ema = reader.parameters(kAverage, layout.parameters);
  }
  state.loss = reader.number(kLoss);
  state.correct = static_cast<std::size_t>(reader.integer("position/correct", kAny));
  state.pictures = static_cast<std::size_t>(reader.integer("position/pictures", kAny));
  state.history = reader.history();
  state.best_epoch = static_cast<int>(
      reader.integer("position/best_epoch", static_cast<std::int64_t>(state.history.size())));
  if (reader.integer(kHasBest, kYes) == kYes) {
    state.best_parameters = reader.parameters(kBestParameters, layout.parameters);
    state.best_statistics = reader.parameters(kBestStatistics, layout.statistics);
  }
  reader.finish();
  return checkpoint;
}

}  // namespace

SafetensorsFile to_safetensors(const Checkpoint& checkpoint, const CheckpointLayout& layout) {
  const FineTuneState& state = checkpoint.state;
  SafetensorsFile file{.metadata = checkpoint.metadata, .tensors = {}};
  for (const auto& [key, text] : checkpoint.metadata) {
    require_writable(!key.starts_with(kReserved), fmt::format("metadata named {}", printable(key)));
  }
  file.metadata.emplace(kVersionKey, kVersion);
  Writer writer(file);
  writer.integer("position/step", static_cast<std::uint64_t>(state.step));
  writer.parameters(kParameters, layout.parameters, state.parameters);
  writer.parameters(kStatistics, layout.statistics, state.statistics);
  writer.integer("position/optimizer_steps", static_cast<std::uint64_t>(state.optimizer_steps));
  writer.integer(kSlots, state.optimizer.size());
  for (const auto& [name, values] : state.optimizer) {
    writer.slot(name, values, layout.parameters.size());
  }
  writer.integer("position/average_steps", static_cast<std::uint64_t>(state.ema_steps));
  writer.integer(kHasAverage, state.ema.empty() ? 0 : 1);
  if (!state.ema.empty()) writer.parameters(kAverage, layout.parameters, state.ema);
  writer.number(kLoss, state.loss);
  writer.integer("position/correct", state.correct);
  writer.integer("position/pictures", state.pictures);
  writer.history(state.history);
  writer.integer("position/best_epoch", static_cast<std::uint64_t>(state.best_epoch));
  require_writable(static_cast<std::size_t>(state.best_epoch) <= state.history.size(),
                   fmt::format("best epoch {} of {}", state.best_epoch, state.history.size()));
  const bool has_best = !state.best_parameters.empty() || !state.best_statistics.empty();
  writer.integer(kHasBest, has_best ? 1 : 0);
  if (has_best) {
    writer.parameters(kBestParameters, layout.parameters, state.best_parameters);
    writer.parameters(kBestStatistics, layout.statistics, state.best_statistics);
  }
  return file;
}

Checkpoint checkpoint_from(const SafetensorsFile& file, const CheckpointLayout& layout,
                           const std::string& name) {
  try {
    return read_checkpoint(file, layout);
  } catch (const Error& error) {
    throw Error(ErrorKind::kBadInput, fmt::format("{}: {}", name, error.what()));
  }
}

}  // namespace engraft
