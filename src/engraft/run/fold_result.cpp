#include "engraft/run/fold_result.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/train/checkpoint_history.h"

namespace engraft {
namespace {

constexpr const char* kProbabilities = "probabilities";
constexpr const char* kInFloats = "probabilities_float32";

void require_whole(bool holds, const std::string& what) {
  if (!holds) throw Error(ErrorKind::kBadInput, what);
}

Tensor probabilities_in(const SafetensorsFile& file, const std::string& name,
                        const FoldShape& expected) {
  const SafetensorsEntry& entry = file.tensors.find(name)->second;
  const Shape shape{static_cast<std::int64_t>(expected.judged),
                    static_cast<std::int64_t>(expected.classes)};
  require_whole(entry.dtype == DType::kF32 && entry.shape == shape,
                fmt::format("{} are {} {}, not F32 {}", name, name_of(entry.dtype),
                            entry.shape.to_string(), shape.to_string()));
  Tensor probabilities = to_tensor(entry);
  require_whole(
      std::ranges::all_of(probabilities.values(), [](float p) { return p >= 0 && p <= 1; }),
      fmt::format("{} beyond 0 and 1", name));
  return probabilities;
}

}  // namespace

SafetensorsFile to_safetensors(const FoldResult& result) {
  SafetensorsFile file;
  file.tensors.emplace(kProbabilities, make_entry(result.probabilities));
  file.tensors.emplace(kHistoryTensor, history_entry(result.history));
  if (result.in_floats.size() > 0) file.tensors.emplace(kInFloats, make_entry(result.in_floats));
  return file;
}

FoldResult fold_result_from(const SafetensorsFile& file, const FoldShape& expected) {
  std::vector<std::string> names{kProbabilities, std::string(kHistoryTensor)};
  if (expected.precision == Precision::kInt8) names.emplace_back(kInFloats);
  const bool all = std::ranges::all_of(
      names, [&](const std::string& name) { return file.tensors.contains(name); });
  require_whole(all && file.tensors.size() == names.size(),
                fmt::format("it has other tensors than {}", fmt::join(names, " and ")));
  FoldResult result{.history = history_from(file.tensors.at(std::string(kHistoryTensor))),
                    .probabilities = probabilities_in(file, kProbabilities, expected),
                    .in_floats = {}};
  if (expected.precision == Precision::kInt8) {
    result.in_floats = probabilities_in(file, kInFloats, expected);
  }
  require_whole(result.history.size() == expected.epochs,
                fmt::format("it has {} of {} epochs", result.history.size(), expected.epochs));
  return result;
}

}  // namespace engraft
