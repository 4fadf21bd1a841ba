#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "engraft/base/file.h"
#include "engraft/train/fine_tune.h"
#include "support/errors.h"
#include "train/tiny_pictures.h"

namespace engraft::fine_tune_usage_test {

using test::expect_error;
using test::TinyTraining;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Each of the values is refused by check() and by FineTuner, with a message that names the option.
template <typename T>
void expect_out_of_range(const char* name, T FineTuneOptions::*option,
                         const std::vector<T>& values) {
  ThreadPool pool(1);
  for (const T value : values) {
    SCOPED_TRACE(::testing::Message() << name << " " << value);
    TinyTraining training;
    training.spec.options.*option = value;
    expect_error(ErrorKind::kUsage, HasSubstr(name), [&] { check(training.spec.options); });
    expect_error(ErrorKind::kUsage, HasSubstr(name), [&] { training.tuner(pool); });
    expect_error(ErrorKind::kUsage, HasSubstr(name), [&] {
      static_cast<void>(training_memory(training.network, training.spec.options, pool));
    });
  }
}

TEST(FineTuneOptions, OutOfRangeAreRefusedByName) {
  using O = FineTuneOptions;
  const auto outside_0_1 = std::vector<float>{-0.1f, 1, 2, kNan, kInfinity};
  expect_out_of_range("epochs", &O::epochs, {0, -1, 100'001});
  expect_out_of_range("batch", &O::batch, {0, -8, 65537});
  expect_out_of_range("micro-batch", &O::micro_batch, {0, -1, 1025});
  expect_out_of_range("learning rate", &O::learning_rate,
                      {0.0f, -1.0f, 101.0f, 1e30f, kNan, kInfinity});
  expect_out_of_range("momentum", &O::momentum, outside_0_1);
  expect_out_of_range("weight decay", &O::weight_decay, {-1.0f, 1000.0f, kNan, kInfinity});
  expect_out_of_range("layer decay", &O::layer_decay, {0.0f, -1.0f, 1.1f, kNan});
  expect_out_of_range("warm-up", &O::warmup, outside_0_1);
  expect_out_of_range("gradient norm", &O::clip, {-1.0f, kNan, kInfinity});
  expect_out_of_range("label smoothing", &O::label_smoothing, outside_0_1);
  expect_out_of_range("averaging decay", &O::ema, outside_0_1);
  expect_out_of_range("momentum of the statistics", &O::statistics_momentum, outside_0_1);
  expect_out_of_range("patience", &O::patience, {-1});
}

TEST(FineTuneOptions, AugmentationsOutOfRangeAreRefused) {
  FineTuneOptions options;
  options.augmentation.mirror = 2;
  expect_error(ErrorKind::kUsage, HasSubstr("mirror"), [&] { check(options); });
}

TEST(FineTuneOptions, TheDefaultsAndTheEdgesAreInRange) {
  FineTuneOptions options;
  EXPECT_NO_THROW(check(options));
  options.epochs = 100'000;
  options.batch = 65536;
  options.micro_batch = 1024;
  options.learning_rate = 100;
  options.momentum = options.weight_decay = options.warmup = options.ema = 0;
  options.layer_decay = 1;
  EXPECT_NO_THROW(check(options));
}

class FineTuneSpecTest : public ::testing::Test {
 protected:
  template <typename Matcher>
  void expect_refused(const Matcher& message) {
    expect_error(ErrorKind::kUsage, message, [&] { training.tuner(pool); });
  }

  TinyTraining training;
  ThreadPool pool{1};
};

TEST_F(FineTuneSpecTest, LayersThatDoNotExistAreRefused) {
  for (const char* from : {"block_17", "blok_13", "", "block_1_", "1000", "-1", "13.5"}) {
    SCOPED_TRACE(from);
    training.spec.options.from = from;
    expect_refused(::testing::_);
  }
}

TEST_F(FineTuneSpecTest, LabelsOutOfRangeAreRefused) {
  for (const int label :
       {-1, 3, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    std::vector<int> labels(training.spec.train.labels.begin(), training.spec.train.labels.end());
    labels[5] = label;
    const auto message = AllOf(HasSubstr("label " + std::to_string(label)), HasSubstr("3 classes"));
    TinyTraining training_labels;
    training_labels.spec.train.labels = labels;
    training_labels.spec.options.balance = Balance::kSampling;
    expect_error(ErrorKind::kUsage, AllOf(message, HasSubstr("training picture 5")),
                 [&] { training_labels.tuner(pool); });
    TinyTraining validation_labels;
    validation_labels.spec.validation = {.pictures = training.spec.train.pictures,
                                         .labels = labels};
    expect_error(ErrorKind::kUsage, AllOf(message, HasSubstr("validation picture 5")),
                 [&] { validation_labels.tuner(pool); });
  }
}

TEST_F(FineTuneSpecTest, EachPictureNeedsALabel) {
  training.spec.train.labels = training.spec.train.labels.first(17);
  expect_refused(HasSubstr("17 labels for 18 training pictures"));
}

TEST_F(FineTuneSpecTest, WithoutPicturesNothingIsTrained) {
  training.spec.train = {};
  expect_refused(HasSubstr("no pictures"));
}

TEST_F(FineTuneSpecTest, WithoutANetworkOrASourceNothingIsTrained) {
  training.spec.network = nullptr;
  expect_refused(HasSubstr("no network"));
  training.spec.network = &training.network;
  training.spec.source = nullptr;
  expect_refused(HasSubstr("no pictures"));
}

TEST_F(FineTuneSpecTest, ANetworkWithoutAHeadIsRefused) {
  training.network.graph = mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = 0});
  expect_refused(HasSubstr("needs a head"));
}

TEST_F(FineTuneSpecTest, PicturesOfAnotherSizeThanTheNetworksAreRefused) {
  training.spec.preprocessing.width = 64;
  expect_refused(AllOf(HasSubstr("[32,32,3]"), HasSubstr("[32,64,3]")));
}

TEST_F(FineTuneSpecTest, APictureThatCannotBeDecodedIsNamed) {
  const test::TemporaryFolder folder;
  const std::vector<std::filesystem::path> paths{folder / "broken.png", folder / "missing.png"};
  write_file_atomic(paths[0], "no picture");
  PictureSource source(paths, {});
  training.spec.source = &source;
  const std::vector<int> labels{0};
  for (const std::size_t i : {0u, 1u}) {
    const std::vector<std::size_t> pictures{i};
    for (const char* from : {"all", "last"}) {
      training.spec.options.from = from;
      training.spec.train = {.pictures = pictures, .labels = labels};
      training.spec.validation = {};
      const auto tuner = training.tuner(pool);
      try {
        tuner->step();
        ADD_FAILURE() << "no error was thrown";
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), StartsWith(paths[i].string() + ": "));
      }
      EXPECT_EQ(tuner->steps_done(), 0);
    }
  }
}

}  // namespace engraft::fine_tune_usage_test
