#include "engraft/train/parameter_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "support/errors.h"

namespace engraft::parameter_groups_test {

using test::expect_error;
using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(LayerRateScale, FallsWithTheDepth) {
  EXPECT_EQ(layer_rate_scale(0.5f, 0), 1);
  EXPECT_EQ(layer_rate_scale(0.5f, 1), 0.5f);
  EXPECT_EQ(layer_rate_scale(0.5f, 6), 0.015625f);
  EXPECT_EQ(layer_rate_scale(1, 100), 1);
  EXPECT_NEAR(layer_rate_scale(0.75f, 17), 0.0075169, 1e-6);
}

TEST(LayerRateScale, RefusesDecaysAndDepthsOutOfRange) {
  for (const float decay : {0.0f, -0.5f, 1.01f, kNan}) {
    expect_error(ErrorKind::kUsage, HasSubstr("1 treats all alike"),
                 [&] { (void)layer_rate_scale(decay, 1); });
  }
  expect_error(ErrorKind::kUsage, HasSubstr("nearest the head has 0"),
               [] { (void)layer_rate_scale(0.5f, -1); });
}

TEST(Decays, IsForKernelsAlone) {
  for (const auto* name : {"Conv1/kernel", "block_1_depthwise/depthwise_kernel", "kernel"}) {
    EXPECT_TRUE(decays(name)) << name;
  }
  for (const auto* name : {"predictions/bias", "bn_Conv1/gamma", "bn_Conv1/beta", "bias", "",
                           "kernel/bias", "bn/moving_mean"}) {
    EXPECT_FALSE(decays(name)) << name;
  }
}

ParameterLayout small_layout() {
  ParameterLayout layout;
  layout.append("Conv1/kernel", Shape{3, 3, 3, 8});
  layout.append("bn_Conv1/gamma", Shape{8});
  layout.append("bn_Conv1/beta", Shape{8});
  layout.append("predictions/kernel", Shape{8, 2});
  layout.append("predictions/bias", Shape{2});
  return layout;
}

TEST(MakeParameterGroups, GivesEachParameterItsRateAndDecay) {
  const ParameterLayout layout = small_layout();
  const int depths[] = {2, 2, 1, 0, 0};
  const auto groups = make_parameter_groups(layout, depths, 0.5f);
  ASSERT_EQ(groups.size(), 5u);
  const std::size_t begins[] = {0, 216, 224, 232, 248};
  const float rates[] = {0.25f, 0.25f, 0.5f, 1, 1};
  const float scales[] = {1, 0, 0, 1, 0};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(groups[i].begin, begins[i]);
    EXPECT_EQ(groups[i].end, i < 4 ? begins[i + 1] : layout.size());
    EXPECT_EQ(groups[i].rate_scale, rates[i]);
    EXPECT_EQ(groups[i].decay_scale, scales[i]);
  }
  check_parameter_groups(groups, layout.size());
}

TEST(MakeParameterGroups, WithoutDepthsTreatsAllLayersAlike) {
  for (const ParameterGroup& group : make_parameter_groups(small_layout(), {}, 0.5f)) {
    EXPECT_EQ(group.rate_scale, 1);
  }
  EXPECT_TRUE(make_parameter_groups(ParameterLayout()).empty());
}

TEST(MakeParameterGroups, RefusesAnotherNumberOfDepths) {
  const int depths[] = {0, 1};
  expect_error(ErrorKind::kUsage, HasSubstr("2 depths for 5 parameters"),
               [&] { (void)make_parameter_groups(small_layout(), depths, 0.5f); });
  const int wrong[] = {0, 0, 0, 0, -1};
  expect_error(ErrorKind::kUsage, HasSubstr("not -1"),
               [&] { (void)make_parameter_groups(small_layout(), wrong, 0.5f); });
}

TEST(CheckParameterGroups, RefusesGroupsThatOverlapOrReachOut) {
  const auto refused = [](const std::string& part, std::vector<ParameterGroup> groups) {
    expect_error(ErrorKind::kUsage, HasSubstr(part), [&] { check_parameter_groups(groups, 10); });
  };
  check_parameter_groups({}, 0);
  check_parameter_groups(
      std::vector<ParameterGroup>{{.begin = 0, .end = 0}, {.begin = 2, .end = 9}}, 10);
  refused("group 1 is [3, 6)", {{.begin = 0, .end = 4}, {.begin = 3, .end = 6}});
  refused("group 1 is [0, 2)", {{.begin = 5, .end = 6}, {.begin = 0, .end = 2}});
  refused("group 0 is [0, 11)", {{.begin = 0, .end = 11}});
  refused("group 0 is [4, 3)", {{.begin = 4, .end = 3}});
  refused("must be 0 or more", {{.begin = 0, .end = 4, .rate_scale = -1}});
  refused("must be 0 or more", {{.begin = 0, .end = 4, .rate_scale = kNan}});
  refused("must be 0 or more",
          {{.begin = 0, .end = 4, .decay_scale = std::numeric_limits<float>::infinity()}});
}

}  // namespace engraft::parameter_groups_test
