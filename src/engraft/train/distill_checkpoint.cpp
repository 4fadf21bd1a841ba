#include "engraft/train/distill_checkpoint.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>

#include "engraft/base/error.h"

namespace engraft {
namespace {

constexpr std::string_view kDistillVersionKey = "engraft.distillation";
constexpr std::string_view kDistillVersion = "1";
constexpr std::string_view kOptimizerTensors = "optimizer/";
constexpr std::size_t kRowColumns = 10;

using Row = std::array<double, kRowColumns>;

Row row_for(const DistillResult& r) {
  return {static_cast<double>(r.epoch),
          r.learning_rate,
          r.feature_error,
          r.divergence,
          r.agreement,
          r.held_out_feature_error,
          r.held_out_divergence,
          r.held_out_agreement,
          r.probe,
          r.seconds};
}

DistillResult result_of(std::span<const double> row) {
  return {.epoch = static_cast<int>(row[0]),
          .learning_rate = row[1],
          .feature_error = row[2],
          .divergence = row[3],
          .agreement = row[4],
          .held_out_feature_error = row[5],
          .held_out_divergence = row[6],
          .held_out_agreement = row[7],
          .probe = row[8],
          .seconds = row[9]};
}

void put(SafetensorsFile& file, const std::string& prefix, const ParameterLayout& layout,
         std::span<const float> flat) {
  if (flat.size() != layout.size()) {
    throw Error(ErrorKind::kUsage, fmt::format("{} values of {} where the network has {}",
                                               flat.size(), prefix, layout.size()));
  }
  for (const auto& slot : layout.slots()) {
    file.tensors[prefix + slot.name] = make_entry(slot.shape, flat.subspan(slot.offset, slot.size));
  }
}

/// Takes tensors out of a file, one after the other, and says what is wrong with them.
class DistillCheckpointReader {
 public:
  DistillCheckpointReader(const SafetensorsFile& file, const std::string& name)
      : file_(file), name_(name) {}

  [[noreturn]] void damaged(const std::string& what) const {
    throw Error(ErrorKind::kBadInput, fmt::format("{}: {}", name_, what));
  }

  template <typename T>
  [[nodiscard]] std::vector<T> take(const std::string& tensor, const Shape& shape) {
    const auto found = file_.tensors.find(tensor);
    if (found == file_.tensors.end()) damaged(fmt::format("has no tensor {}", tensor));
    if (found->second.shape != shape) {
      damaged(fmt::format("tensor {} is {} where {} belongs", tensor,
                          found->second.shape.to_string(), shape.to_string()));
    }
    ++taken_;
    try {
      return values_of<T>(found->second);
    } catch (const Error& error) {
      damaged(fmt::format("tensor {}: {}", tensor, error.what()));
    }
  }

  [[nodiscard]] std::vector<float> take(const std::string& prefix, const ParameterLayout& layout) {
    std::vector<float> flat;
    flat.reserve(layout.size());
    for (const auto& slot : layout.slots()) {
      const std::vector<float> values = take<float>(prefix + slot.name, slot.shape);
      flat.insert(flat.end(), values.begin(), values.end());
    }
    return flat;
  }

  void finish() const {
    if (taken_ != file_.tensors.size()) damaged("has tensors that belong to no distillation");
  }

