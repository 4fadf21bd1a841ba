#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engraft/base/rng.h"
#include "engraft/image/augment.h"
#include "expect_error.h"

namespace engraft::test::augment_settings_test {

using ::testing::HasSubstr;

TEST(AugmentationPresets, HaveNamesThatTellThemApart) {
  std::vector<std::string_view> names;
  for (const AugmentationPreset preset : kAugmentationPresets) names.push_back(name_of(preset));
  EXPECT_THAT(names, ::testing::ElementsAre("none", "light", "standard", "strong"));
}

TEST(AugmentationPresets, GrowFromNothingToEverything) {
  EXPECT_EQ(augmentation_of(AugmentationPreset::kNone), Augmentation{});
  const Augmentation light = augmentation_of(AugmentationPreset::kLight);
  const Augmentation standard = augmentation_of(AugmentationPreset::kStandard);
  const Augmentation strong = augmentation_of(AugmentationPreset::kStrong);
  EXPECT_LT(light.crop_min_area, 1);
  EXPECT_LT(standard.crop_min_area, light.crop_min_area);
  EXPECT_EQ(light.brightness, 0);
  EXPECT_GT(standard.brightness, 0);
  EXPECT_EQ(standard.rand_augment, 0);
  EXPECT_EQ(standard.mixup + standard.cutmix + standard.erasing, 0);
  EXPECT_EQ(strong.crop_min_area, standard.crop_min_area);
  EXPECT_GT(strong.rand_augment, 0);
  EXPECT_GT(strong.mixup * strong.cutmix * strong.erasing, 0);
}

TEST(AugmentationPresets, PassTheirOwnCheckAndSurviveJson) {
  for (const AugmentationPreset preset : kAugmentationPresets) {
    const Augmentation augmentation = augmentation_of(preset);
    EXPECT_NO_THROW(check(augmentation));
    EXPECT_EQ(augmentation_from_json(to_json(augmentation)), augmentation);
  }
}

TEST(AugmentationJson, IsOneStableLine) {
  EXPECT_EQ(to_json(augmentation_of(AugmentationPreset::kStrong)),
            R"({"crop_min_area":0.35,"crop_max_stretch":1.3333334,"mirror":0.5,"upside_down":0,)"
            R"("rotation":0,"brightness":0.2,"contrast":0.2,"saturation":0.2,"hue":0,)"
            R"("grayscale":0,"magnitude":9,"erasing":0.25,"mixup":0.2,"cutmix":1,)"
            R"("rand_augment":2})");
}

TEST(AugmentationJson, KeepsEveryBitOfEveryNumber) {
  Rng rng(3);
  for (int i = 0; i < 2000; ++i) {
    Augmentation a;
    a.crop_min_area = rng.uniform(0.01f, 1);
    a.crop_max_stretch = rng.uniform(1, 4);
    a.mirror = rng.uniform() * 1e-20f;
    a.rotation = rng.uniform(0, 180);
    a.hue = rng.uniform(0, 0.5f);
    a.mixup = rng.uniform(0, 100);
    a.cutmix = std::exp(rng.uniform(-80, 4));
    a.rand_augment = static_cast<int>(rng.below(11));
    ASSERT_EQ(augmentation_from_json(to_json(a)), a) << to_json(a);
  }
}

TEST(AugmentationJson, HoldsEveryMember) {
  // A member that to_json forgets would come back as its default.
  const std::string json =
      R"({"crop_min_area":0.5,"crop_max_stretch":2,"mirror":0.1,"upside_down":0.2,"rotation":3,)"
      R"("brightness":0.4,"contrast":0.5,"saturation":0.6,"hue":0.07,"grayscale":0.8,)"
      R"("magnitude":1,"erasing":0.9,"mixup":11,"cutmix":12,"rand_augment":7})";
  const Augmentation all{.crop_min_area = 0.5f,
                         .crop_max_stretch = 2,
                         .mirror = 0.1f,
                         .upside_down = 0.2f,
                         .rotation = 3,
                         .brightness = 0.4f,
                         .contrast = 0.5f,
                         .saturation = 0.6f,
                         .hue = 0.07f,
                         .grayscale = 0.8f,
                         .rand_augment = 7,
                         .magnitude = 1,
                         .erasing = 0.9f,
                         .mixup = 11,
                         .cutmix = 12};
  EXPECT_EQ(to_json(all), json);
  EXPECT_EQ(augmentation_from_json(json), all);
}

TEST(AugmentationJson, RefusesWhatItDoesNotUnderstand) {
  const std::string good = to_json(Augmentation{});
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& bad :
       {std::string(), std::string("{"), std::string("[]"), std::string("null"), std::string("{}"),
        with("\"mirror\":0,", ""), with("\"mirror\":0", "\"mirror\":\"0\""),
        with("\"mirror\":0", "\"mirror\":null"), with("\"mirror\":0", "\"mirror\":-0.1"),
        with("\"mirror\":0", "\"mirror\":1.01"), with("\"mirror\":0", "\"mirror\":1e99"),
        with("\"mirror\"", "\"mirroring\""), with("\"rand_augment\":0", "\"rand_augment\":1.5"),
        with("\"rand_augment\":0", "\"rand_augment\":-1"),
        with("\"rand_augment\":0", "\"rand_augment\":11"),
        with("\"rand_augment\":0", "\"rand_augment\":4294967296"),
        with("\"rand_augment\":0", "\"rand_augment\":1e30"),
        with("\"rand_augment\":0", "\"rand_augment\":[]"), with("{", "{\"colour\":1,")}) {
    expect_error(ErrorKind::kBadInput, [&] { (void)augmentation_from_json(bad); });
    if (HasFailure()) FAIL() << bad;
  }
}

