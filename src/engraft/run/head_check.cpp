#include "engraft/run/head_check.h"

#include <algorithm>
#include <map>
#include <set>

#include "engraft/base/rng.h"
#include "engraft/data/split.h"
#include "engraft/eval/metrics.h"

namespace engraft {
namespace {

constexpr int kMostFolds = 5;
constexpr std::size_t kMostSamples = 3000;
constexpr std::uint64_t kDrawStream = 0x4845'4144;

std::vector<std::size_t> drawn(std::span<const std::size_t> samples, std::uint64_t seed) {
  std::vector<std::size_t> result(samples.begin(), samples.end());
  if (result.size() <= kMostSamples) return result;
  Rng(seed, kDrawStream).shuffle(std::span(result));
  result.resize(kMostSamples);
  std::ranges::sort(result);
  return result;
}

/// As many as every class has different pictures for, at most kMostFolds.
int folds_for(const Material& material, std::span<const std::size_t> samples) {
  std::map<int, std::set<int>> groups;
  for (const std::size_t i : samples) groups[material.labels[i]].insert(material.groups[i]);
  std::size_t fewest = kMostFolds;
  for (const auto& [label, members] : groups) fewest = std::min(fewest, members.size());
  return groups.size() < 2 ? 0 : static_cast<int>(fewest);
}

}  // namespace

std::optional<double> head_accuracy(const Material& material, const TrainingRows& rows,
                                    std::span<const std::size_t> samples,
                                    const TrainOptions& options, const std::stop_token& stop) {
  const std::vector<std::size_t> chosen = drawn(samples, options.seed);
  const int folds = folds_for(material, chosen);
  if (folds < 2) return std::nullopt;
  std::vector<Sample> described;
  std::vector<int> groups;
  for (const std::size_t i : chosen) {
    described.push_back(material.dataset.samples[i]);
    groups.push_back(material.groups[i]);
  }
  const std::vector<int> fold_of =
      stratified_folds(described, material.dataset.class_names, groups, folds, options.seed);
  TrainOptions training = options;
  training.keep = Keep::kLastEpoch;
  training.patience = 0;
  const int classes = static_cast<int>(material.dataset.class_names.size());
  std::size_t right = 0;
  for (int fold = 0; fold < folds; ++fold) {
    std::vector<std::size_t> inside, outside;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      (fold_of[i] == fold ? outside : inside).push_back(chosen[i]);
    }
    const std::vector<std::size_t> row_groups = rows.row_groups(inside);
    const std::vector<int> labels = labels_of(material, inside);
    const TrainedHead head = train_head(
        {.values = &rows.values(), .pictures = row_groups, .labels = labels, .views = rows.views()},
        {}, classes, training, {}, stop);
    const Tensor probabilities = apply_head(head.head, features_of(material, outside));
    for (std::size_t i = 0; i < outside.size(); ++i) {
      right += best_class(probabilities.row(static_cast<std::int64_t>(i))) ==
               material.labels[outside[i]];
    }
  }
  return static_cast<double>(right) / static_cast<double>(chosen.size());
}

}  // namespace engraft
