#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "engraft/image/mix.h"
#include "engraft/train/head.h"

namespace engraft {

/// The loss of one picture at the end of a network.
class PictureLoss {
 public:
  /// class_weights: of each class, how much its pictures count.
  PictureLoss(LossKind kind, float label_smoothing, std::vector<float> class_weights)
      : kind_(kind), smoothing_(label_smoothing), class_weights_(std::move(class_weights)) {}

  /// What a picture shows; labels are mixed like the pictures.
  struct Target {
    int label = 0;
    int partner = 0;  ///< label of what is mixed into it
    Mix mix;
  };

  /// mix.share · weight · L(logits, label) + (1 - mix.share) · the partner's; d_logits, as many
  /// as logits, receives its gradient. L: train/loss.h
  [[nodiscard]] double operator()(const Target& target, std::span<const float> logits,
                                  std::span<float> d_logits) const;

  /// L of an unmixed picture that counts 1, from the network's probabilities and without smoothing,
  /// so that trainings with and without it can be compared.
  [[nodiscard]] double of_probabilities(std::span<const float> probabilities, int label) const;

 private:
  [[nodiscard]] double weighted(int label, std::span<const float> logits,
                                std::span<float> d_logits) const;

  LossKind kind_;
  float smoothing_;
  std::vector<float> class_weights_;
};

}  // namespace engraft
