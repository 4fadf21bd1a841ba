#include "engraft/graph/shape_inference.h"

#include <gmock/gmock.h>

#include <limits>

#include "engraft/graph/graph_builder.h"
#include "support/errors.h"

namespace engraft::shape_inference_test {

using ::testing::AllOf;
using ::testing::HasSubstr;

Node conv(Attributes attributes) {
  return {.op = Op::kConv,
          .name = "c",
          .inputs = {0},
          .parameters = {"c/kernel"},
          .attributes = attributes};
}

Shape infer(const Node& node, std::vector<Shape> inputs, std::vector<Shape> parameters = {}) {
  return infer_shape(node, inputs, parameters);
}

struct SameCase {
  int size, kernel, stride, before, after;
};

class SamePadding : public testing::TestWithParam<SameCase> {};

TEST_P(SamePadding, IsTensorFlows) {
  const SameCase& c = GetParam();
  const Padding padding = same_padding({c.size, c.size, 3}, c.kernel, c.stride);
  EXPECT_EQ(padding, (Padding{c.before, c.before, c.after, c.after}));
}

INSTANTIATE_TEST_SUITE_P(Sizes, SamePadding,
                         testing::Values(SameCase{224, 3, 2, 0, 1}, SameCase{112, 3, 2, 0, 1},
                                         SameCase{7, 3, 2, 1, 1}, SameCase{225, 3, 2, 1, 1},
                                         SameCase{7, 3, 1, 1, 1}, SameCase{8, 3, 1, 1, 1},
                                         SameCase{224, 1, 1, 0, 0}, SameCase{224, 1, 2, 0, 0},
                                         SameCase{10, 5, 1, 2, 2}, SameCase{10, 5, 2, 1, 2},
                                         SameCase{1, 3, 2, 1, 1}, SameCase{1, 3, 1, 1, 1}));

TEST(SamePadding, OutputIsTheInputOverTheStrideRoundedUp) {
  for (int size = 1; size <= 40; ++size) {
    for (const int kernel : {1, 2, 3, 5, 7}) {
      for (const int stride : {1, 2, 3}) {
        const Shape input{size, size + 3, 4};
        const Node node = conv(
            {.kernel = kernel, .stride = stride, .padding = same_padding(input, kernel, stride)});
        const Shape output = infer(node, {input}, {{kernel, kernel, 4, 8}});
        EXPECT_EQ(output,
                  (Shape{(size + stride - 1) / stride, (size + 3 + stride - 1) / stride, 8}))
            << size << " " << kernel << " " << stride;
      }
    }
  }
}

TEST(SamePadding, TreatsRowsAndColumnsApart) {
  EXPECT_EQ(same_padding({224, 225, 3}, 3, 2),
            (Padding{.top = 0, .left = 1, .bottom = 1, .right = 1}));
}

TEST(InferShape, ConvolutionWithoutPadding) {
  EXPECT_EQ(infer(conv({.kernel = 3}), {{5, 6, 2}}, {{3, 3, 2, 7}}), (Shape{3, 4, 7}));
  EXPECT_EQ(infer(conv({.kernel = 3, .stride = 2}), {{5, 6, 2}}, {{3, 3, 2, 7}}), (Shape{2, 2, 7}));
}

TEST(InferShape, ConvolutionRefusesAKernelOfOtherShape) {
  for (const Shape& kernel : {Shape{3, 3, 3, 7}, Shape{1, 1, 2, 7}, Shape{3, 1, 2, 7},
                              Shape{3, 3, 2}, Shape{3, 3, 2, 0}, Shape{}, Shape{3, 3, 2, 7, 1}}) {
    test::expect_error(ErrorKind::kBadInput, HasSubstr("c (conv)"), [&] {
      infer(conv({.kernel = 3}), {{5, 6, 2}}, {kernel});
    });
  }
}

TEST(InferShape, MisfitNamesNodeParameterAndBothShapes) {
  test::expect_error(ErrorKind::kBadInput,
                     AllOf(HasSubstr("c/kernel"), HasSubstr("[3,3,9,7]"), HasSubstr("[3,3,2,7]")),
                     [&] {
                       infer(conv({.kernel = 3}), {{5, 6, 2}}, {{3, 3, 9, 7}});
                     });
}

TEST(InferShape, ConvolutionRefusesAPictureSmallerThanItsWindow) {
  test::expect_error(ErrorKind::kBadInput, HasSubstr("smaller"), [&] {
    infer(conv({.kernel = 3}), {{2, 6, 2}}, {{3, 3, 2, 7}});
  });
  test::expect_error(ErrorKind::kBadInput, HasSubstr("smaller"), [&] {
    infer(conv({.kernel = 3}), {{6, 2, 2}}, {{3, 3, 2, 7}});
  });
}

TEST(InferShape, ConvolutionRefusesAttributesOutOfRange) {
  constexpr int kHuge = std::numeric_limits<int>::max();
  for (const Attributes& a :
       {Attributes{.kernel = 0}, Attributes{.kernel = -3}, Attributes{.kernel = kHuge},
        Attributes{.stride = 0}, Attributes{.stride = -1}, Attributes{.stride = kHuge},
        Attributes{.padding = {.top = -1}}, Attributes{.padding = {.left = kHuge}},
        Attributes{.padding = {.bottom = kHuge}}, Attributes{.padding = {.right = -5}}}) {
    test::expect_error(ErrorKind::kBadInput, HasSubstr("out of range"), [&] {
      infer(conv(a), {{5, 6, 2}}, {{a.kernel, a.kernel, 2, 7}});
    });
  }
}

TEST(InferShape, BiasMustMatchTheChannels) {
  Node node = conv({});
  node.parameters.push_back("c/bias");
  EXPECT_EQ(infer(node, {{5, 6, 2}}, {{1, 1, 2, 7}, {7}}), (Shape{5, 6, 7}));
  test::expect_error(ErrorKind::kBadInput, HasSubstr("c/bias"), [&] {
    infer(node, {{5, 6, 2}}, {{1, 1, 2, 7}, {6}});
  });
}

TEST(InferShape, DepthwiseKeepsItsChannels) {
  const Node node{.op = Op::kDepthwiseConv,
                  .name = "d",
                  .inputs = {0},
                  .parameters = {"d/depthwise_kernel"},
                  .attributes = {.kernel = 3, .padding = {1, 1, 1, 1}}};
  EXPECT_EQ(infer(node, {{5, 6, 2}}, {{3, 3, 2}}), (Shape{5, 6, 2}));
  for (const Shape& kernel : {Shape{3, 3, 3}, Shape{3, 3, 2, 1}, Shape{5, 5, 2}, Shape{3, 3}}) {
    test::expect_error(ErrorKind::kBadInput, HasSubstr("d (depthwise_conv)"), [&] {
      infer(node, {{5, 6, 2}}, {kernel});
    });
  }
}

TEST(InferShape, Dense) {
  const Node node{
      .op = Op::kDense, .name = "d", .inputs = {0}, .parameters = {"d/kernel", "d/bias"}};
  EXPECT_EQ(infer(node, {{5}}, {{5, 3}, {3}}), (Shape{3}));
  test::expect_error(ErrorKind::kBadInput, HasSubstr("rank"), [&] {
    infer(node, {{1, 1, 5}}, {{5, 3}, {3}});
  });
  test::expect_error(ErrorKind::kBadInput, HasSubstr("d/kernel"), [&] {
    infer(node, {{5}}, {{4, 3}, {3}});
  });
  test::expect_error(ErrorKind::kBadInput, HasSubstr("d/bias"), [&] {
    infer(node, {{5}}, {{5, 3}, {4}});
  });
}

TEST(InferShape, BatchNormNeedsFourVectors) {
  Node node{.op = Op::kBatchNorm,
            .name = "b",
            .inputs = {0},
            .parameters = {"b/gamma", "b/beta", "b/moving_mean", "b/moving_variance"},
            .attributes = {.epsilon = 1e-3f}};
  EXPECT_EQ(infer(node, {{5, 6, 2}}, {{2}, {2}, {2}, {2}}), (Shape{5, 6, 2}));
  EXPECT_EQ(infer(node, {{2}}, {{2}, {2}, {2}, {2}}), (Shape{2}));
  test::expect_error(ErrorKind::kBadInput, HasSubstr("b/moving_variance"), [&] {
    infer(node, {{5, 6, 2}}, {{2}, {2}, {2}, {3}});
  });
  test::expect_error(ErrorKind::kBadInput, HasSubstr("3 parameters"), [&] {
    infer(node, {{5, 6, 2}}, {{2}, {2}, {2}});
  });
  for (const float epsilon : {-1.0f, 1.0f, std::numeric_limits<float>::quiet_NaN()}) {
    node.attributes.epsilon = epsilon;
    test::expect_error(ErrorKind::kBadInput, HasSubstr("epsilon"), [&] {
      infer(node, {{2}}, {{2}, {2}, {2}, {2}});
    });
  }
}

TEST(InferShape, AddNeedsEqualShapes) {
  const Node node{.op = Op::kAdd, .name = "a", .inputs = {0, 0}};
  EXPECT_EQ(infer(node, {{5, 6, 2}, {5, 6, 2}}), (Shape{5, 6, 2}));
  test::expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("[5,6,2]"), HasSubstr("[5,6,1]")), [&] {
    infer(node, {{5, 6, 2}, {5, 6, 1}});
  });
  test::expect_error(ErrorKind::kBadInput, HasSubstr("1 inputs"), [&] {
    infer(node, {{5, 6, 2}});
  });
}

