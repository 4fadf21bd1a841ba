#include "engraft/train/standardiser.h"

#include <cmath>
#include <numeric>

namespace engraft {
namespace {
/// Of a feature, as a share of its squared mean: less is the rounding of float32.
constexpr double kLeastVariance = 1e-13;
}  // namespace

Standardiser Standardiser::fit(const Tensor& values, std::span<const std::size_t> rows) {
  const auto features = static_cast<std::size_t>(values.shape()[1]);
  const double n = static_cast<double>(rows.size());
  std::vector<double> mean(features), variance(features);
  for (const std::size_t r : rows) {
    const auto row = values.row(static_cast<std::int64_t>(r));
    for (std::size_t i = 0; i < features; ++i) mean[i] += static_cast<double>(row[i]);
  }
  for (double& m : mean) m /= n;
  for (const std::size_t r : rows) {
    const auto row = values.row(static_cast<std::int64_t>(r));
    for (std::size_t i = 0; i < features; ++i) {
      const double d = static_cast<double>(row[i]) - mean[i];
      variance[i] += d * d;
    }
  }
  for (double& v : variance) v /= n;
  const double all =
      std::accumulate(variance.begin(), variance.end(), 0.0) / static_cast<double>(features);

  Standardiser result;
  result.mean.assign(mean.begin(), mean.end());
  result.scale.resize(features);
  for (std::size_t i = 0; i < features; ++i) {
    const bool varies = variance[i] > kLeastVariance * mean[i] * mean[i];
    result.scale[i] = varies ? static_cast<float>(1 / std::sqrt(all)) : 0.0f;
  }
  return result;
}

void Standardiser::apply(std::span<const float> row, std::span<float> to) const {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = (row[i] - mean[i]) * scale[i];
}

DenseParameters<float> Standardiser::fold_into(const DenseParameters<float>& layer) const {
  DenseParameters<float> folded(layer.shape);
  const std::size_t in = layer.shape.in;
  for (std::size_t o = 0; o < layer.shape.out; ++o) {
    double bias = static_cast<double>(layer.bias[o]);
    for (std::size_t i = 0; i < in; ++i) {
      const double w =
          static_cast<double>(layer.kernel[o * in + i]) * static_cast<double>(scale[i]);
      folded.kernel[o * in + i] = static_cast<float>(w);
      bias -= w * static_cast<double>(mean[i]);
    }
    folded.bias[o] = static_cast<float>(bias);
  }
  return folded;
}

}  // namespace engraft
