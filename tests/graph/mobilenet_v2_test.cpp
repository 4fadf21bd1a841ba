#include "engraft/graph/mobilenet_v2.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "engraft/graph/shape_inference.h"
#include "support/errors.h"

namespace engraft::mobilenet_v2_test {

using ::testing::HasSubstr;

std::int64_t parameters(const Graph& graph) {
  std::int64_t total = 0;
  for (const auto& [name, shape] : parameter_shapes(graph)) total += shape.elements();
  return total;
}

/// Multiplications and additions of the convolutions and the dense layer, in millions.
double mmacs(const Graph& graph) {
  double total = 0;
  for (const Node& node : graph.nodes()) {
    if (node.parameters.empty() || node.op == Op::kBatchNorm) continue;
    const Shape& out = graph.shape(node.output);
    const double area = out.rank() == 3 ? static_cast<double>(out[0] * out[1]) : 1;
    total += area * static_cast<double>(parameter_shapes(graph, node)[0].elements());
  }
  return total / 1e6;
}

int count(const Graph& graph, Op op) {
  int n = 0;
  for (const Node& node : graph.nodes()) n += node.op == op;
  return n;
}

struct Width {
  float width;
  std::int64_t base, with_top;
  double mmacs;
  int features;
};

class EveryWidth : public testing::TestWithParam<Width> {};

TEST_P(EveryWidth, HasThePublishedNumberOfParameters) {
  const Width& w = GetParam();
  EXPECT_EQ(parameters(mobilenet_v2({.width = w.width, .classes = 0})), w.base);
  EXPECT_EQ(parameters(mobilenet_v2({.width = w.width})), w.with_top);
}

TEST_P(EveryWidth, HasThePublishedNumberOfOperations) {
  EXPECT_NEAR(mmacs(mobilenet_v2({.width = GetParam().width})), GetParam().mmacs, 0.06);
}

TEST_P(EveryWidth, PoolsToThePublishedFeatures) {
  const Graph graph = mobilenet_v2({.width = GetParam().width, .classes = 0});
  EXPECT_EQ(graph.name(graph.output()), kPooledValue);
  EXPECT_EQ(graph.shape(graph.output()), (Shape{GetParam().features}));
}

TEST_P(EveryWidth, ParametersDoNotDependOnTheImageSize) {
  const auto shapes = parameter_shapes(mobilenet_v2({.width = GetParam().width}));
  for (const int size : {32, 33, 96, 97, 128, 160, 192, 331}) {
    EXPECT_EQ(parameter_shapes(mobilenet_v2({.width = GetParam().width, .image_size = size})),
              shapes);
  }
}

INSTANTIATE_TEST_SUITE_P(Published, EveryWidth,
                         testing::Values(Width{0.35f, 410'208, 1'691'208, 59.3, 1280},
                                         Width{0.5f, 706'224, 1'987'224, 97.1, 1280},
                                         Width{0.75f, 1'382'064, 2'663'064, 209.1, 1280},
                                         Width{1.0f, 2'257'984, 3'538'984, 300.8, 1280},
                                         Width{1.3f, 3'766'048, 5'431'048, 509.4, 1664},
                                         Width{1.4f, 4'363'712, 6'156'712, 582.2, 1792}));

class EverySize : public testing::TestWithParam<int> {};

TEST_P(EverySize, HalvesFiveTimesRoundingUp) {
  const int size = GetParam();
  const Graph graph = mobilenet_v2({.image_size = size});
  EXPECT_EQ(graph.shape(graph.input()), (Shape{size, size, 3}));
  int expected = size;
  for (const char* name : {"Conv1", "block_1_depthwise", "block_3_depthwise", "block_6_depthwise",
                           "block_13_depthwise"}) {
    expected = (expected + 1) / 2;
    EXPECT_EQ(graph.shape(graph.find(name))[0], expected) << name;
    EXPECT_EQ(graph.shape(graph.find(name))[1], expected) << name;
  }
  EXPECT_EQ(graph.shape(graph.find("out_relu"))[0], expected);
}

TEST_P(EverySize, PadsAsKerasCorrectPad) {
  const Graph graph = mobilenet_v2({.image_size = GetParam()});
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::kConv && node.op != Op::kDepthwiseConv) continue;
    Padding expected;
    if (node.attributes.kernel == 3) {
      const bool even = graph.shape(node.inputs[0])[0] % 2 == 0;
      const int before = node.attributes.stride == 2 && even ? 0 : 1;
      expected = {before, before, 1, 1};
    }
    EXPECT_EQ(node.attributes.padding, expected) << node.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, EverySize,
                         testing::Values(32, 33, 47, 63, 64, 65, 96, 97, 100, 128, 160, 161, 192,
                                         200, 223, 224, 225, 299, 331, 512));

TEST(MobileNetV2, HasTheLayersOfThePaper) {
  const Graph graph = mobilenet_v2({});
  EXPECT_EQ(count(graph, Op::kConv), 35);
  EXPECT_EQ(count(graph, Op::kDepthwiseConv), 17);
  EXPECT_EQ(count(graph, Op::kBatchNorm), 52);
  EXPECT_EQ(count(graph, Op::kRelu6), 35);
  EXPECT_EQ(count(graph, Op::kAdd), 10);
  EXPECT_EQ(count(graph, Op::kDense), 1);
}

TEST(MobileNetV2, HasKerasLayerNames) {
  const Graph graph = mobilenet_v2({});
  for (const char* name : {"Conv1",
                           "bn_Conv1",
                           "Conv1_relu",
                           "expanded_conv_depthwise",
                           "expanded_conv_depthwise_BN",
                           "expanded_conv_depthwise_relu",
                           "expanded_conv_project",
                           "expanded_conv_project_BN",
                           "block_1_expand",
                           "block_1_expand_BN",
                           "block_1_expand_relu",
                           "block_1_depthwise",
                           "block_2_add",
                           "block_16_project_BN",
                           "Conv_1",
                           "Conv_1_bn",
                           "out_relu",
                           "global_average_pooling2d",
                           "predictions",
                           "predictions_softmax"}) {
    EXPECT_TRUE(graph.contains(name)) << name;
  }
  EXPECT_FALSE(graph.contains("expanded_conv_expand"));
  EXPECT_FALSE(graph.contains("block_17_expand"));
  for (const int block : {2, 4, 5, 7, 8, 9, 11, 12, 14, 15}) {
    EXPECT_TRUE(graph.contains("block_" + std::to_string(block) + "_add")) << block;
  }
  const auto shapes = parameter_shapes(graph);
  EXPECT_EQ(shapes.size(), 262u);
  EXPECT_EQ(shapes.at("Conv1/kernel"), (Shape{3, 3, 3, 32}));
  EXPECT_EQ(shapes.at("block_16_depthwise/depthwise_kernel"), (Shape{3, 3, 960}));
  EXPECT_EQ(shapes.at("predictions/kernel"), (Shape{1280, 1000}));
  EXPECT_EQ(shapes.at("predictions/bias"), (Shape{1000}));
}

TEST(MobileNetV2, ProjectionsAreLinear) {
  const Graph graph = mobilenet_v2({});
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::kRelu6) continue;
    EXPECT_EQ(graph.name(node.inputs[0]).find("project"), std::string::npos) << node.name;
  }
}

