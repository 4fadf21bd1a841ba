#include "engraft/graph/parameter_layout.h"

#include <gmock/gmock.h>

#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/shape_inference.h"
#include "support/errors.h"
#include "support/random_weights.h"

namespace engraft::parameter_layout_test {

using test::expect_error;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Graph small() {
  GraphBuilder g({4, 4, 3});
  ValueId x = g.conv("conv", g.input(), {.channels = 2, .bias = Bias::kAdded});
  x = g.batch_norm("bn", x, 1e-3f);
  return g.finish(g.dense("dense", g.apply(Op::kGlobalAveragePool, "pool", x), 5));
}

std::vector<std::string> names_of(const ParameterLayout& layout) {
  std::vector<std::string> names;
  for (const auto& slot : layout.slots()) names.push_back(slot.name);
  return names;
}

TEST(ParameterLayout, HoldsTrainableParametersInTheOrderOfTheNodesWithoutGaps) {
  const ParameterLayout layout = trainable_parameters(small());
  EXPECT_THAT(names_of(layout), ElementsAre("conv/kernel", "conv/bias", "bn/gamma", "bn/beta",
                                            "dense/kernel", "dense/bias"));
  std::size_t offset = 0;
  for (const auto& slot : layout.slots()) {
    EXPECT_EQ(slot.offset, offset);
    EXPECT_EQ(slot.size, static_cast<std::size_t>(slot.shape.elements()));
    offset += slot.size;
  }
  EXPECT_EQ(layout.size(), offset);
  EXPECT_EQ(layout.size(), 6u + 2 + 2 + 2 + 10 + 5);
}

TEST(ParameterLayout, HoldsMovingStatisticsApart) {
  EXPECT_THAT(names_of(moving_statistics(small())),
              ElementsAre("bn/moving_mean", "bn/moving_variance"));
  EXPECT_EQ(moving_statistics(small()).size(), 4u);
}

TEST(ParameterLayout, BothTogetherAreAllOfMobileNetV2) {
  const Graph graph = mobilenet_v2({});
  const ParameterLayout trained = trainable_parameters(graph);
  EXPECT_EQ(trained.size() + moving_statistics(graph).size(), 3'538'984u);
  EXPECT_EQ(moving_statistics(graph).size(), 34'112u);
  for (const auto& [name, shape] : parameter_shapes(graph)) {
    EXPECT_NE(trained.contains(name), name.find("/moving_") != std::string::npos) << name;
  }
}

TEST(ParameterLayout, AParameterOfTwoNodesHasOneSlot) {
  Graph graph(Shape{3, 3, 4});
  Node conv{.op = Op::kConv, .name = "a", .inputs = {0}, .parameters = {"w"}};
  conv.inputs = {graph.append(conv, {3, 3, 4})};
  conv.name = "b";
  graph.set_output(graph.append(conv, {3, 3, 4}));
  EXPECT_THAT(names_of(trainable_parameters(graph)), ElementsAre("w"));
}

TEST(ParameterLayout, OfAGraphWithoutParametersIsEmpty) {
  const Graph graph(Shape{4});
  EXPECT_EQ(trainable_parameters(graph).size(), 0u);
  EXPECT_THAT(trainable_parameters(graph).gather({}), IsEmpty());
}

TEST(ParameterLayout, GatherAndScatterAreEachOthersInverse) {
  const Graph graph = small();
  const Weights weights = test::random_weights(graph);
  Weights back;
  for (const ParameterLayout& layout : {trainable_parameters(graph), moving_statistics(graph)}) {
    const std::vector<float> flat = layout.gather(weights);
    layout.scatter(flat, back);
    EXPECT_EQ(layout.gather(back), flat);
  }
  ASSERT_EQ(back.all().size(), weights.all().size());
  for (const auto& [name, tensor] : weights.all()) {
    EXPECT_EQ(back.at(name).shape(), tensor->shape());
    EXPECT_TRUE(std::ranges::equal(back.at(name).values(), tensor->values())) << name;
  }
}

TEST(ParameterLayout, ScatterTouchesNothingElseAndCopies) {
  const Graph graph = small();
  Weights weights = test::random_weights(graph);
  const auto mean = weights.share("bn/moving_mean"), kernel = weights.share("conv/kernel");
  const float before = kernel->data()[0];
  const ParameterLayout layout = trainable_parameters(graph);
  std::vector<float> flat(layout.size(), 7.0f);
  layout.scatter(flat, weights);
  EXPECT_EQ(weights.share("bn/moving_mean"), mean);
  EXPECT_EQ(kernel->data()[0], before) << "others may hold the old tensor";
  flat[0] = 8;
  EXPECT_EQ(weights.at("conv/kernel").data()[0], 7.0f);
}

TEST(ParameterLayout, APartOfTheArrayIsAskedForByName) {
  const ParameterLayout layout = trainable_parameters(small());
  std::vector<float> flat(layout.size());
  for (std::size_t i = 0; i < flat.size(); ++i) flat[i] = static_cast<float>(i);
  EXPECT_THAT(layout.of(std::span<const float>(flat), "bn/beta"), ElementsAre(10, 11));
  layout.of(std::span(flat), "bn/beta")[1] = -1;
  EXPECT_EQ(flat[11], -1);
  EXPECT_THAT(layout.of(std::span(flat), ""), IsEmpty());
  EXPECT_THAT(layout.of(std::span<const float>(flat), ""), IsEmpty());
}

TEST(ParameterLayout, UnknownNamesAreNamed) {
  const ParameterLayout layout = trainable_parameters(small());
  std::vector<float> flat(layout.size());
  EXPECT_FALSE(layout.contains("bn/moving_mean"));
  expect_error(ErrorKind::kNotFound, HasSubstr("bn/moving_mean"),
               [&] { static_cast<void>(layout.at("bn/moving_mean")); });
  expect_error(ErrorKind::kNotFound, HasSubstr("nothing"),
               [&] { static_cast<void>(layout.of(std::span(flat), "nothing")); });
}

TEST(ParameterLayout, WeightsThatLackAParameterOrHaveAnotherShapeAreRefused) {
  const Graph graph = small();
  const ParameterLayout layout = trainable_parameters(graph);
  Weights weights = test::random_weights(graph);
  weights.set("dense/kernel", Tensor(Shape{5, 2}));
  expect_error(ErrorKind::kBadInput,
               AllOf(HasSubstr("dense/kernel"), HasSubstr(Shape({5, 2}).to_string()),
                     HasSubstr(Shape({2, 5}).to_string())),
               [&] { static_cast<void>(layout.gather(weights)); });
  expect_error(ErrorKind::kNotFound, HasSubstr("conv/kernel"),
               [&] { static_cast<void>(layout.gather(Weights())); });
}

}  // namespace engraft::parameter_layout_test
