#include "engraft/run/fold_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "engraft/base/error.h"
#include "engraft/train/checkpoint_history.h"

namespace engraft {
namespace {

constexpr const char* kProbabilities = "probabilities";

void require(bool holds, const std::string& what) {
  if (!holds) throw Error(ErrorKind::kBadInput, what);
}

}  // namespace

SafetensorsFile to_safetensors(const FoldResult& result) {
  SafetensorsFile file;
  file.tensors.emplace(kProbabilities, make_entry(result.probabilities));
  file.tensors.emplace(kHistoryTensor, history_entry(result.history));
  return file;
}

FoldResult fold_result_from(const SafetensorsFile& file, const FoldShape& expected) {
  const auto probabilities = file.tensors.find(kProbabilities);
  const auto history = file.tensors.find(std::string(kHistoryTensor));
  require(probabilities != file.tensors.end() && history != file.tensors.end() &&
              file.tensors.size() == 2,
          fmt::format("it has other tensors than {} and {}", kProbabilities, kHistoryTensor));
  const SafetensorsEntry& entry = probabilities->second;
  const Shape shape{static_cast<std::int64_t>(expected.judged),
                    static_cast<std::int64_t>(expected.classes)};
  require(entry.dtype == DType::kF32 && entry.shape == shape,
          fmt::format("{} are {} {}, not F32 {}", kProbabilities, name_of(entry.dtype),
                      entry.shape.to_string(), shape.to_string()));
  FoldResult result{.history = history_from(history->second), .probabilities = to_tensor(entry)};
  require(result.history.size() == expected.epochs,
          fmt::format("it has {} of {} epochs", result.history.size(), expected.epochs));
  require(
      std::ranges::all_of(result.probabilities.values(), [](float p) { return p >= 0 && p <= 1; }),
      fmt::format("{} beyond 0 and 1", kProbabilities));
  return result;
}

}  // namespace engraft
