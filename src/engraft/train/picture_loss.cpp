#include "engraft/train/picture_loss.h"

#include <cmath>

#include "engraft/train/loss.h"

namespace engraft {
namespace {

/// -log p; of a probability that a float rounds to 0, that of the smallest that counts.
double surprise(double p) {
  constexpr double kSmallest = 1e-12;
  return -std::log(p < kSmallest ? kSmallest : p);  // NaN stays NaN
}

}  // namespace

double PictureLoss::weighted(int label, std::span<const float> logits,
                             std::span<float> d_logits) const {
  std::vector<float> p(logits.size());
  const float weight = class_weights_[static_cast<std::size_t>(label)];
  const float value =
      kind_ == LossKind::kSoftmax
          ? loss::softmax_cross_entropy<float>(logits, label, smoothing_, p, d_logits)
          : loss::sigmoid_cross_entropy<float>(logits, label, smoothing_, p, d_logits);
  for (float& d : d_logits) d *= weight;
  return static_cast<double>(weight) * static_cast<double>(value);
}

double PictureLoss::operator()(const Target& target, std::span<const float> logits,
                               std::span<float> d_logits) const {
  const double first = weighted(target.label, logits, d_logits);
  if (target.mix.kind == Mix::Kind::kNone) return first;
  std::vector<float> d_second(logits.size());
  const double second = weighted(target.partner, logits, d_second);
  const float share = target.mix.share;
  for (std::size_t k = 0; k < d_logits.size(); ++k) {
    d_logits[k] = share * d_logits[k] + (1 - share) * d_second[k];
  }
  return share * first + (1 - share) * second;
}

double PictureLoss::of_probabilities(std::span<const float> probabilities, int label) const {
  const auto own = static_cast<std::size_t>(label);
  if (kind_ == LossKind::kSoftmax) return surprise(probabilities[own]);
  double sum = 0;
  for (std::size_t k = 0; k < probabilities.size(); ++k) {
    const double p = probabilities[k];
    sum += surprise(k == own ? p : 1 - p);
  }
  return sum / static_cast<double>(probabilities.size());
}

}  // namespace engraft
