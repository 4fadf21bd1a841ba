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

/// Wilson's score interval of `successes` out of n; n = 0 gives [0, 1] around 0. Source: Wilson
/// 1927.
[[nodiscard]] Estimate wilson(double successes, double n, double z = 1.959963984540054);

struct ClassMetrics {
  std::string label;
  int n = 0;          ///< pictures truly of this class
  int predicted = 0;  ///< pictures taken for it
  Estimate precision, recall, f1;
};

struct Evaluation {
  int n = 0;
  int correct = 0;
  Estimate accuracy;
  Estimate balanced_accuracy;  ///< mean recall; interval by MOVER (Newcombe's square-and-add) from
                               ///< the recalls' Wilson intervals
  Estimate macro_f1;
  int top_k = 0;  ///< min(5, classes); 0 where it would say nothing (two classes)
  Estimate top_k_accuracy;
  double log_loss = 0;  ///< mean negative log-probability of the true class, nats, clipped at 1e-7
  std::vector<ClassMetrics> per_class;
  std::vector<std::vector<int>> confusion;  ///< [true][predicted]
};

/// probabilities [n, classes], labels [n]. F1's interval is that of TP/(TP+FP+FN), a share, carried
/// over by F1 = 2J/(1+J). Ties go to the lower index. Throws Error(kUsage) when sizes disagree.
[[nodiscard]] Evaluation evaluate(const Tensor& probabilities, std::span<const int> labels,
                                  std::span<const std::string> class_names);

}  // namespace engraft
