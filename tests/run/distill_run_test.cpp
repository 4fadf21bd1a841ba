#include "engraft/run/distill_run.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <thread>

#include "engraft/base/file.h"
#include "engraft/base/rng.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/image/encode.h"
#include "engraft/model/model.h"
#include "engraft/run/distill_artifacts.h"
#include "engraft/run/distill_budget.h"
#include "engraft/run/unfinished.h"
#include "engraft/zoo/zoo.h"
#include "support/errors.h"
#include "support/random_weights.h"
#include "support/test_data.h"
#include "train/tiny_distillation.h"

namespace engraft::distill_run_test {

namespace fs = std::filesystem;
using test::expect_error;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kSide = 64;
constexpr int kFeatures = 16;

/// A quick teacher of three classes: a convolution, and the mean of its channels.
Model teacher() {
  GraphBuilder g({kSide, kSide, 3});
  ValueId x = g.conv("conv", g.input(), {.channels = kFeatures, .kernel = 3, .stride = 2});
  x = g.apply(Op::kRelu6, "relu", x);
  x = g.apply(Op::kGlobalAveragePool, std::string(kPooledValue), x);
  x = g.dense(std::string(kLogitsValue), x, 3);
  Model model;
  model.network.graph = g.finish(g.apply(Op::kSoftmax, std::string(kProbabilitiesValue), x));
  model.network.weights = test::random_weights(model.network.graph, 5);
  model.preprocessing = keras_preprocessing();
  model.preprocessing.width = model.preprocessing.height = kSide;
  model.labels = {"one", "two", "three"};
  return model;
}

/// Stops a run when it has been told so many lines of progress.
class StopAfter final : public Progress {
 public:
  StopAfter(int updates, std::stop_source& stop) : left_(updates), stop_(stop) {}
  void begin(std::string_view stage, std::int64_t, std::string_view) override {
    distilling_ = stage == "Distilling";
  }
  void update(std::int64_t, std::string_view) override {
    if (distilling_ && --left_ == 0) stop_.request_stop();
  }
  void end() override {}
  void note(std::string_view) override {}

 private:
  int left_;
  bool distilling_ = false;
  std::stop_source& stop_;
};

class DistillRunTest : public ::testing::Test {
 protected:
  DistillRunTest() {
    for (std::uint64_t i = 0; i < 20; ++i) {
      Image image(40, 36);
      Rng rng(i);
      for (auto& value : image.pixels) {
        value = static_cast<std::uint8_t>(rng.below(static_cast<std::uint32_t>(60 + 10 * i)));
      }
      const fs::path name = "pictures/" + std::string(i % 2 == 0 ? "a/" : "b/") + std::to_string(i);
      write_file_atomic((folder / name).string() + ".png", encode_png(image));
    }
    save_model(teacher(), folder / "teacher.onnx");
    request.pictures = {folder / "pictures"};
    request.hold_out = 0.25;
    request.teacher = folder / "teacher.onnx";
    request.student = "mobilenet_v2_0.35_32";
    request.options = {.epochs = 3,
                       .batch = 4,
                       .learning_rate = 1e-3f,
                       .warmup_steps = 2,
                       .look_every = 2,
                       .seed = 1};
    request.out = folder / "small.onnx";
    request.checkpoint_seconds = 0;
    request.threads = 2;
  }
  DistillSummary run() const {
    NoProgress progress;
    return distill_run(request, progress);
  }
  void run_and_stop(int updates) const {
    std::stop_source stop;
    StopAfter progress(updates, stop);
    expect_error(ErrorKind::kCancelled, HasSubstr("stopped"),
                 [&] { (void)distill_run(request, progress, stop.get_token()); });
  }
  [[nodiscard]] static std::string without_seconds(const fs::path& csv) {
    std::ifstream file(csv);
    std::string all;
    for (std::string line; std::getline(file, line);) all += line.substr(0, line.rfind(',')) + "\n";
    return all;
  }

