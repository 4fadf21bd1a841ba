#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace engraft {

/// Sizes of a fully connected layer.
struct DenseShape {
  std::size_t in = 0;
  std::size_t out = 0;
};

/// Parameters of a fully connected layer, or their gradients: kernel [out,in], bias [out]. An
/// output's weights lie together, so that every inner loop below runs along the inputs, whose
/// number is large, also when there are only two outputs.
template <typename T>
struct DenseParameters {
  DenseShape shape;
  std::vector<T> kernel;
  std::vector<T> bias;

  DenseParameters() = default;
  explicit DenseParameters(const DenseShape& s) : shape(s), kernel(s.in * s.out), bias(s.out) {}
};

/// The order of every sum is fixed by the sizes alone, so a row's result depends neither on the
/// other rows nor on the machine's vector width.
namespace dense {

inline constexpr std::size_t kLanes = 8;   ///< partial sums of a dot product
inline constexpr std::size_t kRows = 4;    ///< rows that share a load of the weights
inline constexpr std::size_t kTile = 256;  ///< inputs that stay in the first cache

/// Σ lanes, pairwise.
template <typename T>
[[nodiscard]] T sum_lanes(const std::array<T, kLanes>& s) {
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/// Rows dot products at once: z[r] = Σ_i w[i]·x[r][i], lane l taking i ≡ l (mod kLanes).
template <std::size_t Rows, typename T>
void dot(const T* w, const T* x, std::size_t in, std::array<T, Rows>& z) {
  std::array<std::array<T, kLanes>, Rows> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= in; i += kLanes) {
    for (std::size_t r = 0; r < Rows; ++r) {
      const T* row = x + r * in + i;
      for (std::size_t l = 0; l < kLanes; ++l) sums[r][l] += w[i + l] * row[l];
    }
  }
  for (std::size_t l = 0; i + l < in; ++l) {
    for (std::size_t r = 0; r < Rows; ++r) sums[r][l] += w[i + l] * x[r * in + i + l];
  }
  for (std::size_t r = 0; r < Rows; ++r) z[r] = sum_lanes(sums[r]);
}

/// z[b,o] = bias[o] + Σ_i kernel[o,i]·x[b,i].   x: [rows,in]  z: [rows,out]
template <typename T>
void forward(const DenseParameters<T>& layer, std::span<const T> x, std::span<T> z) {
  const std::size_t in = layer.shape.in, out = layer.shape.out;
  const std::size_t rows = z.size() / out;
  const auto put = [&](std::size_t b, std::size_t o, const T& sum) {
    z[b * out + o] = layer.bias[o] + sum;
  };
  std::size_t b = 0;
  for (; b + kRows <= rows; b += kRows) {
    for (std::size_t o = 0; o < out; ++o) {
      std::array<T, kRows> sums;
      dot(layer.kernel.data() + o * in, x.data() + b * in, in, sums);
      for (std::size_t r = 0; r < kRows; ++r) put(b + r, o, sums[r]);
    }
  }
  for (; b < rows; ++b) {
    for (std::size_t o = 0; o < out; ++o) {
      std::array<T, 1> sum;
      dot(layer.kernel.data() + o * in, x.data() + b * in, in, sum);
      put(b, o, sum[0]);
    }
  }
}

/// to[i] += Σ_r factors[r]·rows[r][i] for i in [0, n), added row by row.
template <std::size_t Rows, typename T>
void add_scaled(const std::array<T, Rows>& factors, const T* rows, std::size_t stride,
                std::size_t n, T* to) {
  for (std::size_t i = 0; i < n; ++i) {
    T sum = to[i];
    for (std::size_t r = 0; r < Rows; ++r) sum += factors[r] * rows[r * stride + i];
    to[i] = sum;
  }
}

/// Gradients of the parameters, overwritten:
///   d_kernel[o,i] = Σ_b dz[b,o]·x[b,i],   d_bias[o] = Σ_b dz[b,o].   x: [rows,in]  dz: [rows,out]
template <typename T>
void backward_parameters(std::span<const T> x, std::span<const T> dz,
                         DenseParameters<T>& gradients) {
  const auto [in, out] = gradients.shape;
  const std::size_t rows = dz.size() / out;
  std::fill(gradients.kernel.begin(), gradients.kernel.end(), T(0));
  std::fill(gradients.bias.begin(), gradients.bias.end(), T(0));
  for (std::size_t b = 0; b < rows; ++b) {
    for (std::size_t o = 0; o < out; ++o) gradients.bias[o] += dz[b * out + o];
  }
  for (std::size_t tile = 0; tile < in; tile += kTile) {
    const std::size_t n = std::min(kTile, in - tile);
    for (std::size_t o = 0; o < out; ++o) {
      T* to = gradients.kernel.data() + o * in + tile;
      std::size_t b = 0;
      for (; b + kRows <= rows; b += kRows) {
        std::array<T, kRows> factors;
        for (std::size_t r = 0; r < kRows; ++r) factors[r] = dz[(b + r) * out + o];
        add_scaled(factors, x.data() + b * in + tile, in, n, to);
      }
      for (; b < rows; ++b) {
        add_scaled(std::array<T, 1>{dz[b * out + o]}, x.data() + b * in + tile, in, n, to);
      }
    }
  }
}

/// Gradient of the input, overwritten: dx[b,i] = Σ_o dz[b,o]·kernel[o,i].
template <typename T>
void backward_input(const DenseParameters<T>& layer, std::span<const T> dz, std::span<T> dx) {
  const auto [in, out] = layer.shape;
  std::fill(dx.begin(), dx.end(), T(0));
  for (std::size_t b = 0; b < dx.size() / in; ++b) {
    for (std::size_t o = 0; o < out; ++o) {
      add_scaled(std::array<T, 1>{dz[b * out + o]}, layer.kernel.data() + o * in, in, in,
                 dx.data() + b * in);
    }
  }
}

}  // namespace dense
}  // namespace engraft