TEST(AugmentationCheck, NamesThePartAndItsRange) {
  EXPECT_THAT(message_of([] { check({.crop_min_area = 0}); }),
              ::testing::AllOf(HasSubstr("crop_min_area"), HasSubstr("0.01…1")));
  EXPECT_THAT(message_of([] { check({.rand_augment = 11}); }), HasSubstr("0…10"));
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const Augmentation& bad :
       {Augmentation{.crop_min_area = 1.1f}, Augmentation{.crop_max_stretch = 0.9f},
        Augmentation{.crop_max_stretch = 4.1f}, Augmentation{.mirror = -1},
        Augmentation{.upside_down = 2}, Augmentation{.rotation = 181},
        Augmentation{.brightness = 1.5f}, Augmentation{.contrast = kNan},
        Augmentation{.saturation = -0.1f}, Augmentation{.hue = 0.6f},
        Augmentation{.grayscale = 1.01f}, Augmentation{.rand_augment = -1},
        Augmentation{.magnitude = 10.5f}, Augmentation{.erasing = kNan},
        Augmentation{.mixup = std::numeric_limits<float>::infinity()},
        Augmentation{.cutmix = -1}}) {
    expect_error(ErrorKind::kUsage, [&] { check(bad); });
    expect_error(ErrorKind::kUsage, [&] { (void)to_json(bad); });
    expect_error(ErrorKind::kUsage, [&] { (void)augment(Image(4, 4), {}, bad, Rng(1)); });
  }
}

TEST(AugmentationSummary, SaysWhatIsOnInALine) {
  EXPECT_EQ(summary_of({}), "none");
  EXPECT_EQ(summary_of(augmentation_of(AugmentationPreset::kStandard)),
            "crops of 35–100 %, stretched by up to 33 %, mirrored, "
            "brightness, contrast, saturation ± 20 %");
  EXPECT_EQ(summary_of({.upside_down = 0.25f,
                        .rotation = 15,
                        .brightness = 0.3f,
                        .saturation = 0.1f,
                        .hue = 0.02f,
                        .grayscale = 0.1f,
                        .rand_augment = 2,
                        .erasing = 0.25f,
                        .mixup = 0.2f,
                        .cutmix = 1}),
            "upside down (25 %), turned ± 15°, brightness ± 30 %, saturation ± 10 %, hue ± 2 %, "
            "grey (10 %), RandAugment 2 × 9, erasing (25 %), mixup 0.2, cutmix 1");
}

}  // namespace engraft::test::augment_settings_test
