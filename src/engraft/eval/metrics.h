#pragma once

#include <span>
#include <string>
#include <vector>

#include "engraft/tensor/tensor.h"

namespace engraft {

/// A share with its 95 % interval, all in [0, 1].
struct Estimate {
  double value = 0;
  double low = 0, high = 1;
};

/// Wilson's score interval of p = successes/n at z standard deviations:
///   (p + z²/2n ± z·√(p(1-p)/n + z²/4n²)) / (1 + z²/n)
/// n = 0 gives [0, 1] around 0. Source: Wilson 1927.
[[nodiscard]] Estimate wilson(double successes, double n, double z = 1.959963984540054);

/// One class against the rest. A share of nothing (no picture of the class, none taken for it) is
/// 0 with the interval [0, 1].
/// The class of the highest probability; ties go to the lower index, NaN loses to every number.
[[nodiscard]] int best_class(std::span<const float> probabilities);

struct ClassMetrics {
  std::string label;
  int n = 0;          ///< pictures truly of this class
  int predicted = 0;  ///< pictures taken for it
  Estimate precision, recall, f1;
};

/// How well predictions agree with labels. Means over classes leave out those of which nothing is
/// known: for the recall, classes without a picture; for F1, classes neither present nor predicted.
struct Evaluation {
  int n = 0;
  int correct = 0;
  Estimate accuracy;
  Estimate balanced_accuracy;  ///< mean recall; interval by MOVER (see mean_of) from the recalls'
                               ///< Wilson intervals
  Estimate macro_f1;           ///< mean F1; interval as for balanced_accuracy
  /// 5; with 3…5 classes, of which five would be all, 2; with fewer it would say nothing: 0.
  int top_k = 0;
  Estimate top_k_accuracy;
  double log_loss = 0;  ///< mean negative log-probability of the true class, nats, clipped at 1e-7
  std::vector<ClassMetrics> per_class;
  std::vector<std::vector<int>> confusion;  ///< [true][predicted]
};

/// Mean of k estimates with an interval from theirs, taken as independent:
///   m - √Σ(vᵢ-lᵢ)²/k … m + √Σ(uᵢ-vᵢ)²/k, within [0, 1].
/// No estimates give [0, 1] around 0. Source: Zou & Donner 2008 (MOVER), Newcombe 1998.
[[nodiscard]] Estimate mean_of(std::span<const Estimate> estimates);

/// probabilities [n, classes], labels [n]. F1's interval is that of TP/(TP+FP+FN), a share, carried
/// over by F1 = 2J/(1+J). Ties go to the lower index; a probability that is no number counts as the
/// least. Throws Error(kUsage) when sizes disagree or a label is not a class.
[[nodiscard]] Evaluation evaluate(const Tensor& probabilities, std::span<const int> labels,
                                  std::span<const std::string> class_names);

}  // namespace engraft
