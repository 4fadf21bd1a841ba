#include "engraft/run/feature_probe.h"

#include <algorithm>
#include <array>

#include "engraft/data/split.h"
#include "engraft/engine/batch_runner.h"
#include "engraft/eval/metrics.h"
#include "engraft/train/head.h"

namespace engraft {
namespace {

constexpr int kProbeFolds = 5;

std::vector<int> folds_of(std::span<const StoredPicture> pictures, std::span<const int> labels,
                          std::span<const std::string> class_names) {
  std::vector<Sample> samples(pictures.size());
  std::vector<Digest> contents;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    contents.push_back(pictures[i].content);
    samples[i].name = pictures[i].content.hex();
    samples[i].label = labels[i];
  }
  return stratified_folds(samples, class_names, duplicate_groups(contents), kProbeFolds, 0);
}

}  // namespace

FeatureProbe::FeatureProbe(std::span<const StoredPicture> pictures, std::span<const int> labels,
                           std::span<const std::string> class_names, ThreadPool& pool)
    : pictures_(pictures),
      labels_(labels),
      classes_(static_cast<int>(class_names.size())),
      pool_(pool),
      folds_(folds_of(pictures, labels, class_names)) {}

std::size_t FeatureProbe::correct(const Network& features, const Preprocessing& view) const {
  const std::int64_t size = features.graph.shape(features.graph.output()).elements();
  Tensor values(Shape{static_cast<std::int64_t>(pictures_.size()), size});
  BatchRunner runner(features.graph, features.weights, pool_);
  runner.run(
      pictures_.size(),
      [&](std::size_t i, std::span<float> input) {
        normalise(fit(pictures_[i].image, view), view, input);
        return true;
      },
      [&](std::size_t i, std::span<const float> output) {
        std::ranges::copy(output, values.row(static_cast<std::int64_t>(i)).begin());
      });
  std::array<std::size_t, kProbeFolds> correct{};
  pool_.for_each(kProbeFolds, [&](std::size_t fold, int) {
    std::vector<std::size_t> train, judged;
    std::vector<int> train_labels;
    for (std::size_t i = 0; i < folds_.size(); ++i) {
      if (folds_[i] == static_cast<int>(fold)) {
        judged.push_back(i);
      } else {
        train.push_back(i);
        train_labels.push_back(labels_[i]);
      }
    }
    const TrainedHead head =
        train_head({.values = &values, .pictures = train, .labels = train_labels}, {}, classes_,
                   {.keep = Keep::kLastEpoch});
    Tensor rows(Shape{static_cast<std::int64_t>(judged.size()), size});
    for (std::size_t i = 0; i < judged.size(); ++i) {
      std::ranges::copy(values.row(static_cast<std::int64_t>(judged[i])),
                        rows.row(static_cast<std::int64_t>(i)).begin());
    }
    const Tensor probabilities = apply_head(head.head, rows);
    for (std::size_t i = 0; i < judged.size(); ++i) {
      const int best = best_class(probabilities.row(static_cast<std::int64_t>(i)));
      correct[fold] += best == labels_[judged[i]] ? 1 : 0;
    }
  });
  std::size_t all = 0;
  for (const std::size_t one : correct) all += one;
  return all;
}

}  // namespace engraft
