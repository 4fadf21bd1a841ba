#include "engraft/train/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/rng.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/image/encode.h"
#include "engraft/train/sqlite.h"
#include "support/test_data.h"

namespace engraft::features_test {

namespace fs = std::filesystem;
using test::TemporaryFolder;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int kWidth = 12, kHeight = 8;
constexpr std::int64_t kFeatures = 5;

/// A convolution, ReLU6 and the mean of each channel.
Network small_network(std::uint64_t seed = 1) {
  GraphBuilder builder(Shape{kHeight, kWidth, 3});
  ValueId x = builder.conv("conv", builder.input(), {.channels = kFeatures, .kernel = 3});
  x = builder.apply(Op::kRelu6, "relu", x);
  x = builder.apply(Op::kGlobalAveragePool, "pool", x);
  Network network{builder.finish(x), {}};
  Tensor kernel(Shape{3, 3, 3, kFeatures});
  Rng rng(seed);
  for (float& w : kernel.values()) w = rng.normal();
  network.weights.set("conv/kernel", std::move(kernel));
  return network;
}

Image random_image(Size size, std::uint64_t seed) {
  Image image(size.width, size.height);
  Rng rng(seed);
  const std::uint32_t level = rng.below(200);
  for (auto& value : image.pixels) value = static_cast<std::uint8_t>(level + rng.below(56));
  return image;
}

/// Watches that the rules of Progress are kept.
class Watch : public Progress {
 public:
  void begin(std::string_view, std::int64_t total, std::string_view) override {
    ++begins;
    expected = total;
  }
  void update(std::int64_t done, std::string_view given) override {
    EXPECT_EQ(inside.fetch_add(1), 0) << "two threads at once";
    detail = given;
    EXPECT_EQ(done, last + 1);
    last = done;
    if (done == stop_at) source.request_stop();
    inside.fetch_sub(1);
  }
  void end() override { ++ends; }
  void note(std::string_view line) override { notes.emplace_back(line); }

  int begins = 0, ends = 0;
  std::int64_t expected = 0, last = 0, stop_at = -1;
  std::atomic<int> inside{0};
  std::vector<std::string> notes;
  std::string detail;
  std::stop_source source;
};

class ExtractFeatures : public testing::Test {
 protected:
  ExtractFeatures() {
    request_.base = &network_;
    request_.preprocessing.width = kWidth;
    request_.preprocessing.height = kHeight;
    for (int i = 0; i < 23; ++i) {
      const Size size{10 + i % 7, 9 + i % 5};
      add("picture" + std::to_string(i) + ".png",
          encode_png(random_image(size, static_cast<std::uint64_t>(i))));
    }
  }

  void add(const std::string& name, std::span<const std::byte> bytes) {
    paths_.push_back(folder_ / name);
    write_file_atomic(paths_.back(), bytes);
  }
  void add(const std::string& name, std::string_view text) {
    add(name, std::as_bytes(std::span(text)));
  }

  Features extract(int threads = 2) {
    ThreadPool pool(threads);
    return extract_features(request_, paths_, pool, watch_);
  }
  Tensor views(int count, std::uint64_t seed = 1, int threads = 2) {
    ThreadPool pool(threads);
    NoProgress progress;
    return extract_views(request_, paths_, count, seed, pool, progress);
  }
  [[nodiscard]] std::int64_t cached_rows() const {
    return sqlite::Database(request_.cache).integer("SELECT count(*) FROM pictures");
  }

  TemporaryFolder folder_;
  Network network_ = small_network();
  FeatureRequest request_;
  std::vector<fs::path> paths_;
  Watch watch_;
};

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_F(ExtractFeatures, AreTheNetworksOutputForTheFittedPicture) {
  GraphBuilder builder(Shape{kHeight, kWidth, 3});
  const ValueId mean = builder.apply(Op::kGlobalAveragePool, "pool", builder.input());
  const Network means{builder.finish(mean), {}};
  request_.base = &means;
  const Features features = extract();
  ASSERT_EQ(features.values.shape(), (Shape{23, 3}));
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    const Image fitted = fit(read_image(paths_[i]), request_.preprocessing);
    for (std::size_t c = 0; c < 3; ++c) {
      double sum = 0;
      for (std::size_t p = c; p < fitted.pixels.size(); p += 3) sum += fitted.pixels[p];
      const double expected = sum / (kWidth * kHeight) / 127.5 - 1;
      EXPECT_NEAR(features.values.row(static_cast<std::int64_t>(i))[c], expected, 1e-5);
    }
  }
}

TEST_F(ExtractFeatures, HaveTheSameBitsForAnyNumberOfThreads) {
  const Features one = extract(1);
  for (const int threads : {2, 3, 5}) {
    watch_.last = 0;
    const Features many = extract(threads);
    EXPECT_TRUE(same_bits(one.values, many.values));
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      EXPECT_EQ(one.pictures[i].pixels, many.pictures[i].pixels);
    }
  }
}

