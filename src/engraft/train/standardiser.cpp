#include "engraft/train/standardiser.h"

#include <cmath>
#include <cstdlib>

namespace engraft {

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
  Standardiser result;
  result.mean.assign(mean.begin(), mean.end());
  result.scale.resize(features);
  double all = 0;
  for (double& v : variance) { v /= n; all += v; }
  all /= static_cast<double>(features);
  const char* e = std::getenv("STD_MODE");
  const int mode = e ? std::atoi(e) : 1;
  const char* e2 = std::getenv("STD_EPS");
  const double eps = e2 ? std::atof(e2) : 0;
  for (std::size_t i = 0; i < features; ++i) {
    if (mode == 0) { result.mean[i] = 0; result.scale[i] = 1; }
    else if (mode == 1) result.scale[i] = variance[i] > 0 ? static_cast<float>(1 / std::sqrt(variance[i] + eps * all)) : 0;
    else if (mode == 2) result.scale[i] = static_cast<float>(1 / std::sqrt(all));
    else { result.scale[i] = 1; }
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
