#include "engraft/tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "engraft/base/error.h"
#include "support/errors.h"

namespace engraft::tensor_test {

std::vector<float> counting(std::size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

TEST(Tensor, BeginsAsNothing) {
  const Tensor tensor;
  EXPECT_EQ(tensor.size(), 0u);
  EXPECT_EQ(tensor.data(), nullptr);
  EXPECT_TRUE(tensor.values().empty());
}

TEST(Tensor, OfAShapeIsZero) {
  const Tensor tensor(Shape{2, 3, 5});
  EXPECT_EQ(tensor.size(), 30u);
  EXPECT_THAT(tensor.values(), ::testing::Each(0.0f));
}

TEST(Tensor, ForOverwriteHasRoomForItsShape) {
  Tensor tensor = Tensor::for_overwrite(Shape{2, 3});
  EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
  std::ranges::copy(counting(6), tensor.data());
  EXPECT_THAT(tensor.values(), ::testing::ElementsAreArray(counting(6)));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0u);
  EXPECT_EQ(Tensor::for_overwrite(Shape{4, 0}).size(), 0u);
}

TEST(Tensor, OfNoElementsHasAShape) {
  const Tensor tensor(Shape{0, 7});
  const Tensor copy = tensor;
  EXPECT_EQ(copy.size(), 0u);
  EXPECT_EQ(copy.shape(), (Shape{0, 7}));
}

TEST(Tensor, IsAlignedToACacheLine) {
  for (std::int64_t size = 1; size < 70; ++size) {
    const Tensor tensor(Shape{size});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0u) << size;
  }
}

TEST(Tensor, TakesValuesThatFitItsShape) {
  const Tensor tensor(Shape{2, 3}, counting(6));
  EXPECT_THAT(tensor.values(), ::testing::ElementsAreArray(counting(6)));
}

TEST(Tensor, RefusesValuesThatDoNotFitItsShape) {
  for (const std::size_t count : {0u, 5u, 7u}) {
    test::expect_error(ErrorKind::kBadInput, ::testing::HasSubstr("[2,3]"), [&] {
      (void)Tensor(Shape{2, 3}, counting(count));
    });
  }
}

TEST(Tensor, ACopyHasItsOwnValues) {
  Tensor tensor(Shape{4}, counting(4));
  Tensor copy = tensor;
  copy.data()[0] = 9;
  EXPECT_EQ(tensor.data()[0], 0.0f);
  EXPECT_NE(tensor.data(), copy.data());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(copy.data()) % 64, 0u);
  tensor = copy;
  EXPECT_EQ(tensor.data()[0], 9.0f);
  const Tensor& itself = tensor;
  tensor = itself;
  EXPECT_EQ(tensor.data()[0], 9.0f);
}

TEST(Tensor, ACopyOfNothingIsNothing) {
  const Tensor nothing;
  Tensor tensor(Shape{4});
  tensor = nothing;
  EXPECT_EQ(tensor.size(), 0u);
  EXPECT_EQ(tensor.data(), nullptr);
}

TEST(Tensor, MovingTakesTheMemoryAndLeavesNothing) {
  Tensor tensor(Shape{4}, counting(4));
  const float* data = tensor.data();
  Tensor moved = std::move(tensor);
  EXPECT_EQ(moved.data(), data);
  EXPECT_EQ(moved.shape(), (Shape{4}));
  // NOLINTNEXTLINE(bugprone-use-after-move): the promise is about what is left
  EXPECT_EQ(tensor.size(), 0u);
  EXPECT_TRUE(tensor.values().empty());
  EXPECT_EQ(tensor.shape(), Shape());
  Tensor assigned(Shape{7});
  assigned = std::move(moved);
  EXPECT_EQ(assigned.data(), data);
  EXPECT_EQ(assigned.size(), 4u);
  EXPECT_EQ(moved.size(), 0u);
  Tensor& itself = assigned;
  assigned = std::move(itself);
  EXPECT_EQ(assigned.size(), 4u);
}

TEST(Tensor, RowsAreTheOutermostAxis) {
  Tensor tensor(Shape{3, 2, 2}, counting(12));
  EXPECT_THAT(tensor.row(0), ::testing::ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(tensor.row(2), ::testing::ElementsAre(8, 9, 10, 11));
  tensor.row(1)[0] = -1;
  const Tensor& same = tensor;
  EXPECT_THAT(same.row(1), ::testing::ElementsAre(-1, 5, 6, 7));
}

TEST(Tensor, RefusesAShapeThatOverflows) {
  test::expect_error(ErrorKind::kBadInput, ::testing::HasSubstr("too large"), [] {
    (void)Tensor(Shape{1 << 30, 1 << 30});
  });
}

}  // namespace engraft::tensor_test