TEST_F(ExtractFeatures, OfAPictureDoNotDependOnTheOthers) {
  const Features all = extract();
  const std::vector<fs::path> before = paths_;
  for (const std::size_t i : {0u, 6u, 22u}) {
    paths_ = {before[i]};
    watch_.last = 0;
    const Features alone = extract();
    EXPECT_TRUE(
        std::ranges::equal(alone.values.values(), all.values.row(static_cast<std::int64_t>(i))));
  }
}

TEST_F(ExtractFeatures, KeepTheRulesOfProgress) {
  add("broken.png", "no picture");
  (void)extract(3);
  EXPECT_EQ(watch_.begins, 1);
  EXPECT_EQ(watch_.ends, 1);
  EXPECT_EQ(watch_.expected, 24);
  EXPECT_EQ(watch_.last, 24);
  EXPECT_THAT(watch_.notes, IsEmpty());
}

TEST_F(ExtractFeatures, SayWhatTakesTheTime) {
  request_.cache = folder_ / "cache.sqlite";
  (void)extract();
  EXPECT_THAT(watch_.detail, AnyOf(HasSubstr("reading pictures ("), HasSubstr("the network (")));
  watch_.last = 0;
  (void)extract();  // all from the cache
  EXPECT_EQ(watch_.detail, "");
}

TEST_F(ExtractFeatures, APictureThatCannotBeReadDoesNotStopTheRest) {
  const Features sound = extract();
  add("text.jpg", "this is a text, not a picture");
  add("empty.jpg", "");
  const Bytes whole = read_file(paths_[0]);
  add("cut.png", std::span(whole).first(whole.size() / 2));
  paths_.push_back(folder_ / "missing.png");
  fs::create_directory(folder_ / "folder.png");
  paths_.push_back(folder_ / "folder.png");
  for (const bool cached : {false, true, true}) {
    if (cached) request_.cache = folder_ / "cache";
    watch_.last = 0;
    const Features features = extract(3);
    for (std::size_t i = 0; i < 23; ++i) EXPECT_THAT(features.pictures[i].error, IsEmpty());
    for (std::size_t i = 23; i < 28; ++i) {
      const std::string& error = features.pictures[i].error;
      EXPECT_THAT(error, AllOf(Not(IsEmpty()), Not(HasSubstr("\n")),
                               Not(HasSubstr(folder_.path().string()))));
      for (const float x : features.values.row(static_cast<std::int64_t>(i))) EXPECT_EQ(x, 0);
    }
    EXPECT_TRUE(std::ranges::equal(sound.values.values(),
                                   features.values.values().first(sound.values.size())));
  }
}

TEST_F(ExtractFeatures, TellExactDuplicatesByTheirPixels) {
  add("copy.png", read_file(paths_[3]));
  const Bytes original = read_file(paths_[4]);
  Bytes longer = original;
  longer.push_back(std::byte{0});  // other bytes, the same picture
  add("longer.png", longer);
  const Features features = extract();
  EXPECT_EQ(features.pictures[23].content, features.pictures[3].content);
  EXPECT_EQ(features.pictures[23].pixels, features.pictures[3].pixels);
  EXPECT_NE(features.pictures[24].content, features.pictures[4].content);
  EXPECT_EQ(features.pictures[24].pixels, features.pictures[4].pixels);
  EXPECT_NE(features.pictures[3].pixels, features.pictures[4].pixels);
  EXPECT_EQ(features.pictures[4].content, sha256(original));
}

TEST_F(ExtractFeatures, ComeFromTheCacheTheSecondTime) {
  request_.cache = folder_ / "cache";
  const Features first = extract();
  watch_.last = 0;
  const Features second = extract();
  EXPECT_EQ(first.from_cache, 0u);
  EXPECT_EQ(second.from_cache, 23u);
  EXPECT_TRUE(same_bits(first.values, second.values));
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    EXPECT_EQ(first.pictures[i].content, second.pictures[i].content);
    EXPECT_EQ(first.pictures[i].pixels, second.pictures[i].pixels);
  }
  EXPECT_EQ(watch_.last, 23);
}

TEST_F(ExtractFeatures, AreComputedForNewPicturesOnly) {
  request_.cache = folder_ / "cache";
  (void)extract();
  add("new.png", encode_png(random_image({20, 20}, 99)));
  fs::rename(paths_[5], folder_ / "renamed.png");
  paths_[5] = folder_ / "renamed.png";
  watch_.last = 0;
  EXPECT_EQ(extract().from_cache, 23u);
}

