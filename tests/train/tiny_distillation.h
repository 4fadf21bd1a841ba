#pragma once

#include <memory>
#include <vector>

#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/train/distiller.h"
#include "engraft/train/head_network.h"
#include "support/random_values.h"
#include "train/tiny_pictures.h"

namespace engraft::test {

inline constexpr int kTinyFeatures = 24;

inline Preprocessing tiny_view(int side = kTinySide) {
  Preprocessing view = keras_preprocessing();
  view.width = view.height = side;
  return view;
}

/// Features of a picture from the means of its quarters, and a head of three classes: quick, and
/// not the same for all pictures.
inline Network tiny_teacher(int side = kTinySide) {
  GraphBuilder g({side, side, 3});
  ValueId x = g.conv("conv", g.input(), {.channels = kTinyFeatures, .kernel = 3, .stride = 2});
  x = g.apply(Op::kRelu6, "relu", x);
  x = g.apply(Op::kGlobalAveragePool, std::string(kPooledValue), x);
  x = g.dense(std::string(kLogitsValue), x, kTinyClasses);
  Network network;
  network.graph = g.finish(g.apply(Op::kSoftmax, std::string(kProbabilitiesValue), x));
  network.weights = random_weights(network.graph, 5);
  return network;
}

/// tiny_teacher() with a head of one hidden layer, trained class against rest.
inline Network tiny_mlp_teacher() {
  const Network whole = tiny_teacher();
  std::vector<DenseParameters<float>> layers;
  layers.emplace_back(DenseShape{.in = kTinyFeatures, .out = 8});
  layers.emplace_back(DenseShape{.in = 8, .out = kTinyClasses});
  for (DenseParameters<float>& layer : layers) {
    layer.kernel = random_values(layer.kernel.size(), layer.shape.out);
  }
  return graft(
      {.graph = cut_at(whole.graph, whole.graph.find(kPooledValue)), .weights = whole.weights},
      head_network(layers, {.loss = LossKind::kSigmoid, .dropout = 0.5f}));
}

/// MobileNetV2 0.35 with as many features as the teacher has.
inline Network tiny_student(int side = kTinySide) {
  Network network;
  network.graph =
      mobilenet_v2({.width = 0.35f, .image_size = side, .classes = 0, .features = kTinyFeatures});
  network.weights = random_weights(network.graph, 2);
  return network;
}

inline std::vector<StoredPicture> stored_noise(std::size_t count, std::uint64_t seed) {
  std::vector<StoredPicture> pictures(count);
  for (std::size_t i = 0; i < count; ++i) {
    pictures[i].image = coloured_noise(static_cast<int>(i % 3), seed + i);
    pictures[i].content = sha256(std::as_bytes(std::span(pictures[i].image.pixels)));
  }
  return pictures;
}

/// What a Distiller is given: 13 pictures to learn from in batches of 4, 5 held out.
class TinyDistillation {
 public:
  TinyDistillation() {
    spec.teacher = &teacher;
    spec.student = &student;
    spec.teacher_view = spec.student_view = tiny_view();
    spec.pictures = pictures;
    spec.held_out = held_out;
    spec.options = {.epochs = 3,
                    .batch = 4,
                    .micro_batch = 3,
                    .learning_rate = 1e-3f,
                    .warmup_steps = 2,
                    .ema = 0.9f,
                    .statistics_momentum = 0.5f,
                    .look_every = 2,
                    .seed = 3};
  }

  [[nodiscard]] std::unique_ptr<Distiller> distiller(ThreadPool& pool) const {
    return std::make_unique<Distiller>(spec, pool);
  }
  [[nodiscard]] DistillState final_state(ThreadPool& pool) const {
    const auto made = distiller(pool);
    while (!made->finished()) made->step();
    return made->state();
  }

  Teacher teacher = part_teacher(tiny_teacher());
  Network student = tiny_student();
  std::vector<StoredPicture> pictures = stored_noise(13, 1), held_out = stored_noise(5, 100);
  DistillSpec spec;
};

inline void expect_same_result(const DistillResult& a, const DistillResult& b) {
  const auto same = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_PRED2(same, a.learning_rate, b.learning_rate);
  EXPECT_PRED2(same, a.feature_error, b.feature_error);
  EXPECT_PRED2(same, a.divergence, b.divergence);
  EXPECT_PRED2(same, a.agreement, b.agreement);
  EXPECT_PRED2(same, a.held_out_feature_error, b.held_out_feature_error);
  EXPECT_PRED2(same, a.held_out_divergence, b.held_out_divergence);
  EXPECT_PRED2(same, a.held_out_agreement, b.held_out_agreement);
  EXPECT_PRED2(same, a.probe, b.probe);
}

/// All but the times.
inline void expect_same_state(const DistillState& a, const DistillState& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.parameters, b.parameters);
  EXPECT_EQ(a.statistics, b.statistics);
  EXPECT_EQ(a.optimizer_steps, b.optimizer_steps);
  EXPECT_EQ(a.optimizer, b.optimizer);
  EXPECT_EQ(a.average_parameters, b.average_parameters);
  EXPECT_EQ(a.average_statistics, b.average_statistics);
  EXPECT_EQ(a.feature_error, b.feature_error);
  EXPECT_EQ(a.divergence, b.divergence);
  EXPECT_EQ(a.agreeing, b.agreeing);
  EXPECT_EQ(a.seen, b.seen);
  ASSERT_EQ(a.history.size(), b.history.size());
  for (std::size_t i = 0; i < a.history.size(); ++i) {
    expect_same_result(a.history[i], b.history[i]);
  }
}

}  // namespace engraft::test
