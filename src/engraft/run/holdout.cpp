#include "engraft/run/holdout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "engraft/data/split.h"
#include "engraft/eval/metrics.h"

namespace engraft {
namespace {

/// The final model of a cross-validation is trained on every picture; those put aside for a test
/// must not be.
void require_no_test_pictures(const Dataset& dataset) {
  const bool any = std::ranges::any_of(
      dataset.samples, [](const Sample& sample) { return sample.subset == Subset::kTest; });
  if (!any) return;
  throw Error(
      ErrorKind::kUsage,
      fmt::format(
          "{}: has a test folder, which --folds would train on; leave --folds away, or move the "
          "test pictures elsewhere",
          dataset.folder.string()));
}

}  // namespace

std::vector<std::size_t> Holdout::samples_in(Subset subset) const {
  std::vector<std::size_t> samples;
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    if (subsets[i] == subset) samples.push_back(i);
  }
  return samples;
}

int Holdout::fold_count() const {
  return folds.empty() ? 0 : *std::ranges::max_element(folds) + 1;
}

std::vector<std::size_t> Holdout::trained() const {
  if (folds.empty()) return samples_in(Subset::kTrain);
  std::vector<std::size_t> all(folds.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

std::size_t Holdout::trained_in_an_epoch() const {
  // Each picture is in all folds but one, and in the model's training.
  return folds.empty() ? samples_in(Subset::kTrain).size()
                       : folds.size() * static_cast<std::size_t>(fold_count());
}

std::size_t Holdout::validated_in_an_epoch() const {
  return folds.empty() ? samples_in(Subset::kValidation).size() : folds.size();
}

std::string holdout_csv(const Holdout& holdout, const Dataset& dataset) {
  return holdout.folds.empty() ? split_csv(dataset.samples, dataset.class_names, holdout.subsets)
                               : folds_csv(dataset.samples, dataset.class_names, holdout.folds);
}

Holdout hold_out(const Material& material, const TrainRequest& request) {
  const Dataset& dataset = material.dataset;
  Holdout holdout;
  if (!request.split.empty()) {
    if (holds_folds(request.split)) {
      holdout.folds = read_folds(request.split, dataset.samples);
    } else {
      holdout.subsets = read_split(request.split, dataset.samples, dataset.class_names);
    }
  } else if (request.folds != 0) {
    require_no_test_pictures(dataset);
    holdout.folds = stratified_folds(dataset.samples, dataset.class_names, material.groups,
                                     request.folds, request.training.seed);
  } else {
    holdout.subsets =
        stratified_split(dataset.samples, dataset.class_names, material.groups,
                         {.validation = request.validation, .seed = request.training.seed});
  }
  return holdout;
}

}  // namespace engraft
