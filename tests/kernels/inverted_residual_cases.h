#pragma once

// What the tests of the inverted residual and of its backward pass share: blocks of every shape,
// numbers for them whose sums are exact, and the plain loops of the headers' formulas.

#include <algorithm>
#include <bit>
#include <cmath>
#include <ostream>
#include <span>
#include <vector>

#include "engraft/kernels/inverted_residual.h"
#include "simd_fixture.h"
#include "support/random_values.h"

namespace engraft::test {

/// A block in few words. height, width: of x.
struct Shape {
  int height = 4, width = 4;
  int in = 3, expanded = 16, out = 5;
  int stride = 1;  ///< of the depthwise convolution
  int pad_top = 1, pad_left = 1;
  Gate expand = Gate::kRelu6, depthwise = Gate::kRelu6;
  bool residual = false;
  bool stem = false;  ///< a 3×3 expansion at stride 2, padded by:
  int stem_pad_top = 1, stem_pad_left = 1;
};

[[nodiscard]] inline InvertedResidual block_of(const Shape& s) {
  const auto divided = [](int size, int stride) { return (size + stride - 1) / stride; };
  const int height = divided(s.height, s.stem ? 2 : 1), width = divided(s.width, s.stem ? 2 : 1);
  const Window point, window{
                          .kernel = 3,
                          .stride = 2,
                          .pad_top = s.stem_pad_top,
                          .pad_left = s.stem_pad_left,
                      };
  return {.in_height = s.height,
          .in_width = s.width,
          .height = height,
          .width = width,
          .out_height = divided(height, s.stride),
          .out_width = divided(width, s.stride),
          .in = s.in,
          .expanded = s.expanded,
          .out = s.out,
          .expand = s.stem ? window : point,
          .depthwise = {3, s.stride, s.pad_top, s.pad_left},
          .expand_activation = s.expand,
          .depthwise_activation = s.depthwise,
          .residual = s.residual};
}

inline std::ostream& operator<<(std::ostream& out, const Shape& s) {
  return out << s.height << "x" << s.width << " channels " << s.in << "," << s.expanded << ","
             << s.out << " stride " << s.stride << " zeros " << s.pad_top << "," << s.pad_left
             << " gates " << static_cast<int>(s.expand) << "," << static_cast<int>(s.depthwise)
             << (s.residual ? " residual" : "") << (s.stem ? " stem, zeros " : "")
             << (s.stem ? s.stem_pad_top * 10 + s.stem_pad_left : 0);
}

/// Floats of x, of a picture of y, and of rows of both.
[[nodiscard]] inline std::size_t x_size(const InvertedResidual& b) {
  return static_cast<std::size_t>(b.in_height) * b.in_width * b.in;
}
[[nodiscard]] inline std::size_t y_row(const InvertedResidual& b) {
  return static_cast<std::size_t>(b.out_width) * b.out;
}
[[nodiscard]] inline std::size_t y_size(const InvertedResidual& b) {
  return y_row(b) * b.out_height;
}

/// Steps of the numbers that exact_numbers() draws, all of them powers of two: a product's step is
/// the product of the steps.
constexpr double kStepX = 1. / 4, kStepExpand = 1. / 8, kStepDepthwise = 1. / 4;
constexpr double kStepProject = 1. / 4, kStepDy = 1. / 2;
constexpr double kStepE = kStepX * kStepExpand, kStepD = kStepE * kStepDepthwise;
constexpr double kStepY = kStepD * kStepProject;
constexpr double kStepDd = kStepDy * kStepProject, kStepDe = kStepDd * kStepDepthwise;

/// A block's weights, its input and the gradient of its output, both of so many pictures.
struct Numbers {
  std::vector<float> x, expand, expand_bias, depthwise, depthwise_bias, project, project_bias, dy;

