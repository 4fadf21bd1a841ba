#include "engraft/train/batch_draw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engraft/train/picture_loss.h"

namespace engraft::batch_draw_test {

using ::testing::ElementsAre;

constexpr Size kSize{8, 8};

FineTuneOptions options_of(int batch, Balance balance = Balance::kNone) {
  FineTuneOptions options;
  options.batch = batch;
  options.balance = balance;
  options.augmentation = {};
  return options;
}

std::vector<std::size_t> entries_of(const BatchDraw& draw, int epoch) {
  std::vector<std::size_t> entries;
  for (std::int64_t i = 0; i < draw.per_epoch(); ++i) {
    for (const Draw& d : draw.batch(epoch, i)) entries.push_back(d.entry);
  }
  return entries;
}

TEST(BatchDraw, AnEpochSeesEveryPictureOnce) {
  for (const std::size_t pictures : {1u, 7u, 8u, 9u, 100u}) {
    const std::vector<int> labels(pictures, 0);
    const FineTuneOptions options = options_of(8);
    const BatchDraw draw(options, labels, kSize);
    EXPECT_EQ(draw.per_epoch(), static_cast<std::int64_t>((pictures + 7) / 8));
    const auto entries = entries_of(draw, 1);
    EXPECT_EQ(entries.size(), pictures);
    EXPECT_EQ(std::set<std::size_t>(entries.begin(), entries.end()).size(), pictures);
  }
}

TEST(BatchDraw, EveryEpochHasAnOrderOfItsOwn) {
  const std::vector<int> labels(50, 0);
  const FineTuneOptions options = options_of(8);
  const BatchDraw draw(options, labels, kSize), same(options, labels, kSize);
  EXPECT_NE(entries_of(draw, 1), entries_of(draw, 2));
  EXPECT_EQ(entries_of(draw, 2), entries_of(same, 2));
}

TEST(BatchDraw, PicturesAfterCountsWhatTheBatchesHold) {
  const std::vector<int> labels(19, 0);
  const FineTuneOptions options = options_of(8);
  const BatchDraw draw(options, labels, kSize);
  std::size_t seen = 0;
  for (std::int64_t i = 0; i <= draw.per_epoch(); ++i) {
    EXPECT_EQ(draw.pictures_after(i), seen);
    seen += draw.batch(1, i).size();
  }
  EXPECT_EQ(seen, 19u);
}

TEST(BatchDraw, BalancedSamplingSeesEveryClassEquallyOften) {
  std::vector<int> labels(60, 0);
  labels[3] = 4;  // classes 1 to 3 have no pictures
  labels[10] = labels[20] = labels[30] = 2;
  const FineTuneOptions options = options_of(16, Balance::kSampling);
  const BatchDraw draw(options, labels, kSize);
  for (const int epoch : {1, 2}) {
    std::vector<int> counts(5);
    std::set<std::size_t> firsts;
    for (const std::size_t entry : entries_of(draw, epoch)) {
      ++counts[static_cast<std::size_t>(labels[entry])];
      if (labels[entry] == 0) firsts.insert(entry);
    }
    EXPECT_THAT(counts, ElementsAre(20, 0, 20, 0, 20));
    EXPECT_GT(firsts.size(), 10u);
  }
}

TEST(BatchDraw, ViewsRepeatOnlyWhereNothingChangesThem) {
  const std::vector<int> labels(3, 0);
  FineTuneOptions options = options_of(8);
  options.augmentation.mixup = options.augmentation.cutmix = 1;
  options.augmentation.magnitude = 3;
  const BatchDraw plain(options, labels, kSize);
  EXPECT_EQ(plain.view(1), kPlainView);
  EXPECT_EQ(plain.partner_view(7), kPlainView);
  FineTuneOptions mirrored = options;
  mirrored.augmentation.mirror = 0.5f;
  const BatchDraw drawn(mirrored, labels, kSize);
  const std::set<std::uint64_t> views{kPlainView, drawn.view(1), drawn.view(2),
                                      drawn.partner_view(1), drawn.partner_view(2)};
  EXPECT_EQ(views.size(), 5u);
}

TEST(BatchDraw, PartnersAreTrainingPictures) {
  const std::vector<int> labels(5, 0);
  FineTuneOptions options = options_of(5);
  options.augmentation.mixup = 1;
  const BatchDraw draw(options, labels, kSize);
  std::set<std::size_t> partners;
  for (int epoch = 1; epoch <= 20; ++epoch) {
    for (const Draw& d : draw.batch(epoch, 0)) {
      EXPECT_EQ(static_cast<int>(d.mix.kind), static_cast<int>(Mix::Kind::kMixup));
      partners.insert(d.partner);
    }
  }
  EXPECT_THAT(partners, ElementsAre(0, 1, 2, 3, 4));
}

TEST(BatchDraw, DropoutDiffersByEpochPictureOccurrenceAndLayer) {
  const std::vector<int> labels(5, 0);
  const FineTuneOptions options = options_of(5);
  const BatchDraw draw(options, labels, kSize);
  const auto first_of = [&](int epoch, int occurrence, std::size_t picture, int layer) {
    return draw
        .dropout(epoch, {.entry = 0, .occurrence = occurrence, .mix = {}, .partner = 0}, picture,
                 layer)
        .next_u32();
  };
  const std::set<std::uint32_t> first{first_of(1, 0, 0, 0), first_of(2, 0, 0, 0),
                                      first_of(1, 0, 1, 0), first_of(1, 1, 0, 0),
                                      first_of(1, 0, 0, 1)};
  EXPECT_EQ(first.size(), 5u);
  EXPECT_EQ(first_of(1, 0, 0, 0), first_of(1, 0, 0, 0));
}

TEST(BatchDraw, APictureDrawnAgainInAnEpochIsSeenOtherwise) {
  const std::vector<int> labels{0, 0, 0, 0, 0, 0, 0, 1};  // the last is drawn four times an epoch
  FineTuneOptions options = options_of(8);
  options.balance = Balance::kSampling;
  options.augmentation.mirror = 0.5f;
  const BatchDraw draw(options, labels, kSize);
  std::set<std::uint64_t> views;
  for (const Draw& d : draw.batch(1, 0)) {
    if (d.entry == 7) views.insert(draw.view(1, d.occurrence));
  }
  EXPECT_EQ(views.size(), 4u);
  EXPECT_TRUE(views.contains(draw.view(1)));
}

TEST(ClassWeights, MakeClassesCountAlike) {
  const std::vector<int> labels{0, 0, 0, 2};
  EXPECT_THAT(class_weights(labels, 3, Balance::kNone), ElementsAre(1, 1, 1));
  EXPECT_THAT(class_weights(labels, 3, Balance::kSampling), ElementsAre(1, 1, 1));
  EXPECT_THAT(class_weights(labels, 3, Balance::kWeights),
              ElementsAre(4.0f / 9, 1, 4.0f / 3));  // no picture of class 1: nothing to weigh
}

TEST(PictureLoss, MixesLossAndGradientLikeThePictures) {
  for (const LossKind kind : {LossKind::kSoftmax, LossKind::kSigmoid}) {
    const PictureLoss loss(kind, 0.1f, {1, 2, 0.5f});
    const std::vector<float> logits{0.3f, -1.2f, 2};
    std::vector<float> first(3), second(3), mixed(3);
    const double a = loss({.label = 1, .partner = 2, .mix = {}}, logits, first);
    const double b = loss({.label = 2, .partner = 1, .mix = {}}, logits, second);
    const Mix mix{.kind = Mix::Kind::kMixup, .share = 0.75f, .box = {}, .partner = 0};
    EXPECT_NEAR(loss({.label = 1, .partner = 2, .mix = mix}, logits, mixed), 0.75 * a + 0.25 * b,
                1e-6);
    for (std::size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(mixed[k], 0.75f * first[k] + 0.25f * second[k], 1e-6f);
    }
  }
}

TEST(PictureLoss, GradientsAreThoseOfTheLoss) {
  for (const LossKind kind : {LossKind::kSoftmax, LossKind::kSigmoid}) {
    const PictureLoss loss(kind, 0.1f, {1, 2, 0.5f});
    const Mix mix{.kind = Mix::Kind::kCutmix, .share = 0.6f, .box = {}, .partner = 0};
    const PictureLoss::Target target{.label = 1, .partner = 2, .mix = mix};
    std::vector<float> logits{0.3f, -1.2f, 2}, gradient(3), ignored(3);
    static_cast<void>(loss(target, logits, gradient));
    for (std::size_t k = 0; k < 3; ++k) {
      constexpr float kStep = 1.0f / 64;
      std::vector<float> up = logits, down = logits;
      up[k] += kStep;
      down[k] -= kStep;
      const double slope = (loss(target, up, ignored) - loss(target, down, ignored)) / (2 * kStep);
      EXPECT_NEAR(gradient[k], slope, 1e-3) << k;
    }
  }
}

TEST(PictureLoss, OfProbabilitiesIsTheLossWithoutSmoothingAndWeights) {
  const std::vector<float> logits{0.3f, -1.2f, 2};
  std::vector<float> p(3), ignored(3);
  const PictureLoss plain(LossKind::kSoftmax, 0, {1, 1, 1});
  const double expected = plain({.label = 1, .partner = 0, .mix = {}}, logits, ignored);
  const double sum = std::exp(0.3) + std::exp(-1.2) + std::exp(2.0);
  for (std::size_t k = 0; k < 3; ++k) {
    p[k] = static_cast<float>(std::exp(static_cast<double>(logits[k])) / sum);
  }
  EXPECT_NEAR(PictureLoss(LossKind::kSoftmax, 0.3f, {5, 5, 5}).of_probabilities(p, 1), expected,
              1e-6);
  const PictureLoss sigmoid(LossKind::kSigmoid, 0, {1, 1, 1});
  const double wanted = sigmoid({.label = 1, .partner = 0, .mix = {}}, logits, ignored);
  for (std::size_t k = 0; k < 3; ++k) {
    p[k] = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(logits[k]))));
  }
  EXPECT_NEAR(PictureLoss(LossKind::kSigmoid, 0.3f, {5, 5, 5}).of_probabilities(p, 1), wanted,
              1e-6);
}

TEST(PictureLoss, OfProbabilitiesStaysFiniteAtZeroAndShowsNan) {
  const PictureLoss loss(LossKind::kSoftmax, 0, {1, 1});
  EXPECT_NEAR(loss.of_probabilities(std::vector{0.0f, 1.0f}, 0), -std::log(1e-12), 1e-6);
  EXPECT_TRUE(std::isnan(loss.of_probabilities(std::vector{std::nanf(""), 1.0f}, 0)));
}

}  // namespace engraft::batch_draw_test
