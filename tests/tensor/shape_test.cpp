#include "engraft/tensor/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "engraft/base/error.h"
#include "support/errors.h"

namespace engraft::shape_test {

TEST(Shape, CountsItsElements) {
  EXPECT_EQ(Shape().elements(), 1) << "a scalar";
  EXPECT_EQ((Shape{5}).elements(), 5);
  EXPECT_EQ((Shape{2, 3, 4}).elements(), 24);
  EXPECT_EQ((Shape{2, 0, 4}).elements(), 0);
  EXPECT_EQ((Shape{1, 224, 224, 3}).elements(), 150'528);
}

TEST(Shape, RefusesProductsThatOverflow) {
  constexpr std::int64_t kMost = std::int64_t{1} << 48;
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ((Shape{kMost}).elements(), kMost);
  EXPECT_EQ((Shape{1 << 24, 1 << 24}).elements(), kMost);
  for (const Shape& shape :
       {Shape{kMost + 1}, Shape{kMost, 2}, Shape{2, kMost}, Shape{kHuge}, Shape{kHuge, kHuge},
        Shape{std::int64_t{1} << 32, std::int64_t{1} << 32},
        Shape{65'536, 65'536, 65'536, 65'536}}) {
    test::expect_error(ErrorKind::kBadInput, ::testing::HasSubstr(shape.to_string()),
                       [&] { (void)shape.elements(); });
  }
}

TEST(Shape, RefusesNegativeExtents) {
  for (const Shape& shape :
       {Shape{-1}, Shape{2, -3}, Shape{0, -1}, Shape{std::numeric_limits<std::int64_t>::min()}}) {
    test::expect_error(ErrorKind::kBadInput, ::testing::HasSubstr("negative"),
                       [&] { (void)shape.elements(); });
  }
}

TEST(Shape, NegativeAxesCountFromTheEnd) {
  const Shape shape{1, 2, 3, 4};
  EXPECT_EQ(shape.rank(), 4);
  EXPECT_EQ(shape[0], 1);
  EXPECT_EQ(shape[3], 4);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape[-4], 1);
  EXPECT_THROW((void)shape[4], std::out_of_range);
  EXPECT_THROW((void)shape[-5], std::out_of_range);
}

TEST(Shape, PrintsItselfAndCompares) {
  EXPECT_EQ((Shape{1, 224, 224, 3}).to_string(), "[1,224,224,3]");
  EXPECT_EQ(Shape().to_string(), "[]");
  EXPECT_EQ((Shape{1, 2}), Shape(std::vector<std::int64_t>{1, 2}));
  EXPECT_NE((Shape{1, 2}), (Shape{2, 1}));
  EXPECT_NE((Shape{1, 2}), (Shape{1, 2, 1}));
}

}  // namespace engraft::shape_test
