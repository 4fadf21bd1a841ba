// Models with ranges: what their files say, and what runs them in 8-bit integers.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/errors.h"
#include "../support/test_data.h"
#include "engraft/base/file.h"
#include "engraft/base/rng.h"
#include "engraft/formats/onnx.h"
#include "engraft/image/encode.h"
#include "engraft/model/calibrate_model.h"
#include "engraft/model/classifier.h"
#include "small_model.h"

namespace engraft::int8_model_test {

namespace fs = std::filesystem;
using test::expect_error;
using test::kSmallSize;
using test::small_model;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class Int8Model : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 6; ++i) {
      Image image(kSmallSize, kSmallSize);
      Rng rng(static_cast<std::uint64_t>(i), 1);
      for (auto& value : image.pixels) value = static_cast<std::uint8_t>(rng.below(256));
      pictures_.push_back(folder_ / fmt::format("{}.png", i));
      write_file_atomic(pictures_.back(), encode_png(image));
    }
  }
  [[nodiscard]] Model calibrated(int threads = 1) const {
    Model model = small_model({"clean", "dirty"});
    ThreadPool pool(threads);
    give_ranges(model, Orientation::kUpright, pictures_, pool);
    model.precision = Precision::kInt8;
    return model;
  }
  /// Refused after that is in the metadata of a good file; no value: the key is missing.
  void expect_refused(const std::map<std::string, std::optional<std::string>>& metadata,
                      const std::string& why) {
    save_model(calibrated(), path_);
    OnnxModel file = read_onnx(read_file(path_), path_.string());
    for (const auto& [key, value] : metadata) {
      file.metadata.erase(key);
      if (value) file.metadata[key] = *value;
    }
    write_file_atomic(path_, write_onnx(file));
    expect_error(ErrorKind::kBadInput, AllOf(StartsWith(path_.string() + ": "), HasSubstr(why)),
                 [&] { (void)load_model(path_); });
  }
  [[nodiscard]] std::vector<std::vector<float>> answers(const Model& model,
                                                        const ClassifierOptions& options) const {
    const Classifier classifier(model, options);
    std::vector<std::vector<float>> rows;
    for (const auto& outcome : classifier.classify_files(pictures_)) {
      EXPECT_EQ(outcome.error, "");
      rows.push_back(outcome.probabilities);
    }
    return rows;
  }

  test::TemporaryFolder folder_;
  fs::path path_ = folder_ / "model.onnx";
  std::vector<fs::path> pictures_;
};

TEST_F(Int8Model, RoundTripsRangesAndPrecision) {
  Model model = calibrated();
  ASSERT_FALSE(model.ranges.empty());
  for (const Precision precision : kPrecisions) {
    model.precision = precision;
    save_model(model, path_);
    const Model loaded = load_model(path_);
    EXPECT_EQ(loaded.ranges, model.ranges);
    EXPECT_EQ(loaded.precision, precision);
    save_model(loaded, folder_ / "again.onnx");
    EXPECT_EQ(read_file(path_), read_file(folder_ / "again.onnx"));
  }
}

TEST_F(Int8Model, AFileWithoutRangesSaysNothingOfPrecision) {
  save_model(small_model({"a", "b"}), path_);
  const auto metadata = read_onnx(read_file(path_), "model").metadata;
  EXPECT_FALSE(metadata.contains("precision"));
  EXPECT_FALSE(metadata.contains("activation_ranges"));
  EXPECT_EQ(load_model(path_).precision, Precision::kFloat32);
}

