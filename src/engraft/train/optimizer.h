#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace engraft {

/// What one step of an optimizer is told beside the gradient.
struct StepOptions {
  float learning_rate = 0;
  /// Decoupled (Loshchilov & Hutter 2019): w ← w - rate·decay·w before the step, outside the
  /// gradient and its moments.
  float weight_decay = 0;
};

/// Adam (Kingma & Ba 2015, the form before section 2.1's last line, which is Keras'):
///   m ← β₁m + (1-β₁)g,   v ← β₂v + (1-β₂)g²,
///   w ← w - rate·√(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + ε),   β₁ = 0.9, β₂ = 0.999, ε = 1e-7, t = 1, 2, …
template <typename T>
class Adam {
 public:
  explicit Adam(std::size_t size) : m_(size), v_(size) {}

  void step(std::span<T> w, std::span<const T> g, const StepOptions& options) {
    constexpr T kBeta1 = T(0.9), kBeta2 = T(0.999), kEpsilon = T(1e-7);
    ++steps_;
    const double corrected = options.learning_rate * std::sqrt(1 - std::pow(0.999, steps_)) /
                             (1 - std::pow(0.9, steps_));
    const T rate = static_cast<T>(corrected);
    const T keep =
        T(1) - static_cast<T>(options.learning_rate) * static_cast<T>(options.weight_decay);
    T* m = m_.data();
    T* v = v_.data();
    for (std::size_t i = 0; i < w.size(); ++i) {
      m[i] = kBeta1 * m[i] + (1 - kBeta1) * g[i];
      v[i] = kBeta2 * v[i] + (1 - kBeta2) * g[i] * g[i];
      w[i] = keep * w[i] - rate * m[i] / (std::sqrt(v[i]) + kEpsilon);
    }
  }

 private:
  std::vector<T> m_, v_;
  int steps_ = 0;
};

/// Stochastic gradient descent with momentum µ (Keras' form):
///   u ← µ·u - rate·g,   w ← w + u.
template <typename T>
class Sgd {
 public:
  Sgd(std::size_t size, T momentum) : u_(size), momentum_(momentum) {}

  void step(std::span<T> w, std::span<const T> g, const StepOptions& options) {
    const T rate = static_cast<T>(options.learning_rate);
    const T keep = T(1) - rate * static_cast<T>(options.weight_decay);
    for (std::size_t i = 0; i < w.size(); ++i) {
      u_[i] = momentum_ * u_[i] - rate * g[i];
      w[i] = keep * w[i] + u_[i];
    }
  }

 private:
  std::vector<T> u_;
  T momentum_;
};

}  // namespace engraft
