#pragma once

#include <span>
#include <vector>

#include "engraft/train/head.h"
#include "engraft/train/head_model.h"
#include "engraft/train/optimizer.h"
#include "engraft/train/schedule.h"
#include "engraft/train/standardiser.h"

namespace engraft {

/// Trains a head epoch by epoch. The arguments have been checked (train_head does); the features
/// that they point to must outlive the trainer.
class HeadTrainer {
 public:
  HeadTrainer(const LabelledFeatures& train, const LabelledFeatures& validation, int classes,
              const TrainOptions& options);

  /// One pass over the training pictures, then a look at the validation pictures. epoch from 1, in
  /// order. seconds is left 0.
  EpochResult run_epoch(int epoch);

  /// The layers as they are now, on raw features: the standardisation is folded into the first.
  [[nodiscard]] HeadLayers<float> layers() const;

 private:
  /// Sums over the pictures seen.
  struct Tally {
    double loss = 0;
    std::size_t correct = 0, pictures = 0;
  };

  void make_layers();
  void make_optimizers();
  void train_batch(std::span<const std::size_t> batch, int epoch, Tally& tally);
  void update(float rate);
  [[nodiscard]] Tally validate();
  [[nodiscard]] std::size_t view_of(std::size_t picture, int epoch) const;
  [[nodiscard]] bool is_correct(std::span<const float> logits, int label) const;
  void count(std::span<const int> labels, double loss, Tally& tally) const;

  LabelledFeatures train_, validation_;
  int classes_;
  TrainOptions options_;
  Schedule schedule_;
  std::int64_t step_ = 0;
  Standardiser standardiser_;
  std::vector<float> class_weights_;
  HeadLayers<float> layers_, gradients_;
  std::vector<Optimizer> optimizers_;  ///< kernel and bias of each layer in turn

  // Of the batch at hand, reused.
  std::vector<float> x_, mask_, weights_;
  std::vector<int> labels_;
  HeadActivations<float> activations_;
};

}  // namespace engraft
