#include "engraft/base/edit_distance.h"

#include <gtest/gtest.h>

namespace engraft::edit_distance_test {

TEST(EditDistance, CountsTheFewestChanges) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("flaw", "lawn"), 2u);
}

TEST(EditDistance, IsSymmetric) {
  EXPECT_EQ(edit_distance("mobilenet_v2", "mobilnet-v2"),
            edit_distance("mobilnet-v2", "mobilenet_v2"));
}

}  // namespace engraft::edit_distance_test
