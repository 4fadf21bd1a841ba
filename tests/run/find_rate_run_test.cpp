#include "engraft/run/find_rate_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engraft/base/file.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/image/decode.h"
#include "engraft/image/encode.h"
#include "engraft/model/model.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::find_rate_run_test {

namespace fs = std::filesystem;
using test::expect_error;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr int kSide = 32;

/// Two classes: noise around a dark and around a bright grey.
void write_pictures(const fs::path& folder, int each) {
  for (int label = 0; label < 2; ++label) {
    for (int i = 0; i < each; ++i) {
      Image image(kSide, kSide);
      Rng rng(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(label));
      for (auto& value : image.pixels) {
        value = static_cast<std::uint8_t>(70 + 15 * label + static_cast<int>(rng.below(90)));
      }
      const fs::path name = folder / (label ? "bright" : "dark") / (std::to_string(i) + ".png");
      write_file_atomic(name, encode_png(image));
    }
  }
}

class FindRateRun : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    write_pictures(*folder_ / "pictures", 12);
    Model model;
    model.network.graph = mobilenet_v2({.width = 0.35f, .image_size = kSide, .classes = 3});
    model.network.weights = random_weights(model.network.graph, 7);
    model.preprocessing.width = model.preprocessing.height = kSide;
    model.labels = {"a", "b", "c"};
    save_model(model, *folder_ / "base.onnx");
  }
  static void TearDownTestSuite() { folder_.reset(); }

  [[nodiscard]] FindRateRequest request() const {
    FindRateRequest request;
    request.train.pictures = *folder_ / "pictures";
    request.train.base = *folder_ / "base.onnx";
    request.train.training.epochs = 2;
    request.train.threads = 2;
    request.train.fine_tune.batch = 8;
    request.sweep.steps = 30;
    request.drawing = out_ / "rates.png";
    return request;
  }
  static FindRateSummary run(const FindRateRequest& request, const std::stop_token& stop = {}) {
    NoProgress progress;
    return find_rate_run(request, progress, stop);
  }

  inline static std::unique_ptr<TemporaryFolder> folder_;
  TemporaryFolder out_;
};

TEST_F(FindRateRun, TriesTheRatesAndDrawsTheLoss) {
  const FindRateSummary summary = run(request());
  EXPECT_EQ(summary.pictures, 20u);
  EXPECT_EQ(summary.drawing, out_ / "rates.png");
  ASSERT_GE(summary.test.points.size(), 3u);
  EXPECT_EQ(summary.test.points.front().rate, 1e-7f);
  EXPECT_EQ(summary.test.points.front().losses.now, summary.test.points.front().losses.at_start);
  const Image drawn = read_image(summary.drawing);
  EXPECT_GT(drawn.width, 600);
  EXPECT_EQ(std::distance(fs::directory_iterator(out_.path()), fs::directory_iterator()), 1);
}

TEST_F(FindRateRun, ComparesWithANetworkThatStaysWhatItIs) {
  // At rates that change nothing, both losses of every batch are the same bits.
  FindRateRequest still = request();
  still.sweep = {.low = 1e-30f, .high = 1e-29f, .steps = 20};
  const FindRateSummary summary = run(still);
  ASSERT_EQ(summary.test.points.size(), 20u);
  for (const RatePoint& point : summary.test.points) {
    EXPECT_EQ(point.losses.now, point.losses.at_start);
  }
  EXPECT_EQ(summary.suggestion.verdict, RateVerdict::kNeverFell);
  EXPECT_THAT(summary.verdict, HasSubstr("none to suggest"));
}

TEST_F(FindRateRun, SameBitsForAnyNumberOfThreads) {
  std::vector<FindRateSummary> runs;
  std::vector<Bytes> drawings;
  for (const int threads : {1, 2, 3}) {
    FindRateRequest with = request();
    with.train.threads = threads;
    with.drawing = out_ / (std::to_string(threads) + ".png");
    runs.push_back(run(with));
    drawings.push_back(read_file(with.drawing));
  }
  for (std::size_t i = 1; i < runs.size(); ++i) {
    ASSERT_EQ(runs[i].test.points.size(), runs[0].test.points.size());
    for (std::size_t p = 0; p < runs[0].test.points.size(); ++p) {
      EXPECT_EQ(runs[i].test.points[p].losses.now, runs[0].test.points[p].losses.now);
      EXPECT_EQ(runs[i].test.points[p].losses.at_start, runs[0].test.points[p].losses.at_start);
    }
    EXPECT_EQ(runs[i].suggestion.rate, runs[0].suggestion.rate);
    EXPECT_TRUE(drawings[i] == drawings[0]);
  }
}

TEST_F(FindRateRun, AnotherSeedGivesOtherBatches) {
  FindRateRequest other = request();
  other.train.fine_tune.seed = 5;
  other.drawing = out_ / "other.png";
  const RatePoint first = run(request()).test.points.front();
  EXPECT_NE(run(other).test.points.front().losses.now, first.losses.now);
}

