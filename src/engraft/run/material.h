#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <vector>

#include "engraft/base/progress.h"
#include "engraft/base/thread_pool.h"
#include "engraft/run/train_run.h"
#include "engraft/train/features.h"

namespace engraft {

/// The pictures of a run that could be read, with what the base makes of them.
struct Material {
  Dataset dataset;               ///< samples that could be read; the others are among the problems
  Tensor features;               ///< [samples, F], the plain view
  std::vector<Digest> contents;  ///< of each sample's file
  std::vector<int> groups;       ///< equal for exact duplicates
  std::vector<int> labels;       ///< of each sample
};

/// The labelled pictures of a run. Throws Error when nothing can be learned from them: fewer than
/// two classes.
[[nodiscard]] Dataset load_training_set(const TrainRequest& request);

/// Loads the dataset, or takes it as it is, and extracts its features. Throws Error when nothing
/// can be learned from it: fewer than two classes, or (OnBad::kFail) anything wrong at all.
[[nodiscard]] Material gather_material(Dataset dataset, const TrainRequest& request,
                                       const FeatureRequest& features, ThreadPool& pool,
                                       Progress& progress, const std::stop_token& stop);
[[nodiscard]] Material gather_material(const TrainRequest& request, const FeatureRequest& features,
                                       ThreadPool& pool, Progress& progress,
                                       const std::stop_token& stop);

/// The labels of some of its samples.
[[nodiscard]] std::vector<int> labels_of(const Material& material,
                                         std::span<const std::size_t> samples);

/// The plain features [samples, F] of some of its samples.
[[nodiscard]] Tensor features_of(const Material& material, std::span<const std::size_t> samples);

/// Rows to train on: the plain view of a picture and, where asked for, augmented ones.
class TrainingRows {
 public:
  /// Computes the views of the given samples, or none if request.views is 0; material must outlive
  /// this.
  TrainingRows(const Material& material, std::span<const std::size_t> samples,
               const TrainRequest& request, const FeatureRequest& features, ThreadPool& pool,
               Progress& progress, const std::stop_token& stop);

  /// values [n · views(), F].
  [[nodiscard]] const Tensor& values() const { return views_ == 1 ? *plain_ : owned_; }
  [[nodiscard]] int views() const { return views_; }
  /// Row group in values() of each of the given samples, which must be among those of the
  /// constructor.
  [[nodiscard]] std::vector<std::size_t> row_groups(std::span<const std::size_t> samples) const;

 private:
  const Tensor* plain_;
  Tensor owned_;
  int views_ = 1;
  std::vector<std::size_t> group_of_sample_;
};

}  // namespace engraft