 private:
  const SafetensorsFile& file_;
  const std::string& name_;
  std::size_t taken_ = 0;
};

std::vector<DistillResult> take_history(const SafetensorsFile& file,
                                        DistillCheckpointReader& reader) {
  const auto found = file.tensors.find("history");
  if (found == file.tensors.end() || found->second.shape.rank() != 2) {
    reader.damaged("has no history");
  }
  const std::int64_t epochs = found->second.shape[0];
  const auto values =
      reader.take<double>("history", Shape{epochs, static_cast<std::int64_t>(kRowColumns)});
  std::vector<DistillResult> history;
  for (std::size_t i = 0; i < static_cast<std::size_t>(epochs); ++i) {
    const auto row = std::span(values).subspan(i * kRowColumns, kRowColumns);
    if (!(row[0] >= 1 && row[0] <= 1e9)) reader.damaged("has an epoch that is no number");
    history.push_back(result_of(row));
  }
  return history;
}

}  // namespace

SafetensorsFile to_safetensors(const DistillCheckpoint& checkpoint,
                               const CheckpointLayout& layout) {
  const DistillState& state = checkpoint.state;
  SafetensorsFile file;
  for (const auto& [key, value] : checkpoint.metadata) {
    if (key.starts_with("engraft.")) {
      throw Error(ErrorKind::kUsage, fmt::format("metadata must not be named {}", key));
    }
    file.metadata[key] = value;
  }
  file.metadata[std::string(kDistillVersionKey)] = kDistillVersion;
  put(file, "parameters/", layout.parameters, state.parameters);
  put(file, "statistics/", layout.statistics, state.statistics);
  put(file, "average/parameters/", layout.parameters, state.average_parameters);
  put(file, "average/statistics/", layout.statistics, state.average_statistics);
  for (const auto& [name, values] : state.optimizer) {
    file.tensors[std::string(kOptimizerTensors) + name] =
        make_entry(Shape{static_cast<std::int64_t>(values.size())}, std::span<const float>(values));
  }
  std::vector<double> history;
  for (const DistillResult& result : state.history) {
    const Row row = row_for(result);
    history.insert(history.end(), row.begin(), row.end());
  }
  file.tensors["history"] = make_entry(Shape{static_cast<std::int64_t>(state.history.size()),
                                             static_cast<std::int64_t>(kRowColumns)},
                                       std::span<const double>(history));
  const std::array<std::int64_t, 4> position{state.step, state.optimizer_steps, state.agreeing,
                                             state.seen};
  file.tensors["position"] = make_entry(Shape{4}, std::span<const std::int64_t>(position));
  const std::array<double, 2> sums{state.feature_error, state.divergence};
  file.tensors["sums"] = make_entry(Shape{2}, std::span<const double>(sums));
  return file;
}

DistillCheckpoint distill_checkpoint_from(const SafetensorsFile& file,
                                          const CheckpointLayout& layout, const std::string& name) {
  DistillCheckpointReader reader(file, name);
  const auto version = file.metadata.find(std::string(kDistillVersionKey));
  if (version == file.metadata.end()) reader.damaged("is no checkpoint of a distillation");
  if (version->second != kDistillVersion)
    reader.damaged("is a checkpoint of another version of engraft");
  DistillCheckpoint checkpoint;
  DistillState& state = checkpoint.state;
  for (const auto& [key, value] : file.metadata) {
    if (!key.starts_with("engraft.")) checkpoint.metadata[key] = value;
  }
  state.parameters = reader.take("parameters/", layout.parameters);
  state.statistics = reader.take("statistics/", layout.statistics);
  state.average_parameters = reader.take("average/parameters/", layout.parameters);
  state.average_statistics = reader.take("average/statistics/", layout.statistics);
  for (const auto& [tensor, entry] : file.tensors) {
    if (!tensor.starts_with(kOptimizerTensors)) continue;
    state.optimizer.emplace_back(
        tensor.substr(kOptimizerTensors.size()),
        reader.take<float>(tensor, Shape{static_cast<std::int64_t>(layout.parameters.size())}));
  }
  state.history = take_history(file, reader);
  const auto position = reader.take<std::int64_t>("position", Shape{4});
  state.step = position[0];
  state.optimizer_steps = position[1];
  state.agreeing = position[2];
  state.seen = position[3];
  const auto sums = reader.take<double>("sums", Shape{2});
  state.feature_error = sums[0];
  state.divergence = sums[1];
  reader.finish();
  return checkpoint;
}

}  // namespace engraft
