#include "engraft/train/teacher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engraft/engine/batch_runner.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/train/fixed_top.h"
#include "engraft/train/head_network.h"
#include "engraft/train/loss.h"
#include "support/errors.h"
#include "support/random_values.h"
#include "support/random_weights.h"

namespace engraft::teacher_test {

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
  EXPECT_EQ(teacher.top.layers.at(0).kernel.values()[8],
            network.weights.at("predictions/kernel").values()[8]);
}

/// Up to that value.
Network base_at(std::string_view value) {
  const Network whole = small();
  return {.graph = cut_at(whole.graph, whole.graph.find(value)), .weights = whole.weights};
}

/// base_at(value) with a head as engraft trains it, dense layers of so many inputs and outputs.
Network trained(const std::vector<DenseShape>& shapes, LossKind loss, std::string_view value) {
  std::vector<DenseParameters<float>> layers;
  for (const DenseShape& shape : shapes) {
    layers.emplace_back(shape);
    layers.back().kernel = test::random_values(layers.back().kernel.size(), 3);
    layers.back().bias = test::random_values(layers.back().bias.size(), 4);
  }
  return graft(base_at(value), head_network(layers, {.loss = loss, .dropout = 0.2f}));
}

struct TrainedHeadCase {
  const char* name;
  std::vector<DenseShape> shapes;
  LossKind loss;
  std::string_view value;                  ///< that the head is set on
  std::vector<TopActivation> activations;  ///< that the layers must have
  TopActivation answers;
};

void PrintTo(const TrainedHeadCase& head, std::ostream* out) {
  *out << head.name;
}

constexpr auto kNone = TopActivation::kNone, kRelu = TopActivation::kRelu,
               kSoftmaxOf = TopActivation::kSoftmax, kSigmoidOf = TopActivation::kSigmoid;

class TrainedHeads : public ::testing::TestWithParam<TrainedHeadCase> {};

TEST_P(TrainedHeads, AreTakenOverAndGiveTheAnswersOfTheWhole) {
  const TrainedHeadCase& head = GetParam();
  const Network whole = trained(head.shapes, head.loss, head.value);
  const Teacher teacher = part_teacher(whole);
  std::vector<TopActivation> activations;
  for (const TopLayer& layer : teacher.top.layers) activations.push_back(layer.activation);
  EXPECT_EQ(activations, head.activations);
  EXPECT_EQ(teacher.top.answers, head.answers);

  const std::vector<float> picture = test::random_values(32 * 32 * 3, 4);
  std::vector<float> answers = run(whole, picture);
  std::vector<float> z = FixedTop(teacher.top).forward(run(teacher.features, picture)).back();
  ASSERT_EQ(z.size(), answers.size());
  if (head.answers == kSoftmaxOf) loss::softmax<float>(z, z);
  for (std::size_t k = 0; k < z.size(); ++k) {
    if (head.answers == kSigmoidOf) z[k] = loss::sigmoid(z[k]);
    EXPECT_NEAR(z[k], answers[k], 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(
    PartTeacher, TrainedHeads,
    ::testing::Values(
        TrainedHeadCase{
            "linear", {{1280, 3}}, LossKind::kSoftmax, kPooledValue, {kNone}, kSoftmaxOf},
        TrainedHeadCase{"linear_two_by_sigmoid",
                        {{1280, 1}},
                        LossKind::kSigmoid,
                        kPooledValue,
                        {kNone},
                        kSoftmaxOf},  // over (0, z)
        TrainedHeadCase{
            "linear_sigmoid", {{1280, 3}}, LossKind::kSigmoid, kPooledValue, {kNone}, kSigmoidOf},
        TrainedHeadCase{"mlp",
                        {{1280, 16}, {16, 3}},
                        LossKind::kSoftmax,
                        kPooledValue,
                        {kRelu, kNone},
                        kSoftmaxOf},
        TrainedHeadCase{"mlp_two_by_sigmoid",
                        {{1280, 16}, {16, 1}},
                        LossKind::kSigmoid,
                        kPooledValue,
                        {kRelu, kNone},
                        kSoftmaxOf},
        TrainedHeadCase{"mlp_sigmoid",
                        {{1280, 16}, {16, 3}},
                        LossKind::kSigmoid,
                        kPooledValue,
                        {kRelu, kNone},
                        kSigmoidOf},
        TrainedHeadCase{"linear_on_logits",
                        {{7, 3}},
                        LossKind::kSoftmax,
                        kLogitsValue,
                        {kNone, kNone},
                        kSoftmaxOf},
        TrainedHeadCase{"mlp_on_probabilities",
                        {{7, 16}, {16, 3}},
                        LossKind::kSoftmax,
                        kProbabilitiesValue,
                        {kSoftmaxOf, kRelu, kNone},
                        kSoftmaxOf}),
    [](const auto& head) { return std::string(head.param.name); });

TEST(PartTeacher, RefusesLayersThatAStudentCannotTakeOverByName) {
  const auto refused = [](Op op, bool behind_dense, const char* name) {
    GraphBuilder g({8, 8, 3});
    ValueId x = g.apply(Op::kGlobalAveragePool, std::string(kPooledValue), g.input());
    if (behind_dense) x = g.dense("hidden", x, 4);
    x = g.dense("dense", g.apply(op, "odd", x), 2);
    Network network{.graph = g.finish(g.apply(Op::kSoftmax, "softmax", x)), .weights = {}};
    network.weights = test::random_weights(network.graph);
    expect_error(ErrorKind::kUnsupported,
                 ::testing::AllOf(HasSubstr(name), HasSubstr("engraft train makes (--head linear")),
                 [&] { (void)part_teacher(network); });
  };
  refused(Op::kHardSwish, true, "'odd' (hard_swish)");
  refused(Op::kRelu, false, "'odd' (relu)");
}

TEST(PartTeacher, RefusesTwoActivationsInARow) {
  GraphBuilder g({8, 8, 3});
  ValueId x = g.apply(Op::kGlobalAveragePool, std::string(kPooledValue), g.input());
  x = g.apply(Op::kRelu, "first", g.dense("dense", x, 4));
  x = g.apply(Op::kSoftmax, "softmax", g.apply(Op::kSigmoid, "second", x));
  Network network{.graph = g.finish(x), .weights = {}};
  network.weights = test::random_weights(network.graph);
  expect_error(ErrorKind::kUnsupported, HasSubstr("'second'"),
               [&] { (void)part_teacher(network); });
}

TEST(PartTeacher, RefusesANetworkThatEndsInFeaturesOrLogits) {
  expect_error(ErrorKind::kUnsupported, HasSubstr("no classes to teach"),
               [&] { (void)part_teacher(base_at(kPooledValue)); });
  expect_error(ErrorKind::kUnsupported, HasSubstr("no classes to teach"),
               [&] { (void)part_teacher(base_at(kLogitsValue)); });
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

}  // namespace engraft::teacher_test