TEST_F(ExtractFeatures, AreNotTakenFromAnotherNetworksOrPreprocessingsEntries) {
  request_.cache = folder_ / "cache";
  (void)extract();
  const auto from_cache = [&] {
    watch_.last = 0;
    return extract().from_cache;
  };
  const FeatureRequest original = request_;
  request_.preprocessing.interpolation = Interpolation::kNearest;
  EXPECT_EQ(from_cache(), 0u);
  request_ = original;
  request_.orientation = Orientation::kAsStored;
  EXPECT_EQ(from_cache(), 0u);
  request_ = original;
  const Network other = small_network(2);
  request_.base = &other;
  EXPECT_EQ(from_cache(), 0u);
  request_ = original;
  EXPECT_EQ(from_cache(), 23u);
}

TEST_F(ExtractFeatures, AreMadeWithoutACacheThatCannotBe) {
  const Features plain = extract();
  request_.cache = paths_[0] / "below" / "a file";
  watch_.last = 0;
  const Features features = extract();
  EXPECT_TRUE(same_bits(plain.values, features.values));
  ASSERT_EQ(watch_.notes.size(), 1u);
  EXPECT_THAT(watch_.notes[0], HasSubstr("features are not kept"));
}

TEST_F(ExtractFeatures, KeepWhatWasComputedBeforeAStop) {
  request_.cache = folder_ / "cache";
  for (int i = 23; i < 60; ++i) {
    add("more" + std::to_string(i),
        encode_png(random_image({9, 9}, static_cast<std::uint64_t>(i))));
  }
  watch_.stop_at = 10;
  ThreadPool pool(2);
  try {
    (void)extract_features(request_, paths_, pool, watch_, watch_.source.get_token());
    FAIL() << "not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
  EXPECT_EQ(watch_.ends, 1);
  const auto kept = static_cast<std::size_t>(watch_.last);
  EXPECT_GE(kept, 10u);
  EXPECT_LT(kept, 60u);
  watch_.last = 0;
  EXPECT_EQ(extract().from_cache, kept);
}

TEST_F(ExtractFeatures, OfNoPicturesAreNone) {
  paths_.clear();
  request_.cache = folder_ / "cache";
  EXPECT_EQ(extract().values.shape(), (Shape{0, kFeatures}));
}

TEST_F(ExtractFeatures, RefuseAPreprocessingOfAnotherSize) {
  request_.preprocessing.width = kWidth + 1;
  try {
    (void)extract();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("[8,12,3]"));
  }
}

TEST_F(ExtractFeatures, ViewsOfAPictureStandTogether) {
  paths_.resize(5);
  const Tensor three = views(3), one = views(1);
  ASSERT_EQ(three.shape(), (Shape{15, kFeatures}));
  for (std::int64_t p = 0; p < 5; ++p) {
    EXPECT_TRUE(std::ranges::equal(three.row(p * 3), one.row(p)));
    EXPECT_FALSE(std::ranges::equal(three.row(p * 3), three.row(p * 3 + 1)));
  }
}

TEST_F(ExtractFeatures, ViewsHaveTheSameBitsForAnyNumberOfThreadsCachedOrNot) {
  const Tensor one = views(3, 1, 1);
  EXPECT_TRUE(same_bits(one, views(3, 1, 4)));
  request_.cache = folder_ / "cache";
  EXPECT_TRUE(same_bits(one, views(3, 1, 3)));
  EXPECT_TRUE(same_bits(one, views(3, 1, 2)));
}

TEST_F(ExtractFeatures, ViewsAreDrawnFromTheSeedAndTheContentNotThePath) {
  paths_.resize(4);
  const Tensor original = views(2);
  EXPECT_FALSE(same_bits(original, views(2, 2)));
  fs::rename(paths_[1], folder_ / "elsewhere.png");
  paths_[1] = folder_ / "elsewhere.png";
  EXPECT_TRUE(same_bits(original, views(2)));
}

TEST_F(ExtractFeatures, ViewsAreKeptBesideThePlainPictures) {
  request_.cache = folder_ / "cache";
  (void)extract();
  EXPECT_EQ(cached_rows(), 23);
  (void)views(2);
  EXPECT_EQ(cached_rows(), 23 * 3);
  (void)views(3);
  EXPECT_EQ(cached_rows(), 23 * 4);
  watch_.last = 0;
  EXPECT_EQ(extract().from_cache, 23u);
}

TEST_F(ExtractFeatures, ViewsOfAnUnreadablePictureAreAnErrorThatNamesIt) {
  add("broken.png", "no picture");
  try {
    (void)views(2);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    EXPECT_THAT(error.what(), HasSubstr("broken.png: "));
  }
  EXPECT_THROW((void)views(0), Error);
}

}  // namespace engraft::features_test
