#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engraft/kernels/resample.h"

namespace engraft::reference {

/// What lies behind the point and outside 0…255 is cut off.
template <typename T>
[[nodiscard]] std::uint8_t to_byte(T value) {
  return static_cast<std::uint8_t>(std::clamp(value, T(0), T(255)));
}

/// y[r,i,c] = byte(½ + Σ_t w[i,t] · x[r, first_i + t, c])
template <typename T>
[[nodiscard]] std::vector<std::uint8_t> filter_rows(const PixelRows& x, const FilterTable& table) {
  std::vector<std::uint8_t> y;
  for (int r = 0; r < x.height; ++r) {
    for (std::size_t i = 0; i < table.outputs(); ++i) {
      for (int c = 0; c < 3; ++c) {
        const std::uint8_t* from = x.row(r) + 3 * static_cast<std::ptrdiff_t>(table.firsts[i]) + c;
        T sum(0.5);
        for (const float weight : table.of(i)) {
          sum += T(weight) * T(*from);
          from += 3;
        }
        y.push_back(to_byte(sum));
      }
    }
  }
  return y;
}

/// y[i,j,c] = byte(½ + Σ_t w[i,t] · x[first_i + t, j, c])
template <typename T>
[[nodiscard]] std::vector<std::uint8_t> filter_columns(const PixelRows& x,
                                                       const FilterTable& table) {
  std::vector<std::uint8_t> y;
  for (std::size_t i = 0; i < table.outputs(); ++i) {
    for (int v = 0; v < 3 * x.width; ++v) {
      T sum(0.5);
      int row = table.firsts[i];
      for (const float weight : table.of(i)) sum += T(weight) * T(x.row(row++)[v]);
      y.push_back(to_byte(sum));
    }
  }
  return y;
}

/// y[i,j,c] = byte(½ + m(m(x[i₀,j₀,c], x[i₀,j₁,c], f_j), m(x[i₁,j₀,c], x[i₁,j₁,c], f_j), f_i)),
/// m(a,b,f) = a + (b − a) · f
template <typename T>
[[nodiscard]] std::vector<std::uint8_t> mix_neighbours(const PixelRows& x,
                                                       std::span<const Between> rows,
                                                       std::span<const Between> columns) {
  const auto mix = [](T a, T b, T fraction) { return a + (b - a) * fraction; };
  std::vector<std::uint8_t> y;
  for (const Between& row : rows) {
    for (const Between& column : columns) {
      for (int c = 0; c < 3; ++c) {
        const auto at = [&](int i, int j) {
          return T(x.row(i)[3 * static_cast<std::ptrdiff_t>(j) + c]);
        };
        const T above = mix(at(row.low, column.low), at(row.low, column.high), T(column.fraction));
        const T below =
            mix(at(row.high, column.low), at(row.high, column.high), T(column.fraction));
        y.push_back(to_byte(mix(above, below, T(row.fraction)) + T(0.5)));
      }
    }
  }
  return y;
}

}  // namespace engraft::reference