TEST_F(Int8Model, DamagedRangesAreRefused) {
  for (const char* bounds :
       {"[NaN, 1]", "[0, 1", "[-1e999, 1]", "", "[[0, 1]", "nonsense", "{\"a\": }"}) {
    expect_refused({{"activation_ranges", fmt::format("{{\"a\": {}}}", bounds)}}, "is damaged");
  }
  for (const char* bounds :
       {"[\"0\", \"1\"]", "[1, -1]", "[2, 1]", "[-2, -1]", "[1, 2]", "[0]", "[0, 1, 2]", "null",
        "[null, 1]", "7", "{}", "[true, false]", "[0, 1e39]", "[-1e300, 0]", "[-3e38, 3e38]"}) {
    expect_refused({{"activation_ranges", fmt::format("{{\"a\": {}}}", bounds)}},
                   "\"a\" is no range [low, high] around 0");
  }
  expect_refused({{"activation_ranges", "[]"}}, "is not an object");
  expect_refused({{"activation_ranges", std::string(100'000, '[')}}, "is damaged");
}

TEST_F(Int8Model, APrecisionThatIsMissingUnknownOrWithoutRangesIsRefused) {
  expect_refused({{"precision", std::nullopt}}, "lacks \"precision\"");
  for (const char* other : {"int4", "", "INT8", "float16\n"}) {
    expect_refused({{"precision", other}}, "none that engraft knows");
  }
  expect_refused({{"activation_ranges", "{}"}}, "no ranges are known");
  Model model = calibrated();
  model.ranges.clear();
  expect_error(ErrorKind::kUsage, HasSubstr("no ranges are known"),
               [&] { save_model(model, path_); });
}

TEST_F(Int8Model, RangesOfOtherValuesChangeNothing) {
  Model model = calibrated();
  model.ranges = {{"of nothing there", {.low = -1, .high = 1}}};
  save_model(model, path_);
  EXPECT_EQ(answers(load_model(path_), {}), answers(model, {.precision = Precision::kFloat32}));
}

TEST_F(Int8Model, IsRunInItsOwnPrecisionUnlessAnotherIsAsked) {
  Model model = calibrated();
  const auto in_int8 = answers(model, {});
  const auto in_floats = answers(model, {.precision = Precision::kFloat32});
  EXPECT_NE(in_int8, in_floats);
  for (std::size_t i = 0; i < in_int8.size(); ++i) EXPECT_NEAR(in_int8[i][0], in_floats[i][0], 0.1);
  model.precision = Precision::kFloat32;
  EXPECT_EQ(answers(model, {}), in_floats);
  EXPECT_EQ(answers(model, {.precision = Precision::kInt8}), in_int8);
}

TEST_F(Int8Model, SameBitsAloneAmongManyAndOnAnyNumberOfThreads) {
  const Model model = calibrated();
  EXPECT_EQ(calibrated(3).ranges, model.ranges);
  const auto one = answers(model, {.threads = 1});
  EXPECT_EQ(answers(model, {.threads = 3}), one);
  const Classifier classifier(model, {.threads = 2});
  for (std::size_t i = 0; i < pictures_.size(); ++i) {
    const auto best = classifier.classify_file(pictures_[i], 1).front();
    EXPECT_EQ(best.probability, one[i][static_cast<std::size_t>(best.index)]);
  }
}

TEST_F(Int8Model, CalibrationSpreadsOverThePicturesAndPassesOverBadOnes) {
  Model model = small_model({"clean", "dirty"});
  ThreadPool pool(2);
  std::vector<fs::path> many(10 * kCalibrationPictures, pictures_[0]);
  const auto of = [&](const std::vector<fs::path>& paths) {
    give_ranges(model, Orientation::kUpright, paths, pool);
    return model.ranges;
  };
  const ActivationRanges one = of({pictures_[0]});
  EXPECT_EQ(of(many), one);
  many[1] = pictures_[1];  // not among those looked at
  EXPECT_EQ(of(many), one);
  many[10 * (kCalibrationPictures - 1)] = pictures_[2];
  EXPECT_NE(of(many), one);
  EXPECT_EQ(of({folder_ / "none.png", pictures_[0]}), one);
  expect_error(ErrorKind::kBadInput, HasSubstr("none could be read"),
               [&] { (void)of({folder_ / "none.png"}); });
  expect_error(ErrorKind::kBadInput, HasSubstr("none could be read"), [&] { (void)of({}); });
}

}  // namespace engraft::int8_model_test