  explicit Numbers(const InvertedResidual& b, int pictures = 1)
      : x(x_size(b) * pictures),
        expand(static_cast<std::size_t>(b.expand.kernel) * b.expand.kernel * b.in * b.expanded),
        expand_bias(b.expanded),
        depthwise(std::size_t{9} * b.expanded),
        depthwise_bias(b.expanded),
        project(static_cast<std::size_t>(b.expanded) * b.out),
        project_bias(b.out),
        dy(y_size(b) * pictures) {}
};

/// Multiples of `step` from low to high.
inline void draw(std::span<float> values, double low, double high, double step, Rng& rng) {
  const auto steps = static_cast<std::uint32_t>(std::lround((high - low) / step)) + 1;
  for (float& value : values) value = static_cast<float>(low + step * rng.below(steps));
}

/// So coarse and so small that float sums of their products are exact in any order, so that even
/// the gates are known for certain: where a value is 0 or 6, it is just that.
[[nodiscard]] inline Numbers exact_numbers(const InvertedResidual& block, int pictures = 1) {
  Rng rng(block.in_height * 1000 + block.in_width * 100 + block.in * 10 + block.out);
  Numbers n(block, pictures);
  draw(n.x, -2, 2, kStepX, rng);
  draw(n.expand, -1, 1, kStepExpand, rng);
  draw(n.expand_bias, -2, 6, kStepE, rng);
  draw(n.depthwise, -1, 1, kStepDepthwise, rng);
  draw(n.depthwise_bias, -2, 4, kStepE, rng);
  draw(n.project, -1, 1, kStepProject, rng);
  draw(n.project_bias, -2, 2, kStepD, rng);
  draw(n.dy, -2, 2, kStepDy, rng);
  return n;
}

/// As they are in earnest: every sum is rounded.
[[nodiscard]] inline Numbers rounded_numbers(const InvertedResidual& block, int pictures = 1) {
  Numbers n(block, pictures);
  std::uint64_t seed = 0;
  for (std::vector<float>* values : {&n.x, &n.expand, &n.expand_bias, &n.depthwise,
                                     &n.depthwise_bias, &n.project, &n.project_bias, &n.dy}) {
    *values = random_values(values->size(), ++seed);
  }
  return n;
}

/// Sums of multiples of a step that float holds exactly, whatever the order.
class ExactSums {
 public:
  ExactSums(std::size_t size, double step) : values_(size), size_of_terms_(size), step_(step) {}
  ExactSums(std::span<const float> start, double step) : ExactSums(start.size(), step) {
    for (std::size_t i = 0; i < start.size(); ++i) add(i, start[i]);
  }

  void add(std::size_t i, double term) {
    values_[i] += term;
    size_of_terms_[i] += std::abs(term);
  }
  /// What is left of value i by an activation, and of a gradient by its gate at y.
  void clamp(std::size_t i, Gate gate) {
    if (gate != Gate::kOpen) values_[i] = std::max(values_[i], 0.0);
    if (gate == Gate::kRelu6) values_[i] = std::min(values_[i], 6.0);
  }
  void gate(std::size_t i, Gate gate, double y) {
    if (!is_open(gate, y)) values_[i] = 0;
  }

  [[nodiscard]] double operator[](std::size_t i) const { return values_[i]; }
  [[nodiscard]] std::size_t size() const { return values_.size(); }

  /// Whether float sums of any order are these ones: 24 bits hold a sum of all terms' sizes.
  [[nodiscard]] bool are_exact() const {
    const auto fits = [this](double size) { return size <= step_ * (1 << 24); };
    return std::all_of(size_of_terms_.begin(), size_of_terms_.end(), fits);
  }
  [[nodiscard]] ::testing::AssertionResult equal(std::span<const float> values) const {
    if (!are_exact()) return ::testing::AssertionFailure() << "the case is too big to be exact";
    if (values.size() != size()) return ::testing::AssertionFailure() << "size";
    for (std::size_t i = 0; i < size(); ++i) {
      if (static_cast<double>(values[i]) != values_[i]) {
        return ::testing::AssertionFailure()
               << "[" << i << "] is " << values[i] << ", expected " << values_[i];
      }
    }
    return ::testing::AssertionSuccess();
  }

 private:
  std::vector<double> values_, size_of_terms_;
  double step_;
};

struct Extent {
  int height, width;
};

/// each(place, pixel, tap) for every place of a window and every tap of it inside the picture.
template <typename Each>
void for_each_tap(const Window& window, Extent picture, Extent places, const Each& each) {
  for (int i = 0; i < places.height; ++i) {
    for (int j = 0; j < places.width; ++j) {
      for (int tap = 0; tap < window.kernel * window.kernel; ++tap) {
        const int row = i * window.stride - window.pad_top + tap / window.kernel;
        const int column = j * window.stride - window.pad_left + tap % window.kernel;
        if (row < 0 || row >= picture.height || column < 0 || column >= picture.width) continue;
        each(static_cast<std::size_t>(i) * places.width + j,
             static_cast<std::size_t>(row) * picture.width + column, static_cast<std::size_t>(tap));
      }
    }
  }
}

[[nodiscard]] inline Extent extent_x(const InvertedResidual& b) {
  return {b.in_height, b.in_width};
}
[[nodiscard]] inline Extent extent_e(const InvertedResidual& b) {
  return {b.height, b.width};
}
[[nodiscard]] inline Extent extent_y(const InvertedResidual& b) {
  return {b.out_height, b.out_width};
}

/// Biases for every pixel.
[[nodiscard]] inline ExactSums begin_with(std::span<const float> bias, Extent extent, double step) {
  const auto pixels = static_cast<std::size_t>(extent.height) * extent.width;
  ExactSums sums(pixels * bias.size(), step);
  for (std::size_t i = 0; i < sums.size(); ++i) sums.add(i, bias[i % bias.size()]);
  return sums;
}

/// The plain loops of inverted_residual.h's formulas.
struct Forward {
  ExactSums e, d, y;