TEST_F(FindRateRun, DrawsAnSvgWhereTheNameSaysSo) {
  FindRateRequest svg = request();
  svg.drawing = out_ / "rates.svg";
  EXPECT_THAT(read_text_file(run(svg).drawing), HasSubstr("<svg"));
}

TEST_F(FindRateRun, ReplacesADrawingOnlyWhereItIsTold) {
  FindRateRequest again = request();
  write_file_atomic(again.drawing, "somebody's own");
  expect_error(ErrorKind::kUsage,
               AllOf(HasSubstr("rates.png: is there already"), HasSubstr("--overwrite")),
               [&] { (void)run(again); });
  EXPECT_EQ(read_text_file(again.drawing), "somebody's own");
  again.on_existing = OnExisting::kReplace;
  EXPECT_GT(read_image(run(again).drawing).width, 600);
}

TEST_F(FindRateRun, LeavesNothingBehindWhenItIsStopped) {
  std::stop_source source;
  source.request_stop();
  expect_error(ErrorKind::kCancelled, HasSubstr("stopped"),
               [&] { (void)run(request(), source.get_token()); });
  EXPECT_TRUE(fs::is_empty(out_.path()));
}

TEST_F(FindRateRun, RefusesPicturesThatTeachNothing) {
  TemporaryFolder empty, one;
  fs::create_directories(one / "only");
  fs::copy(*folder_ / "pictures/dark", one / "only");
  FindRateRequest bad = request();
  bad.train.pictures = empty.path();
  expect_error(ErrorKind::kBadInput, HasSubstr(empty.path().string()), [&] { (void)run(bad); });
  bad.train.pictures = one.path();
  expect_error(ErrorKind::kBadInput, HasSubstr("two classes"), [&] { (void)run(bad); });
  EXPECT_TRUE(fs::is_empty(out_.path()));
}

TEST_F(FindRateRun, RefusesALayerThatIsNotThere) {
  FindRateRequest bad = request();
  bad.train.fine_tune.from = "block_99";
  expect_error(ErrorKind::kUsage, HasSubstr("block_99"), [&] { (void)run(bad); });
}

/// What change() makes of a good request is refused before any work, by the option's name.
template <typename Change>
void refused(const std::string& option, const Change& change) {
  FindRateRequest request;
  request.train.pictures = "/";
  validate(request);
  change(request);
  expect_error(ErrorKind::kUsage, StartsWith(option + " "), [&] { validate(request); });
}

TEST(FindRateRequest, IsRefusedForOptionsOutOfTheirRange) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const float low : {0.0f, -1.0f, 11.0f, kNan}) {
    refused("--min", [&](FindRateRequest& r) { r.sweep.low = low; });
  }
  for (const float high : {0.0f, 5e-7f, 101.0f, kNan}) {
    refused("--max", [&](FindRateRequest& r) { r.sweep.high = high; });
  }
  for (const int steps : {-1, 0, 19, 100'001}) {
    refused("--steps", [&](FindRateRequest& r) { r.sweep.steps = steps; });
  }
  for (const int batch : {-1, 0, 65537}) {
    refused("--tune-batch", [&](FindRateRequest& r) { r.train.fine_tune.batch = batch; });
  }
  for (const float decay : {-1.0f, 1.0f, kNan}) {
    refused("--tune-weight-decay",
            [&](FindRateRequest& r) { r.train.fine_tune.weight_decay = decay; });
  }
}

TEST(FindRateRequest, IsRefusedForADrawingThatCannotBe) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "folder.png");
  FindRateRequest request;
  request.train.pictures = "/";
  for (const char* name : {"rates.jpg", "rates", ".png", "rates.PNG.txt"}) {
    request.drawing = folder / name;
    expect_error(ErrorKind::kUsage, HasSubstr(".png or .svg"), [&] { validate(request); });
  }
  request.drawing = folder / "folder.png";
  request.on_existing = OnExisting::kReplace;
  expect_error(ErrorKind::kUsage, HasSubstr("is a folder"), [&] { validate(request); });
  request.drawing = folder / "new.svg";
  validate(request);
}

TEST(FindRateRequest, WantsAFolderThatIsThere) {
  FindRateRequest request;
  request.train.pictures = "/nowhere/photos";
  expect_error(ErrorKind::kNotFound, StartsWith("/nowhere/photos: "), [&] { validate(request); });
}

TEST(RateText, IsWhatOneWouldType) {
  EXPECT_EQ(rate_text(3e-4), "3e-4");
  EXPECT_EQ(rate_text(1.26e-5), "1.3e-5");
  EXPECT_EQ(rate_text(9.96e-4), "1e-3");
  EXPECT_EQ(rate_text(1e-30), "1e-30");
  EXPECT_EQ(rate_text(0.0994), "9.9e-2");
  EXPECT_EQ(rate_text(0.0996), "0.1");
  EXPECT_EQ(rate_text(0.123), "0.12");
  EXPECT_EQ(rate_text(1), "1");
  EXPECT_EQ(rate_text(100), "100");
}

}  // namespace engraft::find_rate_run_test
