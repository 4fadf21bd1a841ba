#include "engraft/kernels/depthwise_backward.h"

#include <gtest/gtest.h>

#include "simd_fixture.h"
#include "support/random_values.h"

namespace engraft::depthwise_backward_test {

using test::activations;
using test::Guarded;
using test::is_open;
using test::random_values;
using test::simd_test_name;
using test::Sums;

/// A convolution's extents, and what is wanted of it.
struct Case {
  int height, width, channels;
  int kernel = 3, stride = 1;
  int before = 1, after = 1;  ///< zeros around the picture
  Gate input_gate = Gate::kRelu6, output_gate = Gate::kRelu6;
  bool want_dx = true, want_db = true;

  [[nodiscard]] int places(int size) const { return (size + before + after - kernel) / stride + 1; }
  [[nodiscard]] bool possible() const {
    return height + before + after >= kernel && width + before + after >= kernel;
  }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.height << "x" << c.width << "x" << c.channels << " kernel " << c.kernel
             << " stride " << c.stride << " zeros " << c.before << "," << c.after;
}

/// The plain loop of the header's formulas, dy being gated already.
struct Expected {
  Sums dw, db, dx;

  void add(const DepthwiseBackward& spec) {
    const auto index = [&](int row, int column, int width) {
      return (static_cast<std::size_t>(row) * width + column) * spec.channels;
    };
    for (int i = 0; i < spec.out_height; ++i) {
      for (int j = 0; j < spec.out_width; ++j) {
        const float* dy = spec.dy + index(i, j, spec.out_width);
        for (int c = 0; c < spec.channels; ++c) db.add(c, dy[c]);
        for (int u = 0; u < spec.kernel; ++u) {
          for (int v = 0; v < spec.kernel; ++v) {
            const int row = i * spec.stride + u - spec.pad_top;
            const int column = j * spec.stride + v - spec.pad_left;
            if (row < 0 || row >= spec.height || column < 0 || column >= spec.width) continue;
            const std::size_t at = index(row, column, spec.width);
            const std::size_t tap = index(u, v, spec.kernel);
            for (int c = 0; c < spec.channels; ++c) {
              const double gradient = dy[c];
              dw.add(tap + c, spec.x[at + c] * gradient);
              dx.add(at + c, spec.w[tap + c] * gradient);
            }
          }
        }
      }
    }
    const std::size_t size = index(spec.height, 0, spec.width);
    for (std::size_t k = 0; k < size; ++k) {
      if (!is_open(spec.input_gate, spec.x[k])) dx.clear(k);
    }
  }
};

class DepthwiseBackwardKernel : public test::SimdTest {
 protected:
  static void check(const Case& c) {
    SCOPED_TRACE(testing::PrintToString(c));
    const int out_height = c.places(c.height), out_width = c.places(c.width);
    const auto in_size = static_cast<std::size_t>(c.height) * c.width * c.channels;
    const auto out_size = static_cast<std::size_t>(out_height) * out_width * c.channels;
    const auto taps = static_cast<std::size_t>(c.kernel) * c.kernel * c.channels;
    auto x = guarded(activations(in_size, 1)), y = guarded(activations(out_size, 2));
    auto w = guarded(random_values(taps, 3)), dy = guarded(random_values(out_size, 4));
    auto dw = guarded(random_values(taps, 5)), db = guarded(random_values(c.channels, 6));
    auto dx = poisoned(in_size);
    DepthwiseBackward spec{.height = c.height,
                           .width = c.width,
                           .channels = c.channels,
                           .kernel = c.kernel,
                           .stride = c.stride,
                           .pad_top = c.before,
                           .pad_left = c.before,
                           .out_height = out_height,
                           .out_width = out_width,
                           .input_gate = c.input_gate,
                           .output_gate = c.output_gate,
                           .x = x.data(),
                           .y = c.output_gate == Gate::kOpen ? nullptr : y.data(),
                           .w = w.data(),
                           .dy = dy.data(),
                           .dx = c.want_dx ? dx.data() : nullptr,
                           .dw = dw.data(),
                           .db = c.want_db ? db.data() : nullptr};
    std::vector<float> gated(dy.values().begin(), dy.values().end());
    for (std::size_t k = 0; k < out_size; ++k) {
      if (!is_open(c.output_gate, y.data()[k])) gated[k] = 0;
    }
    DepthwiseBackward plain = spec;
    plain.dy = gated.data();
    Expected expected{Sums(dw.values()), Sums(db.values()), Sums(in_size)};
    expected.add(plain);
    depthwise_backward(spec);
    ASSERT_TRUE(std::equal(gated.begin(), gated.end(), dy.data()));
    ASSERT_TRUE(expected.dw.matches(dw.values()));
    ASSERT_TRUE(!c.want_db || bool(expected.db.matches(db.values())));
    ASSERT_TRUE(!c.want_dx || bool(expected.dx.matches(dx.values())));
  }
};

ENGRAFT_INSTANTIATE_SIMD_TESTS(DepthwiseBackwardKernel);

TEST_P(DepthwiseBackwardKernel, IsRightForEveryNumberOfChannelsAroundAVector) {
  for (int channels = 1; channels <= 2 * test::kMostLanes + 1; ++channels) {
    check({.height = 5, .width = 4, .channels = channels});
    check({.height = 6, .width = 6, .channels = channels, .stride = 2, .before = 0});
    check({.height = 4, .width = 5, .channels = channels, .kernel = 5, .before = 2, .after = 2});
    if (HasFatalFailure()) return;
  }
}

TEST_P(DepthwiseBackwardKernel, IsRightForEveryKernelStridePaddingAndSize) {
  for (const int kernel : {1, 2, 3, 5}) {
    for (const int stride : {1, 2, 3}) {
      for (int before = 0; before < kernel; ++before) {
        for (int after = 0; after < kernel; ++after) {
          for (int height = 1; height <= 6; ++height) {
            const Case c{.height = height,
                         .width = 1 + (height * 3 + before) % 7,
                         .channels = 5,
                         .kernel = kernel,
                         .stride = stride,
                         .before = before,
                         .after = after};
            if (c.possible()) check(c);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST_P(DepthwiseBackwardKernel, IsRightForEverySizeOfPicture) {
  for (int height = 1; height <= 9; ++height) {
    for (int width = 1; width <= 9; ++width) {
      check({.height = height, .width = width, .channels = 3});
      for (const int before : {0, 1}) {
        const Case c{
            .height = height, .width = width, .channels = 19, .stride = 2, .before = before};
        if (c.possible()) check(c);
      }
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(DepthwiseBackwardKernel, IsRightForTheShapesOfMobileNetV2) {
  check({.height = 16, .width = 112, .channels = 32});
  check({.height = 16, .width = 112, .channels = 96, .stride = 2, .before = 0});
  check({.height = 14, .width = 14, .channels = 576});
  check({.height = 14, .width = 14, .channels = 576, .stride = 2, .before = 0});
  check({.height = 7, .width = 7, .channels = 960});
}

TEST_P(DepthwiseBackwardKernel, IsRightForEveryGateWithAndWithoutBiasAndInputGradient) {
  for (const Gate input : {Gate::kOpen, Gate::kRelu, Gate::kRelu6}) {
    for (const Gate output : {Gate::kOpen, Gate::kRelu, Gate::kRelu6}) {
      for (const int variant : {0, 1, 2, 3}) {
        for (const int kernel : {3, 5}) {
          for (const int stride : {1, 2}) {
            check({.height = 6,
                   .width = 8,
                   .channels = 21,
                   .kernel = kernel,
                   .stride = stride,
                   .before = kernel / 2,
                   .after = kernel / 2,
                   .input_gate = input,
                   .output_gate = output,
                   .want_dx = variant % 2 == 0,
                   .want_db = variant < 2});
          }
        }
      }
    }
  }
}

TEST_P(DepthwiseBackwardKernel, AThousandthOffWouldBeNoticed) {
  constexpr int kSide = 8, kChannels = 20;
  const std::size_t size = kSide * kSide * kChannels;
  const auto x = activations(size, 1), w = activations(9 * kChannels, 2);
  auto dy = activations(size, 3);
  std::vector<float> dx(size), dw(9 * kChannels), db(kChannels);
  const DepthwiseBackward spec{.height = kSide,
                               .width = kSide,
                               .channels = kChannels,
                               .pad_top = 1,
                               .pad_left = 1,
                               .out_height = kSide,
                               .out_width = kSide,
                               .x = x.data(),
                               .w = w.data(),
                               .dy = dy.data(),
                               .dx = dx.data(),
                               .dw = dw.data(),
                               .db = db.data()};
  Expected expected{Sums(dw.size()), Sums(db.size()), Sums(size)};
  expected.add(spec);
  depthwise_backward(spec);
  EXPECT_TRUE(expected.dw.notices_a_thousandth(dw));
  EXPECT_TRUE(expected.db.notices_a_thousandth(db));
  EXPECT_TRUE(expected.dx.notices_a_thousandth(dx));
}

}  // namespace engraft::depthwise_backward_test
