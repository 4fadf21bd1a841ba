#include "engraft/run/feature_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engraft/base/rng.h"
#include "engraft/graph/graph_builder.h"
#include "support/errors.h"

namespace engraft::feature_probe_test {

/// The mean colour.
Network colour_features(int side) {
  GraphBuilder g({side, side, 3});
  return {.graph = g.finish(g.apply(Op::kGlobalAveragePool, "means", g.input())), .weights = {}};
}

/// Pictures of noise; in those of class 1 red is stronger by `difference`.
std::vector<StoredPicture> pictures(std::size_t count, int difference) {
  std::vector<StoredPicture> all(count);
  for (std::size_t i = 0; i < count; ++i) {
    all[i].image = Image(16, 16);
    Rng rng(i);
    for (std::size_t k = 0; k < all[i].image.pixels.size(); ++k) {
      const int more = k % 3 == 0 && i % 2 == 1 ? difference : 0;
      all[i].image.pixels[k] = static_cast<std::uint8_t>(static_cast<int>(rng.below(100)) + more);
    }
    all[i].content = sha256(std::as_bytes(std::span(all[i].image.pixels)));
  }
  return all;
}

std::vector<int> labels(std::size_t count) {
  std::vector<int> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = static_cast<int>(i % 2);
  return all;
}

const std::vector<std::string> kNames{"plain", "red"};

Preprocessing view() {
  Preprocessing p = keras_preprocessing();
  p.width = p.height = 16;
  return p;
}

TEST(FeatureProbe, FindsClassesThatTheFeaturesTellApart) {
  const auto stored = pictures(40, 100);
  const auto given = labels(40);
  ThreadPool pool(2);
  const FeatureProbe probe(stored, given, kNames, pool);
  EXPECT_EQ(probe.pictures(), 40u);
  EXPECT_EQ(probe.correct(colour_features(16), view()), 40u);
}

TEST(FeatureProbe, JudgesNoPictureByAHeadThatHasSeenIt) {
  const auto stored = pictures(60, 0);  // nothing to find
  const auto given = labels(60);
  ThreadPool pool(1);
  const std::size_t correct =
      FeatureProbe(stored, given, kNames, pool).correct(colour_features(16), view());
  EXPECT_LT(correct, 48u);
}

TEST(FeatureProbe, IsTheSameForAnyNumberOfThreads) {
  const auto stored = pictures(30, 3);
  const auto given = labels(30);
  ThreadPool one(1), three(3);
  EXPECT_EQ(FeatureProbe(stored, given, kNames, one).correct(colour_features(16), view()),
            FeatureProbe(stored, given, kNames, three).correct(colour_features(16), view()));
}

TEST(FeatureProbe, RefusesAClassWithTooFewPictures) {
  const auto stored = pictures(7, 3);
  const std::vector<int> given{0, 0, 0, 0, 0, 1, 1};
  ThreadPool pool(1);
  test::expect_error(ErrorKind::kBadInput, ::testing::HasSubstr("red"),
                     [&] { FeatureProbe(stored, given, kNames, pool); });
}

}  // namespace engraft::feature_probe_test
