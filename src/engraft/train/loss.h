#pragma once

#include <cmath>
#include <complex>
#include <span>
#include <type_traits>

/// Losses of one picture over its logits z[K]. Templates on the scalar: float trains; double and
/// std::complex<double> check the gradients. Branches look at the real part.
namespace engraft::loss {

template <typename T>
[[nodiscard]] auto real_part(const T& x) {
  if constexpr (std::is_floating_point_v<T>) {
    return x;
  } else {
    return x.real();
  }
}

/// log(1 + x), exact for small x where the scalar has log1p.
template <typename T>
[[nodiscard]] T log_one_plus(const T& x) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::log1p(x);
  } else {
    return std::log(T(1) + x);
  }
}

/// Target of one output: (1-s)·y + s/n, where n outcomes share the smoothing s.
template <typename T>
[[nodiscard]] T smoothed(bool is_true, T smoothing, int outcomes) {
  return (1 - smoothing) * (is_true ? T(1) : T(0)) + smoothing / static_cast<T>(outcomes);
}

/// p[k] = exp(z[k]) / Σ exp(z), the largest logit taken off first so that nothing overflows.
/// Returns log Σ exp(z).
template <typename T>
T softmax(std::span<const T> z, std::span<T> p) {
  T largest = z[0];
  for (const T& value : z) {
    if (real_part(value) > real_part(largest)) largest = value;
  }
  T sum(0);
  for (std::size_t k = 0; k < z.size(); ++k) {
    p[k] = std::exp(z[k] - largest);
    sum += p[k];
  }
  for (T& value : p) value /= sum;
  return largest + std::log(sum);
}

/// σ(z) = 1 / (1 + exp(-z)), from the side that cannot overflow.
template <typename T>
[[nodiscard]] T sigmoid(const T& z) {
  if (real_part(z) >= 0) return T(1) / (T(1) + std::exp(-z));
  const T e = std::exp(z);
  return e / (T(1) + e);
}

/// log(1 + exp(z)), without overflow.
template <typename T>
[[nodiscard]] T softplus(const T& z) {
  return real_part(z) > 0 ? z + log_one_plus(std::exp(-z)) : log_one_plus(std::exp(z));
}

/// Cross-entropy of softmax(z) against the smoothed one-hot target t:
///   L = log Σ exp(z) - Σ t[k]·z[k],   dz[k] = p[k] - t[k].
/// p receives the probabilities.
template <typename T, typename Real>
T softmax_cross_entropy(std::span<const T> z, int label, Real smoothing, std::span<T> p,
                        std::span<T> dz) {
  T value = softmax(z, p);
  const int classes = static_cast<int>(z.size());
  for (int k = 0; k < classes; ++k) {
    const Real t = smoothed(k == label, smoothing, classes);
    const auto i = static_cast<std::size_t>(k);
    value -= t * z[i];
    dz[i] = p[i] - t;
  }
  return value;
}

/// Mean over the K units of the binary cross-entropy of σ(z[k]) against t[k]:
///   L = Σ (log(1+exp(z[k])) - t[k]·z[k]) / K,   dz[k] = (σ(z[k]) - t[k]) / K.
/// One unit answers "is it class 1?"; with more, unit k answers "is it class k?". Each is a
/// question with two outcomes, which share the smoothing (as in Keras). p receives σ(z).
template <typename T, typename Real>
T sigmoid_cross_entropy(std::span<const T> z, int label, Real smoothing, std::span<T> p,
                        std::span<T> dz) {
  const Real units = static_cast<Real>(z.size());
  T value(0);
  for (std::size_t k = 0; k < z.size(); ++k) {
    const bool is_true = z.size() == 1 ? label == 1 : label == static_cast<int>(k);
    const Real t = smoothed(is_true, smoothing, 2);
    p[k] = sigmoid(z[k]);
    value += (softplus(z[k]) - t * z[k]) / units;
    dz[k] = (p[k] - t) / units;
  }
  return value;
}

}  // namespace engraft::loss