TEST(InferShape, MultiplyTakesOneShapeOrOneFactorAChannel) {
  const Node node{.op = Op::kMultiply, .name = "m", .inputs = {0, 0}};
  EXPECT_EQ(infer(node, {{5, 6, 2}, {5, 6, 2}}), (Shape{5, 6, 2}));
  EXPECT_EQ(infer(node, {{5, 6, 2}, {2}}), (Shape{5, 6, 2}));
  EXPECT_EQ(infer(node, {{7}, {7}}), (Shape{7}));
  for (const auto& [a, b] : {std::pair<Shape, Shape>{{5, 6, 2}, {5}},
                             {{5, 6, 2}, {1, 1, 2}},
                             {{5, 6, 2}, {6, 5, 2}},
                             {{2}, {5, 6, 2}},
                             {{7}, {1}},
                             {{6, 2}, {2}},
                             {{5, 6, 2}, Shape{}}}) {
    test::expect_error(
        ErrorKind::kBadInput,
        AllOf(HasSubstr("m (multiply)"), HasSubstr(a.to_string()), HasSubstr(b.to_string())),
        [&, &a = a, &b = b] {
          infer(node, {a, b});
        });
  }
  test::expect_error(ErrorKind::kBadInput, HasSubstr("1 inputs"), [&] {
    infer(node, {{5, 6, 2}});
  });
}

