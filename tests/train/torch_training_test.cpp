// Back-propagation and ten steps of SGD against PyTorch's in float64. What the cases are and how
// they were made stands in scripts/torch_gradients.py.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engraft/engine/training/gradient_runner.h"
#include "engraft/formats/keras_h5.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/train/loss.h"
#include "engraft/train/optimizer.h"
#include "support/npy.h"
#include "support/test_data.h"
#include "support/torch_golden.h"

namespace engraft::torch_training_test {

using test::Summary;
using test::TorchCase;

/// How far float32 may be off the golden's float64: three times what was measured, since sums in
/// another order are off by as much in other places.
///
/// From the second step on some input of a ReLU6 may lie so near to a corner that rounding decides
/// on which side, which changes what follows by far more than rounding itself. Where that happens
/// is chance, and another for each micro-batch size, so all must agree roughly and one closely.
struct Tolerance {
  double first_loss = 0;    ///< relative, of every run
  double later_losses = 0;  ///< relative, of every run
  double best_losses = 0;   ///< relative, of the run that is the closest
  test::SummaryTolerance gradients;
  test::SummaryTolerance moving{};  ///< of that run
};

// Sanitizers look for wrong memory, which each further step would touch in the same way, and take
// minutes for it with a real network.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kOneStepOfTheRealNetwork = true;
#elif defined(__has_feature)
constexpr bool kOneStepOfTheRealNetwork =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kOneStepOfTheRealNetwork = false;
#endif

/// What a case starts from: logits for outputs, all parameters, pictures [N,S,S,3].
struct Setting {
  Graph graph;
  Weights weights;
  Tensor pictures;
};

struct Trained {
  std::vector<double> losses;
  ParameterLayout parameters, statistics;
  std::vector<float> first_gradient;
  std::vector<float> moving;  ///< statistics after the last step
};

Graph logits_of(const TorchCase& c) {
  Graph graph = mobilenet_v2({.width = c.width, .image_size = c.image_size, .classes = c.classes});
  return cut_at(graph, graph.find(kLogitsValue));
}

Setting synthetic_setting(const TorchCase& c) {
  Graph graph = logits_of(c);
  Weights weights = test::synthetic_weights(graph, c.beta_centre);
  return {.graph = std::move(graph),
          .weights = std::move(weights),
          .pictures = test::synthetic_pictures(
              {.count = c.pictures, .side = c.image_size, .seed = c.seed})};
}

/// Ten steps on the case's one batch: losses, the first gradient, the moving statistics.
class Training {
 public:
  Training(const TorchCase& c, const Setting& setting, int micro_batch)
      : case_(c),
        setting_(setting),
        pool_(2),
        runner_(setting.graph,
                {.plan = {.micro_batch = micro_batch,
                          .batch_norm =
                              c.frozen() ? BatchNormMode::kFrozen : BatchNormMode::kTrainable},
                 .statistics_momentum = static_cast<float>(c.batch_norm_momentum)},
                pool_),
        optimizer_({.kind = OptimizerKind::kSgd,
                    .size = runner_.parameters().size(),
                    .momentum = static_cast<float>(c.momentum)}) {}

  Trained run() {
    Trained trained{.losses = {},
                    .parameters = runner_.parameters(),
                    .statistics = runner_.statistics(),
                    .first_gradient = {},
                    .moving = runner_.statistics().gather(setting_.weights)};
    std::vector<float> parameters = runner_.parameters().gather(setting_.weights);
    std::vector<float> gradient(parameters.size());
    for (std::size_t step = 0; step < case_.losses.size(); ++step) {
      trained.losses.push_back(run_batch(parameters, trained.moving, gradient));
      if (step == 0) trained.first_gradient = gradient;
      optimizer_.step(parameters, gradient,
                      {.learning_rate = static_cast<float>(case_.learning_rate)});
    }
    return trained;
  }

 private:
  double run_batch(std::span<const float> parameters, std::span<float> statistics,
                   std::span<float> gradient) {
    const auto count = static_cast<std::size_t>(case_.pictures);
    const auto share = static_cast<float>(case_.pictures);
    std::vector<double> losses(count);
    const auto loss = [&](std::size_t i, std::span<const float> z, std::span<float> dz) {
      std::vector<float> p(z.size());
      losses[i] = double{
          loss::softmax_cross_entropy<float>(z, static_cast<int>(i) % case_.classes,
                                             static_cast<float>(case_.label_smoothing), p, dz)};
      for (float& d : dz) d /= share;
    };
    const auto fill = [&](std::size_t i, std::span<float> input) {
      std::ranges::copy(setting_.pictures.row(static_cast<std::int64_t>(i)), input.begin());
    };
    runner_.run(parameters, statistics,
                {.pictures = count, .fill = fill, .loss = loss, .dropout = {}}, gradient);
    double sum = 0;
    for (const double value : losses) sum += value;
    return sum / static_cast<double>(count);
  }

