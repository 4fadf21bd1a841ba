#include "engraft/model/classifier.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "../support/errors.h"
#include "../support/test_data.h"
#include "engraft/image/encode.h"
#include "small_model.h"

namespace engraft::classifier_test {

namespace fs = std::filesystem;
using test::expect_error;
using test::small_model;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Image noise(std::uint64_t seed, Size size = {40, 30}) {
  Image image(size.width, size.height);
  Rng rng(seed);
  for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

std::vector<float> in_class_order(const std::vector<Prediction>& all) {
  std::vector<float> probabilities(all.size());
  for (const Prediction& one : all) {
    probabilities[static_cast<std::size_t>(one.index)] = one.probability;
  }
  return probabilities;
}

class Classifying : public testing::Test {
 protected:
  std::vector<fs::path> write_pictures(std::size_t count) {
    std::vector<fs::path> paths;
    for (std::size_t i = 0; i < count; ++i) {
      paths.push_back(folder / fmt::format("{}.png", i));
      write_file_atomic(paths.back(), encode_png(noise(i)));
    }
    return paths;
  }

  test::TemporaryFolder folder;
  Classifier classifier{small_model({"a", "b", "c", "d", "e"})};
};

TEST_F(Classifying, RanksLabelsByProbability) {
  const auto all = classifier.classify(noise(1), 0);
  ASSERT_EQ(all.size(), 5u);
  double sum = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    sum += all[i].probability;
    if (i > 0) {
      EXPECT_GE(all[i - 1].probability, all[i].probability);
    }
    EXPECT_EQ(all[i].label, std::string(1, static_cast<char>('a' + all[i].index)));
  }
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_EQ(classifier.classify(noise(1), 2).size(), 2u);
  EXPECT_EQ(classifier.classify(noise(1), 99).size(), 5u);
  EXPECT_EQ(classifier.classify(noise(1)).size(), 5u);
}

TEST_F(Classifying, BytesFilesAndPixelsGiveTheSame) {
  const Image image = noise(2);
  const Bytes png = encode_png(image);
  write_file_atomic(folder / "picture.txt", png);
  const auto pixels = in_class_order(classifier.classify(image, 0));
  EXPECT_EQ(in_class_order(classifier.classify(png, 0)), pixels);
  EXPECT_EQ(in_class_order(classifier.classify_file(folder / "picture.txt", 0)), pixels);
}

TEST_F(Classifying, APictureGetsTheSameBitsAloneAndAmongMany) {
  const auto paths = write_pictures(11);
  const auto outcomes = classifier.classify_files(paths);
  ASSERT_EQ(outcomes.size(), 11u);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto alone = in_class_order(classifier.classify_file(paths[i], 0));
    EXPECT_EQ(outcomes[i].probabilities, alone) << i;
  }
}

TEST_F(Classifying, ManyPicturesGiveTheSameBitsOnAnyNumberOfThreads) {
  const auto paths = write_pictures(10);
  const auto expected = classifier.classify_files(paths);
  for (const int threads : {1, 2, 3}) {
    const Classifier other(small_model({"a", "b", "c", "d", "e"}), {.threads = threads});
    const auto outcomes = other.classify_files(paths);
    for (std::size_t i = 0; i < paths.size(); ++i) {
      EXPECT_EQ(outcomes[i].probabilities, expected[i].probabilities) << threads;
    }
    EXPECT_EQ(other.classify_files(std::span(paths).last(1))[0].probabilities,
              expected.back().probabilities);
  }
}

TEST_F(Classifying, ATextFileNamedJpgDoesNotDisturbTheOthers) {
  auto paths = write_pictures(6);
  write_file_atomic(folder / "text.jpg", std::string_view("not a picture at all"));
  write_file_atomic(folder / "empty.jpg", std::string_view());
  paths.insert(paths.begin() + 2,
               {folder / "text.jpg", folder / "gone.jpg", folder.path(), folder / "empty.jpg"});
  std::vector<std::size_t> done;
  const auto outcomes = classifier.classify_files(paths, [&](std::size_t n) { done.push_back(n); });
  ASSERT_EQ(outcomes.size(), 10u);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const bool bad = i >= 2 && i < 6;
    EXPECT_EQ(outcomes[i].error.empty(), !bad) << i;
    EXPECT_EQ(outcomes[i].probabilities.size(), bad ? 0u : 5u) << i;
    EXPECT_EQ(outcomes[i].error.find(folder.path().string()), std::string::npos)
        << "the path is the caller's to show: " << outcomes[i].error;
  }
  EXPECT_THAT(done, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_EQ(outcomes[9].probabilities, classifier.classify_files(paths)[9].probabilities);
}

