#include "engraft/kernels/reference/convolution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engraft/kernels/reference/vector.h"
#include "support/random_values.h"

namespace engraft::reference::convolution_test {

using test::random_values;
using ::testing::ElementsAre;

template <typename T>
std::span<const T> all(const std::vector<T>& values) {
  return values;
}

/// TensorFlow's SAME for a 3×3 window at stride 2 on an even size: nothing before, one zero after.
constexpr Window kSameStride2{
    .height = 3, .width = 3, .stride = 2, .top = 0, .left = 0, .bottom = 1, .right = 1};
constexpr Window kSameStride1{
    .height = 3, .width = 3, .stride = 1, .top = 1, .left = 1, .bottom = 1, .right = 1};

TEST(ReferenceConvolution, MatchesAHandWorkedExample) {
  // x = 1 2 / 3 4, w = 1 10 / 100 1000, a zero below and to the right.
  const std::vector<double> x{1, 2, 3, 4}, w{1, 10, 100, 1000}, b{0.5};
  const Convolution spec{.input = {.height = 2, .width = 2, .channels = 1},
                         .window = {.height = 2, .width = 2, .bottom = 1, .right = 1},
                         .output_channels = 1};
  EXPECT_THAT(convolution(spec, all(x), all(w), all(b)), ElementsAre(4321.5, 402.5, 43.5, 4.5));
}

TEST(ReferenceConvolution, PlacesAreThoseOfTheFormula) {
  const Extents picture{.height = 7, .width = 10, .channels = 3};
  EXPECT_EQ(kSameStride1.places(picture, 5), (Extents{7, 10, 5}));
  EXPECT_EQ(kSameStride2.places(picture, 5), (Extents{3, 5, 5}));
  EXPECT_EQ((Window{.height = 2, .width = 3, .stride = 3}.places(picture, 1)), (Extents{2, 3, 1}));
}

TEST(ReferenceConvolution, OneByOneIsADenseLayerOnEachPixel) {
  const Convolution spec{
      .input = {.height = 3, .width = 2, .channels = 5}, .window = {}, .output_channels = 4};
  const auto x = random_values<double>(30, 1), w = random_values<double>(20, 2);
  const auto b = random_values<double>(4, 3);
  const auto y = convolution(spec, all(x), all(w), all(b));
  for (std::size_t pixel = 0; pixel < 6; ++pixel) {
    const auto expected = dense(all(x).subspan(pixel * 5, 5), all(w), all(b));
    for (std::size_t o = 0; o < 4; ++o) EXPECT_DOUBLE_EQ(y[pixel * 4 + o], expected[o]);
  }
}

TEST(ReferenceConvolution, DepthwiseIsAConvolutionWithDiagonalWeights) {
  for (const Window& window : {kSameStride1, kSameStride2}) {
    const Convolution spec{
        .input = {.height = 6, .width = 8, .channels = 3}, .window = window, .output_channels = 3};
    const auto x = random_values<double>(6 * 8 * 3, 4), w = random_values<double>(27, 5);
    const auto b = random_values<double>(3, 6);
    std::vector<double> diagonal(81);
    for (std::size_t tap = 0; tap < 9; ++tap) {
      for (std::size_t c = 0; c < 3; ++c) diagonal[(tap * 3 + c) * 3 + c] = w[tap * 3 + c];
    }
    const auto expected = convolution(spec, all(x), all(diagonal), all(b));
    const auto y = depthwise_convolution(spec, all(x), all(w), all(b));
    ASSERT_EQ(y.size(), expected.size());
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-14);
  }
}

TEST(ReferenceConvolution, PaddingAtStrideTwoIsAsymmetricWhereTheWindowSaysSo) {
  // A single one in the corner: with no zeros before it, the first tap sees it.
  std::vector<double> x(16), w(9);
  x[0] = 1;
  for (std::size_t i = 0; i < 9; ++i) w[i] = static_cast<double>(i + 1);
  Convolution spec{.input = {.height = 4, .width = 4, .channels = 1},
                   .window = kSameStride2,
                   .output_channels = 1};
  EXPECT_EQ(depthwise_convolution(spec, all(x), all(w), {})[0], 1);
  spec.window = {
      .height = 3, .width = 3, .stride = 2, .top = 1, .left = 1, .bottom = 1, .right = 1};
  EXPECT_EQ(depthwise_convolution(spec, all(x), all(w), {})[0], 5);
}

TEST(ReferenceConvolution, ComplexStepGivesTheDerivativeByEveryInput) {
  using Complex = std::complex<double>;
  constexpr double kStep = 1e-100;
  const Convolution spec{.input = {.height = 5, .width = 4, .channels = 2},
                         .window = kSameStride2,
                         .output_channels = 3};
  const auto w = random_values<double>(54, 7);
  const std::vector<Complex> complex_w(w.begin(), w.end());
  const auto real_x = random_values<double>(40, 8);
  for (std::size_t k = 0; k < real_x.size(); ++k) {
    std::vector<Complex> x(real_x.begin(), real_x.end());
    x[k] += Complex(0, kStep);
    const auto y = convolution(spec, all(x), all(complex_w), {});
    std::vector<double> unit(40);
    unit[k] = 1;  // a convolution is linear: its derivative is its response to a unit
    const auto expected = convolution(spec, all(unit), all(w), {});
    for (std::size_t i = 0; i < y.size(); ++i) {
      EXPECT_NEAR(y[i].imag() / kStep, expected[i], 1e-14);
    }
  }
}

}  // namespace engraft::reference::convolution_test
