#pragma once

#include <algorithm>
#include <iterator>
#include <span>
#include <vector>

#include "engraft/kernels/reference/window.h"

namespace engraft::reference {

/// A convolution of one picture.
struct Convolution {
  Extents input;
  Window window;
  std::int64_t output_channels = 1;  ///< depthwise: those of the input

  [[nodiscard]] Extents output() const { return window.places(input, output_channels); }
};

/// Calls body(input_offset, u, v) for every pixel under the window at output place (i, j);
/// input_offset is that of the pixel's first channel. The zeros around the picture are left out.
template <typename Body>
void for_each_tap(const Convolution& spec, std::int64_t i, std::int64_t j, const Body& body) {
  const Window& window = spec.window;
  for (std::int64_t u = 0; u < window.height; ++u) {
    const std::int64_t row = i * window.stride + u - window.top;
    if (row < 0 || row >= spec.input.height) continue;
    for (std::int64_t v = 0; v < window.width; ++v) {
      const std::int64_t column = j * window.stride + v - window.left;
      if (column < 0 || column >= spec.input.width) continue;
      body((row * spec.input.width + column) * spec.input.channels, u, v);
    }
  }
}

/// Convolution.  y[i,j,o] = b[o] + Σ_uvc x[s·i+u−top, s·j+v−left, c] · w[u,v,c,o]
/// x: [H,W,C]  w: [kh,kw,C,O]  b: [O] or empty  y: [H',W',O]
template <typename T>
[[nodiscard]] std::vector<T> convolution(const Convolution& spec, std::span<const T> x,
                                         std::span<const T> w, std::span<const T> b) {
  const Extents out = spec.output();
  const std::int64_t in_channels = spec.input.channels;
  assert(std::ssize(x) == spec.input.elements());
  assert(std::ssize(w) == spec.window.height * spec.window.width * in_channels * out.channels);
  std::vector<T> y(static_cast<std::size_t>(out.elements()));
  std::vector<T> sum(static_cast<std::size_t>(out.channels));
  for (std::int64_t i = 0; i < out.height; ++i) {
    for (std::int64_t j = 0; j < out.width; ++j) {
      std::fill(sum.begin(), sum.end(), T(0));
      for_each_tap(spec, i, j, [&](std::int64_t pixel, std::int64_t u, std::int64_t v) {
        const T* taps = &w[(u * spec.window.width + v) * in_channels * out.channels];
        for (std::int64_t c = 0; c < in_channels; ++c) {
          for (std::int64_t o = 0; o < out.channels; ++o) {
            sum[o] += x[pixel + c] * taps[c * out.channels + o];
          }
        }
      });
      for (std::int64_t o = 0; o < out.channels; ++o) {
        y[(i * out.width + j) * out.channels + o] = b.empty() ? sum[o] : sum[o] + b[o];
      }
    }
  }
  return y;
}

/// Depthwise convolution.  y[i,j,c] = b[c] + Σ_uv x[s·i+u−top, s·j+v−left, c] · w[u,v,c]
/// x: [H,W,C]  w: [kh,kw,C]  b: [C] or empty  y: [H',W',C]
/// Source: Sandler et al. 2018, §3.
template <typename T>
[[nodiscard]] std::vector<T> depthwise_convolution(const Convolution& spec, std::span<const T> x,
                                                   std::span<const T> w, std::span<const T> b) {
  const Extents out = spec.output();
  const std::int64_t channels = spec.input.channels;
  assert(out.channels == channels && std::ssize(x) == spec.input.elements());
  assert(std::ssize(w) == spec.window.height * spec.window.width * channels);
  std::vector<T> y(static_cast<std::size_t>(out.elements()));
  for (std::int64_t i = 0; i < out.height; ++i) {
    for (std::int64_t j = 0; j < out.width; ++j) {
      T* place = &y[(i * out.width + j) * channels];
      for_each_tap(spec, i, j, [&](std::int64_t pixel, std::int64_t u, std::int64_t v) {
        const T* taps = &w[(u * spec.window.width + v) * channels];
        for (std::int64_t c = 0; c < channels; ++c) place[c] += x[pixel + c] * taps[c];
      });
      for (std::int64_t c = 0; c < channels && !b.empty(); ++c) place[c] += b[c];
    }
  }
  return y;
}

}  // namespace engraft::reference