  const TorchCase& case_;
  const Setting& setting_;
  ThreadPool pool_;
  GradientRunner runner_;
  Optimizer optimizer_;
};

double worst_loss(const Trained& trained, const TorchCase& c) {
  double worst = 0;
  for (std::size_t i = 0; i < c.losses.size(); ++i) {
    worst = std::max(worst, std::abs(trained.losses[i] / c.losses[i] - 1));
  }
  return worst;
}

void expect_summaries(const ParameterLayout& layout, std::span<const float> values,
                      const std::map<std::string, Summary>& golden,
                      const test::SummaryTolerance& tolerance) {
  EXPECT_EQ(layout.slots().size(), golden.size());
  for (const auto& slot : layout.slots()) {
    ASSERT_TRUE(golden.contains(slot.name)) << slot.name;
    const Summary found = test::summary_of(slot.name, layout.of(values, slot.name));
    test::expect_near(slot.name, found, golden.at(slot.name), tolerance);
  }
}

void expect_golden(const TorchCase& c, const Setting& setting, std::span<const int> micro_batches,
                   const Tolerance& tolerance) {
  std::vector<Trained> runs;
  for (const int micro_batch : micro_batches) {
    SCOPED_TRACE("micro-batches of " + std::to_string(micro_batch));
    runs.push_back(Training(c, setting, micro_batch).run());
    const Trained& run = runs.back();
    EXPECT_NEAR(run.losses[0] / c.losses[0], 1, tolerance.first_loss);
    EXPECT_LE(worst_loss(run, c), tolerance.later_losses);
    expect_summaries(run.parameters, run.first_gradient, c.gradients, tolerance.gradients);
    if (!c.frozen()) continue;
    EXPECT_EQ(run.moving, run.statistics.gather(setting.weights));
  }
  const Trained& best =
      *std::ranges::min_element(runs, {}, [&](const Trained& run) { return worst_loss(run, c); });
  EXPECT_LE(worst_loss(best, c), tolerance.best_losses);
  if (!c.frozen()) expect_summaries(best.statistics, best.moving, c.moving, tolerance.moving);
}

constexpr std::array kMicroBatches{1, 2, 4, 8};

TEST(TorchTraining, WithFrozenBatchNormAgrees) {
  const TorchCase c = test::torch_case("synthetic_frozen");
  // Measured of PyTorch in float32: losses 3e-7, gradients' summaries 8e-6. Here: the worst of all
  // later losses 3.1e-7.
  expect_golden(c, synthetic_setting(c), kMicroBatches,
                {.first_loss = 9e-7,
                 .later_losses = 3e-3,
                 .best_losses = 9e-7,
                 .gradients = {.relative = 2.4e-5, .absolute = 2.4e-8}});
}

TEST(TorchTraining, WithTrainableBatchNormAgrees) {
  const TorchCase c = test::torch_case("synthetic_trainable");
  // Measured of PyTorch in float32: losses 6e-7, gradients' summaries 1.3e-4. Here: gradients that
  // are zero but for rounding (by the betas of linear layers) 1.7e-7, the worst of all later losses
  // 4.6e-5, of those of the closest run 3.6e-7, its moving statistics 5.3e-6, as 0.99 in float32 is
  // not 0.99.
  expect_golden(c, synthetic_setting(c), kMicroBatches,
                {.first_loss = 1.8e-6,
                 .later_losses = 3e-3,
                 .best_losses = 1.8e-6,
                 .gradients = {.relative = 4e-4, .absolute = 5e-7},
                 .moving = {.relative = 1.6e-5, .absolute = 1.6e-8}});
}

TEST(TorchTraining, OfTheRealNetworkAgrees) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  TorchCase c = test::torch_case("real_frozen");
  if (kOneStepOfTheRealNetwork) c.losses.resize(1);
  const Network keras = read_keras_mobilenet_v2(
      data / "models/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5");
  const auto pixels = test::read_npy<std::uint8_t>(data / "golden/input_u8_nhwc.npy", "|u1");
  Setting setting{.graph = logits_of(c),
                  .weights = {},
                  .pictures = Tensor({c.pictures, c.image_size, c.image_size, 3})};
  for (const auto& [name, shape] : parameter_shapes(setting.graph)) {
    if (name.starts_with(kLogitsValue)) {
      setting.weights.set(name, test::synthetic_parameter(name, shape, 0));
    } else {
      setting.weights.set(name, keras.weights.share(name));
    }
  }
  ASSERT_EQ(setting.pictures.size(), pixels.values.size());
  std::ranges::transform(pixels.values, setting.pictures.data(),
                         [](std::uint8_t pixel) { return static_cast<float>(pixel / 127.5 - 1); });
  // Already in the first step some of millions of ReLU6's inputs lie that near to a corner.
  // Measured of PyTorch in float32, weights as they are or off by their rounding: first loss
  // 7e-8, gradients 7e-3 (norm of the difference), their sums 5.4e-2 of the norm. Here: the worst
  // loss 4.8e-4.
  expect_golden(c, setting, std::array{4},
                {.first_loss = 5e-7,
                 .later_losses = 1.5e-3,
                 .best_losses = 1.5e-3,
                 .gradients = {.relative = 2e-2, .absolute = 2e-5, .sum = 0.16}});
}

}  // namespace engraft::torch_training_test
