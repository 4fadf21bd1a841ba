#pragma once

#include <cassert>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "engraft/kernels/reference/window.h"

namespace engraft::reference {

/// y = f(x), value by value.
template <typename T, typename Function>
[[nodiscard]] std::vector<T> map(std::span<const T> x, const Function& function) {
  std::vector<T> y;
  y.reserve(x.size());
  for (const T& value : x) y.push_back(function(value));
  return y;
}

/// y = max(x, 0)
template <typename T>
[[nodiscard]] std::vector<T> relu(std::span<const T> x) {
  return map(x, [](const T& value) { return real_part(value) > 0 ? value : T(0); });
}

/// y = min(max(x, 0), 6)
template <typename T>
[[nodiscard]] std::vector<T> relu6(std::span<const T> x) {
  return map(x, [](const T& value) {
    if (!(real_part(value) > 0)) return T(0);
    return real_part(value) < 6 ? value : T(6);
  });
}

/// y = 1 / (1 + e^−x), written so that e's exponent is never positive.
template <typename T>
[[nodiscard]] std::vector<T> sigmoid(std::span<const T> x) {
  using std::exp;
  return map(x, [](const T& value) {
    if (real_part(value) >= 0) return T(1) / (T(1) + exp(-value));
    const T e = exp(value);
    return e / (T(1) + e);
  });
}

/// min(max(x + 3, 0), 6) / 6.  Source: Howard et al. 2019, "Searching for MobileNetV3", §5.2
template <typename T>
[[nodiscard]] T hard_sigmoid_of(const T& x) {
  if (!(real_part(x) > -3)) return T(0);
  return real_part(x) < 3 ? (x + T(3)) / T(6) : T(1);
}

/// y = min(max(x + 3, 0), 6) / 6
template <typename T>
[[nodiscard]] std::vector<T> hard_sigmoid(std::span<const T> x) {
  return map(x, [](const T& value) { return hard_sigmoid_of(value); });
}

/// y = x · min(max(x + 3, 0), 6) / 6
template <typename T>
[[nodiscard]] std::vector<T> hard_swish(std::span<const T> x) {
  return map(x, [](const T& value) { return value * hard_sigmoid_of(value); });
}

/// y[i] = a[i] · b[i mod C]; b: [C], C of a's size (value by value) or of a's last axis (a gate of
/// one value a channel).
template <typename T>
[[nodiscard]] std::vector<T> multiply(std::span<const T> a, std::span<const T> b) {
  assert(!b.empty() && a.size() % b.size() == 0);
  std::vector<T> y(a.size());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = a[i] * b[i % b.size()];
  return y;
}

/// y = a + b; a and b of one size.
template <typename T>
[[nodiscard]] std::vector<T> add(std::span<const T> a, std::span<const T> b) {
  assert(a.size() == b.size());
  std::vector<T> y(a.size());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = a[i] + b[i];
  return y;
}

/// A batch norm's parameters, each [C].
template <typename T>
struct BatchNorm {
  std::span<const T> gamma, beta, mean, variance;
  double epsilon = 0;
};

/// Batch norm with fixed statistics.  y[i,c] = (x[i,c]−mean[c]) / √(variance[c]+ε) · gamma[c] +
/// beta[c].  x: [rows,C].  Source: Ioffe and Szegedy 2015, algorithm 2.
template <typename T>
[[nodiscard]] std::vector<T> batch_norm(const BatchNorm<T>& norm, std::span<const T> x) {
  using std::sqrt;
  const std::size_t channels = norm.gamma.size();
  assert(channels > 0 && x.size() % channels == 0);
  std::vector<T> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % channels;
    const T deviation = sqrt(norm.variance[c] + T(norm.epsilon));
    y[i] = (x[i] - norm.mean[c]) / deviation * norm.gamma[c] + norm.beta[c];
  }
  return y;
}

}  // namespace engraft::reference
