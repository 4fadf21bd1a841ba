#include "engraft/train/freeze.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <map>

#include "engraft/engine/reference_run.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "support/errors.h"
#include "support/random_values.h"
#include "support/random_weights.h"

namespace engraft::freeze_test {

using test::expect_error;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Graph& mobilenet() {
  static const Graph graph = mobilenet_v2({.classes = 5});
  return graph;
}

std::string first(std::string_view from, const Graph& graph = mobilenet()) {
  return graph.nodes().at(first_trained_node(graph, from)).name;
}

std::size_t index_of(std::string_view name, const Graph& graph = mobilenet()) {
  const auto& nodes = graph.nodes();
  const auto found = std::ranges::find(nodes, name, &Node::name);
  return static_cast<std::size_t>(found - nodes.begin());
}

/// The 154 layers of keras.applications.MobileNetV2(include_top=False), by its builder's rules.
std::vector<std::string> keras_layers() {
  std::vector<std::string> layers{"input_1", "Conv1", "bn_Conv1", "Conv1_relu"};
  // Of each block: does it halve the picture; is its input added to its output?
  constexpr std::array<std::string_view, 17> kBlocks{
      "once", "halves", "adds", "halves", "adds",   "adds", "halves", "adds", "adds",
      "adds", "once",   "adds", "adds",   "halves", "adds", "adds",   "once"};
  for (std::size_t i = 0; i < kBlocks.size(); ++i) {
    const std::string p = i == 0 ? "expanded_conv_" : fmt::format("block_{}_", i);
    if (i > 0) {
      for (const char* part : {"expand", "expand_BN", "expand_relu"}) layers.push_back(p + part);
    }
    if (kBlocks[i] == "halves") layers.push_back(p + "pad");
    for (const char* part :
         {"depthwise", "depthwise_BN", "depthwise_relu", "project", "project_BN"}) {
      layers.push_back(p + part);
    }
    if (kBlocks[i] == "adds") layers.push_back(p + "add");
  }
  for (const char* name : {"Conv_1", "Conv_1_bn", "out_relu"}) layers.push_back(name);
  return layers;
}

TEST(FirstTrainedNode, OfAllIsTheFirst) {
  EXPECT_EQ(first_trained_node(mobilenet(), "all"), 0u);
}

TEST(FirstTrainedNode, OfLastIsTheBlockThatHalvesThePictureLast) {
  EXPECT_EQ(first("last"), "block_13_expand");
  EXPECT_EQ(first("last", mobilenet_v2({.width = 0.35f, .image_size = 96, .classes = 0})),
            "block_13_expand");
}

TEST(FirstTrainedNode, OfLastIsTheStridedConvolutionItselfWhereThereAreNoBlocks) {
  GraphBuilder g({8, 8, 3});
  ValueId x = g.conv("a", g.input(), {.channels = 4, .kernel = 3, .stride = 2});
  x = g.conv("b", x, {.channels = 4, .kernel = 3, .stride = 2});
  x = g.conv("c", x, {.channels = 4, .kernel = 3});
  EXPECT_EQ(first("last", g.finish(x)), "b");
}

TEST(FirstTrainedNode, OfLastIsEverythingWhereNothingHalvesThePicture) {
  GraphBuilder g({8, 8, 3});
  const ValueId x = g.conv("a", g.input(), {.channels = 4, .kernel = 3});
  EXPECT_EQ(first("last", g.finish(g.conv("b", x, {.channels = 4}))), "a");
}

TEST(FirstTrainedNode, OfABlockIsItsFirstNode) {
  EXPECT_EQ(first("block_13"), "block_13_expand");
  EXPECT_EQ(first("block_1"), "block_1_expand") << "not block_13";
  EXPECT_EQ(first("block_16"), "block_16_expand");
  EXPECT_EQ(first("expanded_conv"), "expanded_conv_depthwise");
}

TEST(FirstTrainedNode, OfANodeIsThatNode) {
  for (const char* name : {"Conv_1", "Conv1", "block_13_project", "block_2_add", "out_relu",
                           "predictions", "bn_Conv1"}) {
    EXPECT_EQ(first(name), name);
  }
}

TEST(FirstTrainedNode, NumbersCountLayersAsKerasDoes) {
  const std::vector<std::string> layers = keras_layers();
  ASSERT_EQ(layers.size(), 154u);
  const Graph graph = mobilenet_v2({.classes = 0});
  for (std::size_t number = 1; number < layers.size(); ++number) {
    // A padding layer is a part of the convolution behind it.
    const bool pads = layers[number].ends_with("_pad");
    EXPECT_EQ(first(std::to_string(number), graph), layers[pads ? number + 1 : number]) << number;
  }
  EXPECT_EQ(first("0", graph), "Conv1") << "the input has nothing to train";
}

/// From layer 100 on, as Keras' tutorial has it.
TEST(FirstTrainedNode, OfOneHundredIsTheTutorials) {
  EXPECT_EQ(keras_layers()[100], "block_11_expand_relu");
  EXPECT_EQ(first("100"), "block_11_expand_relu");
}

TEST(FirstTrainedNode, NumbersGoOnThroughTheTop) {
  EXPECT_EQ(first("154"), "global_average_pooling2d");
  EXPECT_EQ(first("155"), "predictions");
}

TEST(FirstTrainedNode, ANumberBeyondTheLastLayerIsRefusedWithHowManyThereAre) {
  const Graph graph = mobilenet_v2({.classes = 0});
  for (const char* number : {"155", "1000", "2147483647"}) {
    expect_error(ErrorKind::kUsage, AllOf(HasSubstr(number), HasSubstr("155 layers")),
                 [&] { static_cast<void>(first_trained_node(graph, number)); });
  }
}

class Unknown : public testing::TestWithParam<const char*> {};

TEST_P(Unknown, IsRefusedWithWhatThereIs) {
  expect_error(ErrorKind::kUsage,
               AllOf(HasSubstr(GetParam()), HasSubstr("last, all"), HasSubstr("block_16")),
               [&] { static_cast<void>(first_trained_node(mobilenet(), GetParam())); });
}

INSTANTIATE_TEST_SUITE_P(Names, Unknown,
                         testing::Values("", "block_17", "block_", "Block_13", "ALL", "lasts", "-1",
                                         "1.5", "13x", " 13", "99999999999999999999", "Conv_1_",
                                         "block_13_expand_B"));

TEST(UnknownName, OfANetworkWithoutBlocksNamesNone) {
  GraphBuilder g({4});
  const Graph graph = g.finish(g.dense("dense", g.input(), 2));
  expect_error(ErrorKind::kUsage, AllOf(HasSubstr("block_1"), Not(HasSubstr("or a block"))),
               [&] { static_cast<void>(first_trained_node(graph, "block_1")); });
}

TEST(SplitFrozen, OfAllHasNothingFrozen) {
  const FrozenSplit split = split_frozen(mobilenet(), 0);
  EXPECT_TRUE(split.frozen.nodes().empty());
  EXPECT_EQ(split.trained, mobilenet());
  EXPECT_THAT(split.held, IsEmpty());
}

TEST(SplitFrozen, AtABlockHoldsNothing) {
  const FrozenSplit split = split_frozen(mobilenet(), index_of("block_13_expand"));
  EXPECT_EQ(split.frozen.name(split.frozen.output()), "block_12_add");
  EXPECT_EQ(split.trained.nodes().front().name, "block_13_expand");
  EXPECT_THAT(split.held, IsEmpty());
}

TEST(SplitFrozen, WithinAResidualHoldsWhatOfTheBlockComesBefore) {
  const FrozenSplit split = split_frozen(mobilenet(), index_of("block_2_project"));
  EXPECT_EQ(split.frozen.name(split.frozen.output()), "block_1_project_BN");
  EXPECT_THAT(split.held,
              ElementsAre("block_2_expand/kernel", "block_2_expand_BN/gamma",
                          "block_2_expand_BN/beta", "block_2_depthwise/depthwise_kernel",
                          "block_2_depthwise_BN/gamma", "block_2_depthwise_BN/beta"));
}

TEST(SplitFrozen, AParameterThatALaterNodeReadsTooIsNotHeld) {
  Graph graph(Shape{2, 2, 3});
  const auto conv = [&](std::string name, ValueId x, std::string kernel) {
    return graph.append({.op = Op::kConv, .name = name, .inputs = {x}, .parameters = {kernel}},
                        {2, 2, 3});
  };
  const ValueId a = conv("a", 0, "first");
  const ValueId b = conv("b", a, "shared");
  const ValueId c = conv("c", b, "shared");
  graph.set_output(graph.append({.op = Op::kAdd, .name = "d", .inputs = {a, c}}, {2, 2, 3}));
  const FrozenSplit split = split_frozen(graph, 2);
  EXPECT_EQ(split.frozen.name(split.frozen.output()), "a");
  EXPECT_THAT(split.held, IsEmpty());
}

/// Of every node: both parts make the network, and what is trained or held is all behind it.
TEST(SplitFrozen, AtEveryNodeKeepsTheFunctionAndCountsEveryParameter) {
  const Graph graph = mobilenet_v2({.width = 0.1f, .image_size = 32, .classes = 3});
  const Weights weights = test::random_weights(graph);
  const auto parameters = reference_parameters<double>(weights);
  const auto picture = test::random_values<double>(32 * 32 * 3, 1);
  const auto run = [&](const Graph& part, const std::vector<double>& x) {
    return reference_run<double>(part, parameters, x)[static_cast<std::size_t>(part.output())];
  };
  const auto whole = run(graph, picture);
  for (std::size_t node = 0; node < graph.nodes().size(); ++node) {
    const FrozenSplit split = split_frozen(graph, node);
    EXPECT_EQ(run(split.trained, run(split.frozen, picture)), whole) << node;
    std::size_t expected = 0;
    for (std::size_t i = node; i < graph.nodes().size(); ++i) {
      const Node& n = graph.nodes()[i];
      expected += n.op == Op::kBatchNorm ? 2 : n.parameters.size();
    }
    EXPECT_EQ(trainable_parameters(split.trained).slots().size() - split.held.size(), expected);
    EXPECT_EQ(trainable_parameters(split.trained).slots().size() +
                  trainable_parameters(split.frozen).slots().size(),
              trainable_parameters(graph).slots().size());
  }
}

TEST(SplitFrozen, AParameterOfBothPartsIsHeld) {
  Graph graph(Shape{3, 3, 4});
  Node conv{.op = Op::kConv,
            .name = "a",
            .inputs = {0},
            .parameters = {"shared"},
            .attributes = {.kernel = 3, .padding = {1, 1, 1, 1}}};
  conv.inputs = {graph.append(conv, {3, 3, 4})};
  conv.name = "b";
  conv.parameters = {"own"};
  conv.inputs = {graph.append(conv, {3, 3, 4})};
  conv.name = "c";
  conv.parameters = {"shared"};
  graph.set_output(graph.append(conv, {3, 3, 4}));
  EXPECT_THAT(split_frozen(graph, 1).held, ElementsAre("shared"));
  EXPECT_THAT(split_frozen(graph, 0).held, IsEmpty());
}

TEST(DepthsOf, CountsMobileNetV2sBlocksFromTheOutput) {
  const ParameterLayout parameters = trainable_parameters(mobilenet());
  const std::vector<int> depths = depths_of(mobilenet());
  ASSERT_EQ(depths.size(), parameters.slots().size());
  std::map<std::string, int> of;
  for (std::size_t i = 0; i < depths.size(); ++i) of[parameters.slots()[i].name] = depths[i];
  EXPECT_EQ(of.at("predictions/bias"), 0);
  EXPECT_EQ(of.at("Conv_1/kernel"), 0);
  EXPECT_EQ(of.at("block_16_project/kernel"), 0);
  EXPECT_EQ(of.at("block_16_depthwise/depthwise_kernel"), 0);
  EXPECT_EQ(of.at("block_16_expand/kernel"), 1);
  EXPECT_EQ(of.at("block_15_project/kernel"), 1);
  EXPECT_EQ(of.at("block_1_expand/kernel"), 16);
  EXPECT_EQ(of.at("expanded_conv_depthwise/depthwise_kernel"), 16);
  EXPECT_EQ(of.at("bn_Conv1/gamma"), 17);
  EXPECT_EQ(of.at("Conv1/kernel"), 17);
  EXPECT_TRUE(std::ranges::is_sorted(depths, std::greater<>()));
}

TEST(DepthsOf, AHeadHasNone) {
  GraphBuilder g({4});
  const ValueId x = g.dense("hidden", g.input(), 3);
  EXPECT_THAT(depths_of(g.finish(g.dense("dense", x, 2))), ElementsAre(0, 0, 0, 0));
}

TEST(DepthsOf, AParameterOfTwoNodesIsAsDeepAsTheFirst) {
  Graph graph(Shape{3, 3, 4});
  Node conv{.op = Op::kConv,
            .name = "a",
            .inputs = {0},
            .parameters = {"w"},
            .attributes = {.kernel = 3, .padding = {1, 1, 1, 1}}};
  conv.inputs = {graph.append(conv, {3, 3, 4})};
  conv.name = "b";
  graph.set_output(graph.append(conv, {3, 3, 4}));
  EXPECT_THAT(depths_of(graph), ElementsAre(1));
}

}  // namespace engraft::freeze_test
