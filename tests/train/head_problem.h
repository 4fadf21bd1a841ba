#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "engraft/base/rng.h"
#include "engraft/train/head.h"

namespace engraft::test {

/// Clouds of features around a centre for each class.
struct CloudSpec {
  int classes = 2;
  std::size_t pictures = 60;
  std::int64_t features = 20;
  float spread = 0.5f;  ///< deviation within a class; the centres are 1 apart, roughly
  int views = 1;
  std::uint64_t seed = 1;
};

/// Pictures of known classes; the classes take turns.
struct Clouds {
  explicit Clouds(const CloudSpec& spec)
      : values(Shape{static_cast<std::int64_t>(spec.pictures) * spec.views, spec.features}),
        views(spec.views) {
    for (std::size_t p = 0; p < spec.pictures; ++p) {
      const int label = static_cast<int>(p) % spec.classes;
      labels.push_back(label);
      pictures.push_back(p);
      for (int v = 0; v < spec.views; ++v) {
        const auto row = static_cast<std::int64_t>(p) * spec.views + v;
        // The centre is a function of the class alone, so that sets of other seeds fit.
        Rng centre(99, static_cast<std::uint64_t>(label));
        Rng noise(spec.seed, p, static_cast<std::uint64_t>(v));
        for (float& x : values.row(row)) {
          x = 3 + 0.5f * centre.normal() + spec.spread * noise.normal();
        }
      }
    }
  }

  [[nodiscard]] LabelledFeatures all() const {
    return {.values = &values, .pictures = pictures, .labels = labels, .views = views};
  }

  Tensor values;
  std::vector<std::size_t> pictures;
  std::vector<int> labels;
  int views;
};

/// Share of rows whose largest probability is that of their label.
inline double accuracy_of(const Tensor& probabilities, const std::vector<int>& labels) {
  double right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = probabilities.row(static_cast<std::int64_t>(i));
    right += std::max_element(row.begin(), row.end()) - row.begin() == labels[i];
  }
  return right / static_cast<double>(labels.size());
}

/// The bits of a head's parameters, in the order of their names.
inline std::vector<float> parameters_of(const Network& head) {
  std::vector<float> all;
  for (const auto& [name, tensor] : head.weights.all()) {
    all.insert(all.end(), tensor->values().begin(), tensor->values().end());
  }
  return all;
}

}  // namespace engraft::test