TEST(InferShape, PoolTakesTheAreaAway) {
  const Node node{.op = Op::kGlobalAveragePool, .name = "p", .inputs = {0}};
  EXPECT_EQ(infer(node, {{7, 7, 1280}}), (Shape{1280}));
  test::expect_error(ErrorKind::kBadInput, HasSubstr("rank"), [&] { infer(node, {{1280}}); });
  test::expect_error(ErrorKind::kBadInput, HasSubstr("average"), [&] { infer(node, {{0, 7, 1}}); });
}

TEST(InferShape, DropoutRateIsAShare) {
  Node node{.op = Op::kDropout, .name = "d", .inputs = {0}};
  for (const float rate : {0.0f, 0.2f, 0.999f}) {
    node.attributes.rate = rate;
    EXPECT_EQ(infer(node, {{7}}), (Shape{7}));
  }
  for (const float rate : {-0.1f, 1.0f, std::numeric_limits<float>::infinity(),
                           std::numeric_limits<float>::quiet_NaN()}) {
    node.attributes.rate = rate;
    test::expect_error(ErrorKind::kBadInput, HasSubstr("rate"), [&] { infer(node, {{7}}); });
  }
}

TEST(InferShape, ElementwiseKeepsTheShape) {
  for (const Op op : {Op::kRelu, Op::kRelu6, Op::kSoftmax, Op::kSigmoid, Op::kDropout,
                      Op::kHardSigmoid, Op::kHardSwish}) {
    const Node node{.op = op, .name = "e", .inputs = {0}};
    EXPECT_EQ(infer(node, {{7, 3, 2}}), (Shape{7, 3, 2}));
    EXPECT_EQ(infer(node, {{9}}), (Shape{9}));
    test::expect_error(ErrorKind::kBadInput, HasSubstr("2 inputs"), [&] {
      infer(node, {{9}, {9}});
    });
    test::expect_error(ErrorKind::kBadInput, HasSubstr("no axes"), [&] { infer(node, {Shape{}}); });
    test::expect_error(ErrorKind::kBadInput, HasSubstr("1 parameters"),
                       [&] { infer(node, {{9}}, {{9}}); });
  }
}

TEST(ParameterShapes, FollowFromTheGraphAlone) {
  GraphBuilder builder({9, 9, 3});
  ValueId x =
      builder.conv("c", builder.input(), {.channels = 8, .kernel = 3, .bias = Bias::kAdded});
  x = builder.depthwise_conv("d", x, {.kernel = 5, .stride = 2, .bias = Bias::kAdded});
  x = builder.batch_norm("b", x, 1e-3f);
  x = builder.apply(Op::kGlobalAveragePool, "p", x);
  x = builder.dense("f", x, 4);
  const Graph graph = builder.finish(x);
  const std::map<std::string, Shape> expected{{"c/kernel", {3, 3, 3, 8}},
                                              {"c/bias", {8}},
                                              {"d/depthwise_kernel", {5, 5, 8}},
                                              {"d/bias", {8}},
                                              {"b/gamma", {8}},
                                              {"b/beta", {8}},
                                              {"b/moving_mean", {8}},
                                              {"b/moving_variance", {8}},
                                              {"f/kernel", {8, 4}},
                                              {"f/bias", {4}}};
  EXPECT_EQ(parameter_shapes(graph), expected);
}

TEST(ParameterShapes, RefuseOneNameInTwoShapes) {
  Graph graph({4});
  graph.append({.op = Op::kDense, .name = "a", .inputs = {0}, .parameters = {"k"}}, {3});
  graph.append({.op = Op::kDense, .name = "b", .inputs = {1}, .parameters = {"k"}}, {3});
  test::expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("[4,3]"), HasSubstr("[3,3]")),
                     [&] { static_cast<void>(parameter_shapes(graph)); });
}

}  // namespace engraft::shape_inference_test
