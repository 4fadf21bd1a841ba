#include "engraft/eval/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engraft/base/error.h"

namespace engraft {
namespace {

constexpr float kLeastProbability = 1e-7f;

void require(bool holds, const std::string& otherwise) {
  if (!holds) throw Error(ErrorKind::kUsage, otherwise);
}

void check_sizes(const Tensor& probabilities, std::span<const int> labels, std::size_t classes) {
  const Shape& shape = probabilities.shape();
  require(classes > 0, "cannot evaluate without classes");
  require(shape.rank() == 2 && shape[0] == static_cast<std::int64_t>(labels.size()) &&
              shape[1] == static_cast<std::int64_t>(classes),
          fmt::format("cannot evaluate probabilities {} against {} labels of {} classes",
                      shape.to_string(), labels.size(), classes));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    require(labels[i] >= 0 && static_cast<std::size_t>(labels[i]) < classes,
            fmt::format("label {} at row {} is not one of the {} classes", labels[i], i, classes));
  }
}

float comparable(float probability) {
  return std::isnan(probability) ? -std::numeric_limits<float>::infinity() : probability;
}

/// How many classes stand before this one in the ranking; 0 is the prediction.
int rank_of(std::span<const float> probabilities, std::size_t label) {
  const float own = comparable(probabilities[label]);
  int before = 0;
  for (std::size_t c = 0; c < probabilities.size(); ++c) {
    const float other = comparable(probabilities[c]);
    before += other > own || (other == own && c < label);
  }
  return before;
}

double log_loss_of(float probability) {
  return -std::log(static_cast<double>(std::max(kLeastProbability, comparable(probability))));
}

int informative_top_k(std::size_t classes) {
  if (classes > 5) return 5;
  return classes > 2 ? 2 : 0;
}

/// F1 = 2J/(1+J), increasing in J = TP/(TP+FP+FN), so the interval's ends go over as they are.
Estimate f1_of(const Estimate& jaccard) {
  const auto f1 = [](double j) { return 2 * j / (1 + j); };
  return {f1(jaccard.value), f1(jaccard.low), f1(jaccard.high)};
}

ClassMetrics class_metrics(const std::vector<std::vector<int>>& confusion, std::size_t c) {
  ClassMetrics metrics;
  for (std::size_t other = 0; other < confusion.size(); ++other) {
    metrics.n += confusion[c][other];
    metrics.predicted += confusion[other][c];
  }
  const int hits = confusion[c][c];
  metrics.precision = wilson(hits, metrics.predicted);
  metrics.recall = wilson(hits, metrics.n);
  metrics.f1 = f1_of(wilson(hits, metrics.n + metrics.predicted - hits));
  return metrics;
}

void add_class_metrics(Evaluation& evaluation, std::span<const std::string> class_names) {
  std::vector<Estimate> recalls, f1s;
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    ClassMetrics metrics = class_metrics(evaluation.confusion, c);
    metrics.label = class_names[c];
    if (metrics.n > 0) recalls.push_back(metrics.recall);
    if (metrics.n + metrics.predicted > 0) f1s.push_back(metrics.f1);
    evaluation.per_class.push_back(std::move(metrics));
  }
  evaluation.balanced_accuracy = mean_of(recalls);
  evaluation.macro_f1 = mean_of(f1s);
}

}  // namespace

int best_class(std::span<const float> probabilities) {
  std::size_t best = 0;
  for (std::size_t c = 1; c < probabilities.size(); ++c) {
    if (comparable(probabilities[c]) > comparable(probabilities[best])) best = c;
  }
  return static_cast<int>(best);
}

Estimate wilson(double successes, double n, double z) {
  if (n <= 0) return {0, 0, 1};
  const double p = successes / n;
  const double z2_n = z * z / n;
  const double centre = (p + z2_n / 2) / (1 + z2_n);
  const double half = std::sqrt(std::max(0.0, p * (1 - p) * z2_n + z2_n * z2_n / 4)) / (1 + z2_n);
  // Rounding must not put the end of a perfect score beside the score itself.
  const double low = successes <= 0 ? 0 : std::max(0.0, centre - half);
  const double high = successes >= n ? 1 : std::min(1.0, centre + half);
  return {p, low, high};
}

Estimate mean_of(std::span<const Estimate> estimates) {
  if (estimates.empty()) return {0, 0, 1};
  double sum = 0, below = 0, above = 0;
  for (const Estimate& estimate : estimates) {
    sum += estimate.value;
    below += (estimate.value - estimate.low) * (estimate.value - estimate.low);
    above += (estimate.high - estimate.value) * (estimate.high - estimate.value);
  }
  const double k = static_cast<double>(estimates.size());
  const double mean = sum / k;
  return {mean, std::max(0.0, mean - std::sqrt(below) / k),
          std::min(1.0, mean + std::sqrt(above) / k)};
}

Evaluation evaluate(const Tensor& probabilities, std::span<const int> labels,
                    std::span<const std::string> class_names) {
  const std::size_t classes = class_names.size();
  check_sizes(probabilities, labels, classes);

  Evaluation evaluation;
  evaluation.n = static_cast<int>(labels.size());
  evaluation.top_k = informative_top_k(classes);
  evaluation.confusion.assign(classes, std::vector<int>(classes));
  int in_top_k = 0;
  double loss = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = probabilities.row(static_cast<std::int64_t>(i));
    const auto label = static_cast<std::size_t>(labels[i]);
    const std::size_t predicted = best_class(row);
    ++evaluation.confusion[label][predicted];
    evaluation.correct += predicted == label;
    in_top_k += rank_of(row, label) < evaluation.top_k;
    loss += log_loss_of(row[label]);
  }
  evaluation.accuracy = wilson(evaluation.correct, evaluation.n);
  if (evaluation.top_k > 0) evaluation.top_k_accuracy = wilson(in_top_k, evaluation.n);
  if (evaluation.n > 0) evaluation.log_loss = loss / evaluation.n;
  add_class_metrics(evaluation, class_names);
  return evaluation;
}

}  // namespace engraft
