#pragma once

#include <cassert>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

#include "engraft/kernels/reference/window.h"

namespace engraft::reference {

/// Global average pooling.  y[c] = Σ_ij x[i,j,c] / (H·W);  x: [H,W,C]  y: [C]
template <typename T>
[[nodiscard]] std::vector<T> global_average_pool(const Extents& input, std::span<const T> x) {
  assert(std::ssize(x) == input.elements());
  std::vector<T> y(static_cast<std::size_t>(input.channels));
  for (std::size_t i = 0; i < x.size(); ++i) y[i % y.size()] += x[i];
  for (T& value : y) value /= T(static_cast<double>(input.pixels()));
  return y;
}

/// A dense layer.  y[o] = b[o] + Σ_c x[c] · w[c,o];  x: [C]  w: [C,O]  b: [O] or empty  y: [O]
template <typename T>
[[nodiscard]] std::vector<T> dense(std::span<const T> x, std::span<const T> w,
                                   std::span<const T> b) {
  assert(!x.empty() && w.size() % x.size() == 0);
  std::vector<T> y(w.size() / x.size());
  for (std::size_t c = 0; c < x.size(); ++c) {
    for (std::size_t o = 0; o < y.size(); ++o) y[o] += x[c] * w[c * y.size() + o];
  }
  for (std::size_t o = 0; o < b.size(); ++o) y[o] += b[o];
  return y;
}

/// Softmax of each row.  y[i,c] = e^(x[i,c]−m) / Σ_k e^(x[i,k]−m),  m = max_k x[i,k];  x: [rows,C]
template <typename T>
[[nodiscard]] std::vector<T> softmax(std::span<const T> x, std::size_t channels) {
  using std::exp;
  assert(channels > 0 && x.size() % channels == 0);
  std::vector<T> y(x.size());
  for (std::size_t row = 0; row < x.size(); row += channels) {
    auto highest = real_part(x[row]);
    for (std::size_t c = 1; c < channels; ++c) {
      if (real_part(x[row + c]) > highest) highest = real_part(x[row + c]);
    }
    T sum(0);
    for (std::size_t c = 0; c < channels; ++c) {
      y[row + c] = exp(x[row + c] - T(highest));
      sum += y[row + c];
    }
    for (std::size_t c = 0; c < channels; ++c) y[row + c] /= sum;
  }
  return y;
}

}  // namespace engraft::reference
