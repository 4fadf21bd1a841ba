#pragma once

// The gradients of an inverted residual: the plain loops of the header's formulas, and the kernel's
// with every array guarded.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "engraft/kernels/inverted_residual_backward.h"
#include "inverted_residual_cases.h"

namespace engraft::test {

/// What becomes of dx.
enum class Dx { kWritten, kAddedTo, kNotWanted };

/// What the arrays of the gradients hold at first; those of weights are added to.
struct Starts {
  std::vector<float> dx, expand, expand_bias, depthwise, depthwise_bias, project, project_bias;

  explicit Starts(const InvertedResidual& block, int pictures = 1) {
    Rng rng(7);
    const Numbers sizes(block, pictures);
    const auto start = [&](const std::vector<float>& like) {
      std::vector<float> values(like.size());
      draw(values, -3, 3, 1. / 2, rng);
      return values;
    };
    dx = start(sizes.x);
    expand = start(sizes.expand);
    expand_bias = start(sizes.expand_bias);
    depthwise = start(sizes.depthwise);
    depthwise_bias = start(sizes.depthwise_bias);
    project = start(sizes.project);
    project_bias = start(sizes.project_bias);
  }
};

/// The plain loops of the header's formulas.
struct Expected {
  ExactSums dd, de, dx, expand, expand_bias, depthwise, depthwise_bias, project, project_bias;

  Expected(const InvertedResidual& b, const Numbers& n, const Starts& start, bool adds_dx)
      : dd(b.expanded * n.dy.size() / b.out, kStepDd),
        de(static_cast<std::size_t>(b.height) * b.width * b.expanded, kStepDe),
        dx(n.x.size(), kStepDe * kStepExpand),
        expand(start.expand, kStepDe * kStepX),
        expand_bias(start.expand_bias, kStepDe),
        depthwise(start.depthwise, kStepDd * kStepE),
        depthwise_bias(start.depthwise_bias, kStepDd),
        project(start.project, kStepDy * kStepD),
        project_bias(start.project_bias, kStepDy) {
    const Forward forward(b, n);
    for (std::size_t i = 0; adds_dx && i < dx.size(); ++i) dx.add(i, start.dx[i]);
    for (std::size_t i = 0; b.residual && i < dx.size(); ++i) dx.add(i, n.dy[i]);
    through_projection(b, n, forward);
    through_depthwise(b, n, forward);
    through_expansion(b, n);
  }

  [[nodiscard]] bool is_exact() const { return dd.are_exact() && de.are_exact(); }

 private:
  void through_projection(const InvertedResidual& b, const Numbers& n, const Forward& forward) {
    const auto expanded = static_cast<std::size_t>(b.expanded);
    const auto out = static_cast<std::size_t>(b.out);
    for (std::size_t i = 0; i < dd.size(); ++i) {
      const std::size_t c = i % expanded;
      const float* dy = n.dy.data() + i / expanded * out;
      for (std::size_t o = 0; o < out; ++o) {
        dd.add(i, double{dy[o]} * n.project[c * out + o]);
        project.add(c * out + o, forward.d[i] * dy[o]);
      }
      dd.gate(i, b.depthwise_activation, forward.d[i]);
      depthwise_bias.add(c, dd[i]);
    }
    for (std::size_t i = 0; i < n.dy.size(); ++i) project_bias.add(i % out, n.dy[i]);
  }

  void through_depthwise(const InvertedResidual& b, const Numbers& n, const Forward& forward) {
    const auto expanded = static_cast<std::size_t>(b.expanded);
    for_each_tap(b.depthwise, extent_e(b), extent_y(b), [&](auto place, auto pixel, auto tap) {
      for (std::size_t c = 0; c < expanded; ++c) {
        const double gradient = dd[place * expanded + c];
        const std::size_t at = pixel * expanded + c, w = tap * expanded + c;
        depthwise.add(w, forward.e[at] * gradient);
        de.add(at, n.depthwise[w] * gradient);
      }
    });
    for (std::size_t i = 0; i < de.size(); ++i) {
      de.gate(i, b.expand_activation, forward.e[i]);
      expand_bias.add(i % expanded, de[i]);
    }
  }