TEST(MobileNetV2, BatchNormsHaveKerasEpsilon) {
  const Graph graph = mobilenet_v2({});
  for (const Node& node : graph.nodes()) {
    if (node.op == Op::kBatchNorm) {
      EXPECT_EQ(node.attributes.epsilon, 1e-3f) << node.name;
    }
  }
}

TEST(MobileNetV2, WithATopGivesProbabilities) {
  const Graph graph = mobilenet_v2({.classes = 7});
  EXPECT_EQ(graph.name(graph.output()), kProbabilitiesValue);
  EXPECT_EQ(graph.shape(graph.output()), (Shape{7}));
  EXPECT_EQ(graph.shape(graph.find(kLogitsValue)), (Shape{7}));
}

TEST(MobileNetV2, EveryChannelCountIsAMultipleOfEight) {
  for (int hundredths = 5; hundredths <= 300; hundredths += 5) {
    const Graph graph = mobilenet_v2({.width = static_cast<float>(hundredths) / 100});
    for (const Node& node : graph.nodes()) {
      if (node.op == Op::kConv) {
        EXPECT_EQ(graph.shape(node.output)[2] % 8, 0) << hundredths;
      }
    }
  }
}

TEST(MobileNetV2, RefusesSpecsOutOfRange) {
  for (const float width : {0.0f, -1.0f, 16.5f, std::numeric_limits<float>::quiet_NaN()}) {
    test::expect_error(ErrorKind::kUsage, HasSubstr("width"),
                       [&] { static_cast<void>(mobilenet_v2({.width = width})); });
  }
  for (const int size : {0, 31, -224, 4097}) {
    test::expect_error(ErrorKind::kUsage, HasSubstr("image size"),
                       [&] { static_cast<void>(mobilenet_v2({.image_size = size})); });
  }
  for (const int classes : {-1, 1'000'001}) {
    test::expect_error(ErrorKind::kUsage, HasSubstr("classes"),
                       [&] { static_cast<void>(mobilenet_v2({.classes = classes})); });
  }
}

TEST(MobileNetV2, TakesAnyNumberOfFeatures) {
  const Graph graph =
      mobilenet_v2({.width = 0.35f, .image_size = 64, .classes = 0, .features = 1664});
  EXPECT_EQ(graph.shape(graph.output()), (Shape{1664}));
  EXPECT_EQ(mobilenet_v2({.width = 0.35f, .image_size = 64, .features = 1280}),
            mobilenet_v2({.width = 0.35f, .image_size = 64}));
  for (const int features : {-1, 65537}) {
    test::expect_error(ErrorKind::kUsage, HasSubstr("features"),
                       [&] { (void)mobilenet_v2({.features = features}); });
  }
}

TEST(MakeDivisible, RoundsToEightsAndNeverLosesMoreThanATenth) {
  EXPECT_EQ(make_divisible(0), 8);
  EXPECT_EQ(make_divisible(3), 8);
  EXPECT_EQ(make_divisible(11), 16);  // 8 would lose more than a tenth
  EXPECT_EQ(make_divisible(12), 16);
  EXPECT_EQ(make_divisible(18), 24);  // likewise 16
  EXPECT_EQ(make_divisible(32), 32);
  EXPECT_EQ(make_divisible(1280 * 1.4), 1792);
  for (double v = 1; v < 500; v += 0.5) {
    EXPECT_EQ(make_divisible(v) % 8, 0);
    EXPECT_GE(make_divisible(v), 0.9 * v);
    EXPECT_LE(std::abs(make_divisible(v) - v), 12);
  }
}

}  // namespace engraft::mobilenet_v2_test
