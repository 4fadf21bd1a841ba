#include "engraft/graph/graph.h"

#include <gmock/gmock.h>

#include <set>

#include "engraft/base/error.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/weights.h"
#include "support/errors.h"

namespace engraft::graph_test {

using ::testing::HasSubstr;

TEST(Graph, StartsWithItsInputAsOutput) {
  const Graph graph({32, 32, 3});
  EXPECT_EQ(graph.value_count(), 1);
  EXPECT_EQ(graph.input(), 0);
  EXPECT_EQ(graph.output(), 0);
  EXPECT_EQ(graph.name(0), kInputValue);
  EXPECT_EQ(graph.shape(0), (Shape{32, 32, 3}));
}

TEST(Graph, AppendGivesTheOutputTheNodesName) {
  Graph graph({4});
  const ValueId relu = graph.append({.op = Op::kRelu, .name = "r", .inputs = {0}}, {4});
  EXPECT_EQ(relu, 1);
  EXPECT_EQ(graph.name(relu), "r");
  EXPECT_EQ(graph.nodes().at(0).output, relu);
  EXPECT_EQ(graph.find("r"), relu);
  EXPECT_TRUE(graph.contains("r"));
  EXPECT_FALSE(graph.contains("s"));
}

TEST(Graph, RefusesNamesThatAreEmptyOrTaken) {
  Graph graph({4});
  graph.append({.op = Op::kRelu, .name = "r", .inputs = {0}}, {4});
  test::expect_error(ErrorKind::kUsage, HasSubstr("no name"),
                     [&] { graph.append({.op = Op::kRelu, .name = "", .inputs = {0}}, {4}); });
  test::expect_error(ErrorKind::kUsage, HasSubstr("r: the graph already"),
                     [&] { graph.append({.op = Op::kRelu, .name = "r", .inputs = {0}}, {4}); });
  test::expect_error(ErrorKind::kUsage, HasSubstr("already"), [&] {
    graph.append({.op = Op::kRelu, .name = std::string(kInputValue), .inputs = {0}}, {4});
  });
  EXPECT_EQ(graph.value_count(), 2);
}

TEST(Graph, RefusesInputsThatDoNotExistYet) {
  Graph graph({4});
  for (const ValueId input : {-1, 1, 1000}) {
    test::expect_error(ErrorKind::kUsage, HasSubstr("does not exist"), [&] {
      graph.append({.op = Op::kRelu, .name = "r", .inputs = {input}}, {4});
    });
  }
}

TEST(Graph, RefusesAnOutputThatDoesNotExist) {
  Graph graph({4});
  for (const ValueId value : {-1, 1}) {
    test::expect_error(ErrorKind::kUsage, HasSubstr("does not exist"),
                       [&] { graph.set_output(value); });
  }
}

TEST(Graph, FindNamesTheNearest) {
  GraphBuilder builder({4});
  ValueId x = builder.apply(Op::kRelu, "out_relu", builder.input());
  x = builder.apply(Op::kRelu, "predictions", x);
  for (int i = 0; i < 20; ++i) {
    x = builder.apply(Op::kRelu, "some_other_layer_" + std::to_string(i), x);
  }
  const Graph graph = builder.finish(x);
  test::expect_error(ErrorKind::kNotFound, HasSubstr("near names: predictions,"),
                     [&] { static_cast<void>(graph.find("prediction")); });
  test::expect_error(ErrorKind::kNotFound, HasSubstr("out_relu"),
                     [&] { static_cast<void>(graph.find("outrelu")); });
}

TEST(Graph, EqualityCoversNamesAttributesShapesAndOutput) {
  const auto build = [](std::string name, float rate) {
    GraphBuilder builder({4});
    builder.dropout(std::move(name), builder.input(), rate);
    return builder.finish(1);
  };
  EXPECT_EQ(build("d", 0.5f), build("d", 0.5f));
  EXPECT_NE(build("d", 0.5f), build("e", 0.5f));
  EXPECT_NE(build("d", 0.5f), build("d", 0.25f));
  Graph other = build("d", 0.5f);
  other.set_output(0);
  EXPECT_NE(other, build("d", 0.5f));
}

TEST(Op, EveryOneHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int op = 0; op <= static_cast<int>(Op::kMultiply); ++op) {
    names.insert(name_of(static_cast<Op>(op)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Op::kMultiply) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(Weights, KeepCountAndShare) {
  Weights weights;
  EXPECT_EQ(weights.count(), 0);
  weights.set("a", Tensor(Shape{2, 3}));
  weights.set("b", Tensor(Shape{5}));
  EXPECT_EQ(weights.count(), 11);
  EXPECT_TRUE(weights.contains("a"));
  EXPECT_FALSE(weights.contains("c"));

  Weights other;
  other.set("a", weights.share("a"));
  EXPECT_EQ(&other.at("a"), &weights.at("a"));
  weights.set("a", Tensor(Shape{1}));
  EXPECT_EQ(weights.count(), 6);
  EXPECT_EQ(other.count(), 6);
}

TEST(Weights, NameTheMissingParameter) {
  const Weights weights;
  test::expect_error(ErrorKind::kNotFound, HasSubstr("Conv1/kernel"),
                     [&] { static_cast<void>(weights.at("Conv1/kernel")); });
  test::expect_error(ErrorKind::kNotFound, HasSubstr("Conv1/kernel"),
                     [&] { static_cast<void>(weights.share("Conv1/kernel")); });
}

}  // namespace engraft::graph_test
