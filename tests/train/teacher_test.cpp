#include "engraft/train/teacher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engraft/engine/batch_runner.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/train/head_network.h"
#include "support/errors.h"
#include "support/random_values.h"
#include "support/random_weights.h"

namespace engraft {
namespace {

using test::expect_error;
using ::testing::HasSubstr;

std::vector<float> run(const Network& network, std::span<const float> input) {
  ThreadPool pool(1);
  BatchRunner runner(network.graph, network.weights, pool);
  std::vector<float> result;
  runner.run(
      1,
      [&](std::size_t, std::span<float> x) {
        std::ranges::copy(input, x.begin());
        return true;
      },
      [&](std::size_t, std::span<const float> y) { result.assign(y.begin(), y.end()); });
  return result;
}

Network small(int classes = 7) {
  Network network;
  network.graph = mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = classes});
  network.weights = test::random_weights(network.graph);
  return network;
}

TEST(PartTeacher, TheTwoPartsTogetherAreTheWhole) {
  const Network network = small();
  const Teacher teacher = part_teacher(network);
  const std::vector<float> picture = test::random_values(32 * 32 * 3, 4);
  const std::vector<float> features = run(teacher.features, picture);
  EXPECT_EQ(features.size(), 1280u);
  EXPECT_EQ(run(teacher.head, features), run(network, picture));
  EXPECT_EQ(teacher.top.features(), 1280u);
  EXPECT_EQ(teacher.top.classes(), 7u);
  EXPECT_EQ(teacher.top.kernel.values()[8], network.weights.at("predictions/kernel").values()[8]);
}

TEST(PartTeacher, TakesAHeadThatWasTrainedWithDropout) {
  Network base;
  base.graph = mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = 0});
  base.weights = test::random_weights(base.graph);
  std::vector<DenseParameters<float>> layers;
  layers.emplace_back(DenseShape{.in = 1280, .out = 3});
  const Network whole =
      graft(base, head_network(layers, {.loss = LossKind::kSoftmax, .dropout = 0.2f}));
  EXPECT_EQ(part_teacher(whole).top.classes(), 3u);
  layers.back() = DenseParameters<float>(DenseShape{.in = 1280, .out = 1});
  const Network sigmoid =
      graft(base, head_network(layers, {.loss = LossKind::kSigmoid, .dropout = 0.2f}));
  EXPECT_EQ(part_teacher(sigmoid).top.classes(), 2u);  // a softmax over (0, z)
}

TEST(PartTeacher, RefusesHeadsThatAreNotOneLayer) {
  Network base;
  base.graph = mobilenet_v2({.width = 0.35f, .image_size = 32, .classes = 0});
  base.weights = test::random_weights(base.graph);
  std::vector<DenseParameters<float>> layers;
  layers.emplace_back(DenseShape{.in = 1280, .out = 16});
  layers.emplace_back(DenseShape{.in = 16, .out = 3});
  const Network mlp =
      graft(base, head_network(layers, {.loss = LossKind::kSoftmax, .dropout = 0.2f}));
  expect_error(ErrorKind::kUnsupported, HasSubstr("head_hidden_relu"),
               [&] { (void)part_teacher(mlp); });
  expect_error(ErrorKind::kUnsupported, HasSubstr("no classes to teach"),
               [&] { (void)part_teacher(base); });
}

TEST(PartTeacher, RefusesANetworkWithoutPooledFeatures) {
  GraphBuilder g({4});
  Network network;
  network.graph = g.finish(g.apply(Op::kSoftmax, "softmax", g.dense("dense", g.input(), 2)));
  network.weights = test::random_weights(network.graph);
  expect_error(ErrorKind::kUsage, HasSubstr("global_average_pooling2d"),
               [&] { (void)part_teacher(network); });
}

TEST(AtSize, IsTheNetworkThatIsMadeForThatSize) {
  const Graph of_64 = mobilenet_v2({.width = 0.35f, .image_size = 64, .classes = 5});
  const Graph of_96 = mobilenet_v2({.width = 0.35f, .image_size = 96, .classes = 5});
  EXPECT_EQ(at_size(of_64, {96, 96}), of_96);
  EXPECT_EQ(at_size(of_96, {64, 64}), of_64);
  EXPECT_EQ(at_size(of_64, {64, 64}), of_64);
}

TEST(AtSize, TakesSidesThatDiffer) {
  const Graph graph =
      at_size(mobilenet_v2({.width = 0.35f, .image_size = 64, .classes = 0}), {96, 64});
  EXPECT_EQ(graph.shape(graph.input()), (Shape{64, 96, 3}));
  EXPECT_EQ(graph.shape(graph.output()), (Shape{1280}));
}

TEST(AtSize, RefusesASizeThatNothingIsLeftOf) {
  const Graph graph = mobilenet_v2({.width = 0.35f, .image_size = 64, .classes = 0});
  expect_error(ErrorKind::kBadInput, ::testing::_, [&] { (void)at_size(graph, {0, 0}); });
}

}  // namespace
}  // namespace engraft