  test::TemporaryFolder folder;
  DistillRequest request;
};

TEST_F(DistillRunTest, MakesAModelWithTheTeachersClassesAndAReport) {
  const DistillSummary summary = run();
  EXPECT_EQ(summary.pictures + summary.held_out, 20u);
  EXPECT_EQ(summary.history.size(), 3u);
  const Model model = load_model(request.out);
  EXPECT_EQ(model.labels, teacher().labels);
  EXPECT_EQ(model.preprocessing.width, 32);
  EXPECT_EQ(model.provenance.at("teacher"), "teacher.onnx");
  EXPECT_EQ(model.provenance.at("epochs"), "3 of 3");
  const Graph& graph = model.network.graph;
  EXPECT_EQ(graph.shape(graph.find(kPooledValue)), (Shape{kFeatures}));
  EXPECT_EQ(model.network.weights.at("predictions/kernel").values()[3],
            teacher().network.weights.at("predictions/kernel").values()[3]);
  EXPECT_EQ(summary.run, folder / "small-run");
  for (const char* name : {"args.json", "results.csv", "report.html", "curves.png"}) {
    EXPECT_TRUE(fs::exists(summary.run / name)) << name;
  }
  EXPECT_FALSE(fs::exists(UnfinishedRun::folder_of(summary.run)));
}

TEST_F(DistillRunTest, StoppedAndResumedItEndsInTheSameBytes) {
  (void)run();
  const Bytes model = read_file(request.out);
  const std::string results = without_seconds(folder / "small-run/results.csv");
  fs::remove(request.out);
  fs::remove_all(folder / "small-run");
  run_and_stop(2);
  request.resume = true;
  request.threads = 1;
  run_and_stop(3);
  (void)run();
  EXPECT_EQ(read_file(request.out), model);
  EXPECT_EQ(without_seconds(folder / "small-run/results.csv"), results);
}

TEST_F(DistillRunTest, AResumedRunMayBeMadeLonger) {
  request.options.epochs = 5;
  (void)run();
  const Bytes model = read_file(request.out);
  fs::remove(request.out);
  fs::remove_all(folder / "small-run");
  request.options.epochs = 3;
  request.options.look_every = 2;
  run_and_stop(4);
  request.resume = true;
  request.new_epochs = 5;
  EXPECT_EQ(run().history.size(), 5u);
  EXPECT_EQ(read_file(request.out), model);
}

TEST_F(DistillRunTest, RefusesToGoOnWithOtherPictures) {
  run_and_stop(2);
  request.resume = true;
  fs::remove(folder / "pictures/a/4.png");
  expect_error(ErrorKind::kBadInput, HasSubstr("have changed"), [&] { (void)run(); });
}

TEST_F(DistillRunTest, APlanThatIsNoNumberOfEpochsIsNamed) {
  run_and_stop(2);
  request.resume = true;
  const fs::path plan = folder / "small-run.unfinished/plan.json";
  for (const char* epochs : {"-5", "0", "10000001", "1e30", "2.5", "true", "\"3\"", "null"}) {
    write_file_atomic(plan, fmt::format("{{\"epochs\":{}}}", epochs));
    expect_error(ErrorKind::kBadInput, HasSubstr("plan.json: damaged; begin the run anew"),
                 [&] { (void)run(); });
  }
}

TEST_F(DistillRunTest, TheProbeJudgesStudentAndTeacher) {
  request.probe = folder / "probe";
  for (std::uint64_t i = 0; i < 20; ++i) {
    Image image(40, 36);
    for (std::size_t k = 0; k < image.pixels.size(); ++k) {
      image.pixels[k] = static_cast<std::uint8_t>(k % 3 == i % 2 ? 200 + i : i);
    }
    const fs::path name =
        "probe/" + std::string(i % 2 == 0 ? "red/" : "green/") + std::to_string(i);
    write_file_atomic((folder / name).string() + ".png", encode_png(image));
  }
  const DistillSummary summary = run();
  EXPECT_EQ(summary.probed, 20u);
  EXPECT_GT(summary.teacher_probe.value, 0.9);
  EXPECT_EQ(summary.history.back().probe, summary.probe.value);
  EXPECT_THAT(read_text_file(summary.run / "report.html"),
              HasSubstr("Heads on the student's features"));
}

TEST_F(DistillRunTest, AStudentGoesOnLearning) {
  (void)run();
  request.student = request.out.string();
  request.out = folder / "more.onnx";
  const DistillSummary summary = run();
  EXPECT_EQ(load_model(summary.model).preprocessing.width, 32);
}

TEST_F(DistillRunTest, TheBuiltInModelGoesOnLearning) {
  request.teacher = request.student = kEmbeddedModel;
  request.options.epochs = 1;
  const Model model = load_model(run().model);
  EXPECT_EQ(model.preprocessing.width, load_model(kEmbeddedModel).preprocessing.width);
  EXPECT_EQ(model.provenance.at("student"), kEmbeddedModel);
}

TEST_F(DistillRunTest, ADamagedTeacherIsNamedByItsFile) {
  const Model whole = teacher();
  for (const auto& [name, tensor] : whole.network.weights.all()) {
    Model damaged = whole;
    Tensor bad = *tensor;
    bad.values()[0] = std::numeric_limits<float>::quiet_NaN();
    damaged.network.weights.set(name, std::move(bad));
    save_model(damaged, request.teacher);
    expect_error(ErrorKind::kBadInput,
                 testing::AllOf(HasSubstr("teacher.onnx: "), HasSubstr("weights are damaged")),
                 [&] { (void)run(); });
  }
}

TEST_F(DistillRunTest, ABudgetDecidesTheNumberOfEpochs) {
  request.budget = 1;
  request.options.epochs = 100'000;
  const DistillSummary summary = run();
  EXPECT_GE(summary.history.size(), 1u);
  EXPECT_LT(summary.history.size(), 2000u);
}

TEST_F(DistillRunTest, RefusesWhatMakesNoSenseBeforeAnyWork) {
  const auto refused = [&](ErrorKind kind, const char* what, auto change) {
    const DistillRequest good = request;
    change(request);
    expect_error(kind, HasSubstr(what), [&] { (void)run(); });
    EXPECT_FALSE(fs::exists(folder / "small-run"));
    EXPECT_FALSE(fs::exists(folder / "small-run.unfinished"));
    request = good;
  };
  refused(ErrorKind::kUsage, ".onnx", [&](auto& r) { r.out = folder / "small.h5"; });
  refused(ErrorKind::kUsage, "there already", [&](auto& r) { r.out = folder / "teacher.onnx"; });
  refused(ErrorKind::kUsage, "--hold-out", [](auto& r) { r.hold_out = 1; });
  refused(ErrorKind::kUsage, "needs pictures", [](auto& r) { r.pictures.clear(); });
  refused(ErrorKind::kNotFound, "mobilenet_v2_0.35_128", [](auto& r) { r.student = "resnet"; });
  refused(ErrorKind::kUsage, "multiple of 32",
          [](auto& r) { r.student = "mobilenet_v2_0.35_100"; });
  refused(ErrorKind::kUsage, "--teacher-size", [](auto& r) { r.teacher_size = 50; });
  refused(ErrorKind::kUsage, "--batch", [](auto& r) { r.memory = 1 << 20; });
  refused(ErrorKind::kUsage, "--views", [](auto& r) {
    r.options.views = 1'000'000;
    r.memory = std::uint64_t{200} << 20;
  });
  refused(ErrorKind::kNotFound, "nowhere", [](auto& r) { r.pictures = {"nowhere"}; });
}

TEST(DistillBudget, CountsViewsThatReturnForLess) {
  const DistillTimes times{.fresh = 10, .returned = 4};
  EXPECT_EQ(epochs_in(100, times, {}), 10);
  EXPECT_EQ(epochs_in(100, times, {.views = 5}), 5 + 12);
  EXPECT_EQ(epochs_in(45, times, {.views = 5}), 4);
  EXPECT_EQ(epochs_in(1, times, {.views = 5}), 1);
  EXPECT_EQ(epochs_in(-5, times, {}), 1);
}

TEST(DistillBudget, CountsTheLooksThatWillBe) {
  const DistillTimes times{.fresh = 10, .returned = 4, .look = 5};
  EXPECT_EQ(epochs_in(150, times, {.look_every = 1}), 10);
  EXPECT_EQ(epochs_in(149, times, {.look_every = 1}), 9);
  EXPECT_EQ(epochs_in(150, times, {.look_every = 4}), 13);  // after epochs 4, 8, 12 and the last
  EXPECT_EQ(epochs_in(150, times, {.look_every = 1000}), 14);
  EXPECT_EQ(epochs_in(100, times, {.views = 5, .look_every = 1}), 5 + 2);
  EXPECT_EQ(epochs_in(12, times, {.look_every = 1}), 1);
}

/// About fifty looks: one after each of 50 epochs, one after every other of 51 and more.
TEST(DistillBudget, TakesTheLongestRunThatFitsAlsoWhereAShorterOneLooksMoreOften) {
  const DistillTimes times{.fresh = 1, .look = 1};
  EXPECT_EQ(epochs_in(99, times, {}), 66);  // and 33 looks
  EXPECT_EQ(epochs_in(70, times, {}), 35);
}

/// A look takes far longer than an epoch is measured to take on this machine, busy as it may be.
TEST(DistillBudget, MeasuresEpochsAndLooksApart) {
  double look = 0;
  test::TinyDistillation tiny;
  tiny.spec.options.look_every = 1;  // so that the steps that are tried end in a look
  tiny.spec.probe = [&](const Network&) {
    std::this_thread::sleep_for(std::chrono::duration<double>(look));
    return 0.5;
  };
  ThreadPool pool(1);
  const auto distiller = tiny.distiller(pool);
  const DistillState before = distiller->state();
  const DistillTimes quick = measure_distilling(*distiller);
  look = std::max(0.4, 5 * std::max(quick.fresh, quick.returned));
  const DistillTimes times = measure_distilling(*distiller);
  EXPECT_GE(times.look, look);
  EXPECT_GT(times.fresh, 0);
  EXPECT_LT(times.fresh, look);
  EXPECT_LT(times.returned, look);
  test::expect_same_state(distiller->state(), before);
}

TEST(DistillCsv, LeavesEmptyWhatWasNotLookedAt) {
  const std::string csv = distill_csv({{.epoch = 1,
                                        .learning_rate = 0.5,
                                        .feature_error = 0.25,
                                        .divergence = 2,
                                        .agreement = 0.125,
                                        .seconds = 1.5},
                                       {.epoch = 2, .held_out_agreement = 0.5, .probe = 0.75}});
  EXPECT_THAT(csv, StartsWith("epoch,learning_rate,"));
  EXPECT_THAT(csv, HasSubstr("\n1,0.5,0.25,2,0.125,,,,,1.50\n"));
  EXPECT_THAT(csv, HasSubstr("\n2,0,0,0,0,,,0.5,0.75,0.00\n"));
}

}  // namespace engraft::distill_run_test