TEST_F(Classifying, AnOutcomeSaysWhatKindOfErrorItWas) {
  write_file_atomic(folder / "text.jpg", std::string_view("not a picture at all"));
  const std::vector<fs::path> paths{folder / "gone.jpg", folder / "text.jpg", folder.path()};
  const auto outcomes = classifier.classify_files(paths);
  EXPECT_EQ(outcomes[0].kind, ErrorKind::kNotFound);
  EXPECT_EQ(outcomes[1].kind, ErrorKind::kBadInput);
  EXPECT_EQ(outcomes[2].kind, ErrorKind::kIo);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    expect_error(outcomes[i].kind, HasSubstr(outcomes[i].error),
                 [&] { (void)classifier.classify_file(paths[i]); });
  }
}

TEST_F(Classifying, AnOutcomeHasTheDigestOfEveryFileThatCouldBeRead) {
  auto paths = write_pictures(6);
  write_file_atomic(folder / "text.jpg", std::string_view("not a picture at all"));
  write_file_atomic(folder / "copy.png", read_file(paths[0]));
  paths.insert(paths.end(), {folder / "text.jpg", folder / "copy.png", folder / "gone.jpg"});
  const auto outcomes = classifier.classify_files(paths);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(outcomes[i].content, sha256(read_file(paths[i]))) << i;
  }
  EXPECT_EQ(outcomes[7].content, outcomes[0].content);
  EXPECT_EQ(outcomes[8].content, Digest{});
}

TEST_F(Classifying, ErrorsOfOneFileBeginWithItsPath) {
  write_file_atomic(folder / "text.jpg", std::string_view("not a picture at all"));
  expect_error(ErrorKind::kBadInput, testing::StartsWith((folder / "text.jpg").string()),
               [&] { (void)classifier.classify_file(folder / "text.jpg"); });
  expect_error(ErrorKind::kNotFound, testing::StartsWith((folder / "gone.jpg").string()),
               [&] { (void)classifier.classify_file(folder / "gone.jpg"); });
  EXPECT_THROW((void)classifier.classify(Bytes{}), Error);
  expect_error(ErrorKind::kUsage, HasSubstr("no pixels"),
               [&] { (void)classifier.classify(Image()); });
}

TEST_F(Classifying, NothingToClassifyIsNoError) {
  EXPECT_TRUE(classifier.classify_files({}).empty());
}

TEST_F(Classifying, AStopEndsTheWork) {
  const auto paths = write_pictures(40);
  std::stop_source source;
  expect_error(ErrorKind::kCancelled, HasSubstr("stopped"), [&] {
    (void)classifier.classify_files(
        paths, [&](std::size_t) { source.request_stop(); }, source.get_token());
  });
  EXPECT_EQ(classifier.classify_files(paths).size(), 40u) << "usable afterwards";
}

TEST_F(Classifying, ManyThreadsMayUseOneClassifier) {
  const auto paths = write_pictures(5);
  const auto expected = in_class_order(classifier.classify(noise(3), 0));
  const auto expected_many = classifier.classify_files(paths);
  Classifier fresh(small_model({"a", "b", "c", "d", "e"}));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(in_class_order(fresh.classify(noise(3), 0)), expected);
        if (t % 2 == 0) {
          EXPECT_EQ(fresh.classify_files(paths)[4].probabilities, expected_many[4].probabilities);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Classifying, TheModelsOwnPreprocessingIsUsed) {
  Model squash = small_model({"a", "b", "c"});
  Model crop = squash;
  crop.preprocessing.mode = ResizeMode::kCrop;
  const Image wide = noise(4, {90, 30});
  EXPECT_NE(in_class_order(Classifier(squash).classify(wide, 0)),
            in_class_order(Classifier(crop).classify(wide, 0)));
}

TEST_F(Classifying, RankBreaksTiesByIndexAndPutsNanLast) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> probabilities{0.1f, nan, 0.4f, 0.1f, 0.4f};
  std::vector<int> order;
  for (const Prediction& one : classifier.rank(probabilities, 0)) order.push_back(one.index);
  EXPECT_THAT(order, ElementsAre(2, 4, 0, 3, 1));
  expect_error(ErrorKind::kUsage, HasSubstr("4 probabilities for 5 labels"),
               [&] { (void)classifier.rank(std::span(probabilities).first(4), 1); });
}

TEST_F(Classifying, ABaseWithoutATopHasNothingToSay) {
  const Classifier base(small_model({}));
  EXPECT_TRUE(base.model().labels.empty());
  expect_error(ErrorKind::kUsage, HasSubstr("no classes"), [&] { (void)base.classify(noise(1)); });
  expect_error(ErrorKind::kUsage, HasSubstr("no classes"), [&] { (void)base.classify_files({}); });
}

TEST_F(Classifying, ASavedModelClassifiesTheSame) {
  save_model(classifier.model(), folder / "model.onnx");
  const Classifier loaded(folder / "model.onnx");
  EXPECT_EQ(in_class_order(loaded.classify(noise(5), 0)),
            in_class_order(classifier.classify(noise(5), 0)));
}

TEST_F(Classifying, ImpossibleThreadsAreRefused) {
  expect_error(ErrorKind::kUsage, HasSubstr("-1 threads"), [] {
    const Classifier none(small_model({"a", "b"}), {.threads = -1});
  });
}

}  // namespace engraft::classifier_test