  Forward(const InvertedResidual& b, const Numbers& n)
      : e(begin_with(n.expand_bias, extent_e(b), kStepE)),
        d(begin_with(n.depthwise_bias, extent_y(b), kStepD)),
        y(begin_with(n.project_bias, extent_y(b), kStepY)) {
    const auto in = static_cast<std::size_t>(b.in), expanded = static_cast<std::size_t>(b.expanded);
    const auto out = static_cast<std::size_t>(b.out);
    for_each_tap(b.expand, extent_x(b), extent_e(b), [&](auto place, auto pixel, auto tap) {
      for (std::size_t k = 0; k < in; ++k) {
        const double x = n.x[pixel * in + k];
        const float* w = n.expand.data() + (tap * in + k) * expanded;
        for (std::size_t c = 0; c < expanded; ++c) e.add(place * expanded + c, x * w[c]);
      }
    });
    for (std::size_t i = 0; i < e.size(); ++i) e.clamp(i, b.expand_activation);
    for_each_tap(b.depthwise, extent_e(b), extent_y(b), [&](auto place, auto pixel, auto tap) {
      for (std::size_t c = 0; c < expanded; ++c) {
        d.add(place * expanded + c, e[pixel * expanded + c] * n.depthwise[tap * expanded + c]);
      }
    });
    for (std::size_t i = 0; i < d.size(); ++i) {
      d.clamp(i, b.depthwise_activation);
      const float* w = n.project.data() + i % expanded * out;
      for (std::size_t o = 0; o < out; ++o) y.add(i / expanded * out + o, d[i] * w[o]);
    }
    for (std::size_t i = 0; b.residual && i < y.size(); ++i) y.add(i, n.x[i]);
  }

  [[nodiscard]] bool is_exact() const { return e.are_exact() && d.are_exact() && y.are_exact(); }
};

/// Memory that begins at a cache line. Beside it lies unreadable memory, but for the floats that
/// fill the last line, which must stay as they are.
class CacheLines {
 public:
  CacheLines(std::size_t size, Guarded side)
      : size_(size), lines_((size + kFloats - 1) / kFloats * kFloats, side) {}

  [[nodiscard]] float* data() { return lines_.data(); }
  [[nodiscard]] std::span<float> span() { return lines_.span().first(size_); }
  [[nodiscard]] bool rest_is_untouched() const {
    const std::span<const float> rest = lines_.values().subspan(size_);
    return std::all_of(rest.begin(), rest.end(), [](float value) { return std::isnan(value); });
  }

 private:
  static constexpr std::size_t kFloats = 64 / sizeof(float);
  std::size_t size_;
  GuardedArray lines_;
};

/// A block's weights, unreadable memory beside each array.
class GuardedWeights {
 public:
  GuardedWeights(const Numbers& n, Guarded side)
      : expand_(n.expand, side),
        expand_bias_(n.expand_bias, side),
        depthwise_(n.depthwise, side),
        depthwise_bias_(n.depthwise_bias, side),
        project_(n.project, side),
        project_bias_(n.project_bias, side) {}

  [[nodiscard]] InvertedResidualWeights weights() {
    return {.expand = expand_.data(),
            .expand_bias = expand_bias_.data(),
            .depthwise = depthwise_.data(),
            .depthwise_bias = depthwise_bias_.data(),
            .project = project_.data(),
            .project_bias = project_bias_.data()};
  }

 private:
  GuardedArray expand_, expand_bias_, depthwise_, depthwise_bias_, project_, project_bias_;
};

[[nodiscard]] inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) {
    return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

constexpr Gate kGates[] = {Gate::kOpen, Gate::kRelu, Gate::kRelu6};

/// Calls check(shape) for channels that fill the last vector of 4, 8 or 16 lanes half, in the first
/// panel or a later one, and for pixels of which tiles leave none, some or all.
template <typename Check>
void for_each_half_filled_vector(const Check& check) {
  for (const int channels : {6, 10, 12, 14, 20, 24, 28, 40, 44, 56}) {
    for (const int width : {1, 3, 8, 14, 31}) {
      for (const bool residual : {false, true}) {
        check(Shape{.height = 3,
                    .width = width,
                    .in = channels,
                    .expanded = 64,
                    .out = channels,
                    .residual = residual});
      }
    }
  }
}

/// Calls check(shape) for every padding that a block of this shape may have.
template <typename Check>
void for_each_padding(Shape shape, const Check& check) {
  for (const int top : {0, 1}) {
    for (const int left : {0, 1}) {
      if (shape.stem) {
        shape.stem_pad_top = top;
        shape.stem_pad_left = left;
      } else if (shape.stride == 2) {
        shape.pad_top = top;
        shape.pad_left = left;
      } else if (top + left > 0) {
        return;
      }
      check(shape);
    }
  }
}

}  // namespace engraft::test