  void through_expansion(const InvertedResidual& b, const Numbers& n) {
    const auto in = static_cast<std::size_t>(b.in), expanded = static_cast<std::size_t>(b.expanded);
    for_each_tap(b.expand, extent_x(b), extent_e(b), [&](auto place, auto pixel, auto tap) {
      for (std::size_t k = 0; k < in; ++k) {
        for (std::size_t c = 0; c < expanded; ++c) {
          const double gradient = de[place * expanded + c];
          const std::size_t w = (tap * in + k) * expanded + c;
          expand.add(w, n.x[pixel * in + k] * gradient);
          dx.add(pixel * in + k, n.expand[w] * gradient);
        }
      }
    });
  }
};

/// Pictures of one call.
struct Pictures {
  int first = 0, count = 1;
};

/// The kernel's gradients, every array guarded.
class Gradients {
 public:
  Gradients(const Starts& start, Dx dx, Guarded side)
      : kind_(dx),
        dx_(start.dx, side),
        expand_(start.expand, side),
        expand_bias_(start.expand_bias, side),
        depthwise_(start.depthwise, side),
        depthwise_bias_(start.depthwise_bias, side),
        project_(start.project, side),
        project_bias_(start.project_bias, side) {
    if (dx != Dx::kAddedTo) std::fill(dx_.span().begin(), dx_.span().end(), kPoison);
  }

  /// garbage: what the scratch memory holds at first.
  void compute(const InvertedResidual& block, const Numbers& n, Guarded side,
               float garbage = kPoison, Pictures pictures = {}) {
    GuardedWeights weights(n, side);
    CacheLines packed(packed_size(block), side), scratch(backward_scratch_size(block), side);
    CacheLines packed_backward(backward_packed_size(block), side);
    pack(block, weights.weights(), packed.data());
    pack_backward(block, weights.weights(), packed_backward.data());
    std::fill(scratch.span().begin(), scratch.span().end(), garbage);
    GuardedArray x(n.x, side), dy(n.dy, side);
    inverted_residual_backward(
        block,
        {.packed = packed.data(),
         .packed_backward = packed_backward.data(),
         .pictures = pictures.count,
         .x = x.data() + pictures.first * x_size(block),
         .dy = dy.data() + pictures.first * y_size(block),
         .dx = kind_ == Dx::kNotWanted ? nullptr : dx_.data() + pictures.first * x_size(block),
         .adds_dx = kind_ == Dx::kAddedTo,
         .gradients = {.expand = expand_.data(),
                       .expand_bias = expand_bias_.data(),
                       .depthwise = depthwise_.data(),
                       .depthwise_bias = depthwise_bias_.data(),
                       .project = project_.data(),
                       .project_bias = project_bias_.data()},
         .scratch = scratch.data()});
    ASSERT_TRUE(packed.rest_is_untouched());
    ASSERT_TRUE(packed_backward.rest_is_untouched());
    ASSERT_TRUE(scratch.rest_is_untouched());
  }

  /// The first array that is not as it must be, by its name.
  [[nodiscard]] ::testing::AssertionResult equal(const Expected& expected) const {
    const auto named = [](const char* name, ::testing::AssertionResult result) {
      return result ? result : result << " in " << name;
    };
    ::testing::AssertionResult results[] = {
        named("expand", expected.expand.equal(expand_.values())),
        named("expand_bias", expected.expand_bias.equal(expand_bias_.values())),
        named("depthwise", expected.depthwise.equal(depthwise_.values())),
        named("depthwise_bias", expected.depthwise_bias.equal(depthwise_bias_.values())),
        named("project", expected.project.equal(project_.values())),
        named("project_bias", expected.project_bias.equal(project_bias_.values())),
        kind_ == Dx::kNotWanted ? ::testing::AssertionSuccess()
                                : named("dx", expected.dx.equal(dx_.values()))};
    for (const ::testing::AssertionResult& result : results) {
      if (!result) return result;
    }
    return ::testing::AssertionSuccess();
  }

  [[nodiscard]] bool same_bits_as(const Gradients& other) const {
    return weights_have_the_bits_of(other) && same_bits(dx_.values(), other.dx_.values());
  }
  [[nodiscard]] bool weights_have_the_bits_of(const Gradients& other) const {
    return same_bits(expand_.values(), other.expand_.values()) &&
           same_bits(expand_bias_.values(), other.expand_bias_.values()) &&
           same_bits(depthwise_.values(), other.depthwise_.values()) &&
           same_bits(depthwise_bias_.values(), other.depthwise_bias_.values()) &&
           same_bits(project_.values(), other.project_.values()) &&
           same_bits(project_bias_.values(), other.project_bias_.values());
  }

 private:
  Dx kind_;
  GuardedArray dx_, expand_, expand_bias_, depthwise_, depthwise_bias_, project_, project_bias_;
};

}  // namespace engraft::test
