// A network in two: cut_at() a value and the part_behind() it.
#include <gmock/gmock.h>

#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/surgery.h"
#include "interpreter.h"
#include "support/errors.h"
#include "support/random_values.h"
#include "support/random_weights.h"

namespace engraft::parting_test {

using test::expect_error;
using test::Interpreter;
using ::testing::AllOf;
using ::testing::HasSubstr;

Graph small() {
  return mobilenet_v2({.width = 0.1f, .image_size = 32, .classes = 4});
}

bool can_part(const Graph& graph, ValueId value) {
  try {
    static_cast<void>(part_behind(graph, value));
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(PartBehind, JoinedWithWhatLiesBeforeIsTheWholeGraph) {
  const Graph graph = small();
  const Weights weights = test::random_weights(graph);
  const auto picture = test::random_values<double>(32 * 32 * 3, 1);
  const auto whole = Interpreter(graph, weights).run(picture);
  int parted = 0;
  for (ValueId value = 0; value < graph.value_count(); ++value) {
    if (!can_part(graph, value)) continue;
    ++parted;
    const Graph before = cut_at(graph, value), behind = part_behind(graph, value);
    EXPECT_EQ(before.nodes().size() + behind.nodes().size(), graph.nodes().size());
    EXPECT_EQ(behind.shape(behind.input()), graph.shape(value));
    EXPECT_EQ(behind.shape(behind.output()), graph.shape(graph.output()));
    const auto middle = Interpreter(before, weights).run(picture);
    EXPECT_EQ(Interpreter(behind, weights).run(middle), whole) << graph.name(value);
  }
  EXPECT_GT(parted, 30);
}

TEST(PartBehind, TheInputIsTheWholeGraph) {
  const Graph graph = small();
  EXPECT_EQ(part_behind(graph, graph.input()), graph);
}

TEST(PartBehind, TheOutputIsAGraphWithoutNodes) {
  const Graph graph = small();
  const Graph part = part_behind(graph, graph.output());
  EXPECT_TRUE(part.nodes().empty());
  EXPECT_EQ(part.output(), part.input());
}

TEST(PartBehind, WithinAResidualNamesWhatElseIsNeeded) {
  const Graph graph = small();
  expect_error(ErrorKind::kUsage,
               AllOf(HasSubstr("block_2_add"), HasSubstr("block_1_project_BN"),
                     HasSubstr("block_2_expand_relu")),
               [&] { static_cast<void>(part_behind(graph, graph.find("block_2_expand_relu"))); });
}

TEST(PartBehind, AValueThatTheOutputDoesNotNeedIsRefused) {
  GraphBuilder g({4});
  const ValueId a = g.apply(Op::kRelu, "a", g.input());
  const ValueId unused = g.apply(Op::kSigmoid, "unused", g.input());
  const ValueId b = g.apply(Op::kRelu6, "b", a);
  const Graph graph = g.finish(b);
  expect_error(ErrorKind::kUsage, HasSubstr("unused"),
               [&] { static_cast<void>(part_behind(graph, unused)); });
}

TEST(PartBehind, AValueBehindTheOutputIsRefused) {
  GraphBuilder g({4});
  const ValueId a = g.apply(Op::kRelu, "a", g.input());
  const ValueId b = g.apply(Op::kRelu6, "b", a);
  const Graph graph = g.finish(a);
  expect_error(ErrorKind::kUsage, testing::_, [&] { static_cast<void>(part_behind(graph, b)); });
}

TEST(PartBehind, LeavesOutWhatTheOutputDoesNotNeed) {
  GraphBuilder g({4});
  const ValueId a = g.apply(Op::kRelu, "a", g.input());
  g.add("unused", a, g.input());
  const Graph part = part_behind(g.finish(g.apply(Op::kRelu6, "b", a)), a);
  EXPECT_FALSE(part.contains("unused"));
  EXPECT_EQ(part.nodes().size(), 1u);
}

TEST(PartBehind, RefusesAValueThatDoesNotExist) {
  const Graph graph = small();
  for (const ValueId value : {-1, graph.value_count()}) {
    expect_error(ErrorKind::kUsage, HasSubstr("does not exist"),
                 [&] { static_cast<void>(part_behind(graph, value)); });
  }
}

/// Of every node of the network: the value found can be parted at, and no later one can.
TEST(PartingBefore, IsTheLastValueBeforeANodeThatEverythingGoesThrough) {
  for (const Graph& graph : {mobilenet_v2({}), mobilenet_v2({.classes = 0})}) {
    for (std::size_t node = 0; node <= graph.nodes().size(); ++node) {
      const ValueId found = parting_before(graph, node);
      EXPECT_TRUE(can_part(graph, found)) << node;
      const ValueId end =
          node < graph.nodes().size() ? graph.nodes()[node].output : graph.value_count();
      EXPECT_LT(found, end);
      for (ValueId later = found + 1; later < end; ++later) {
        EXPECT_FALSE(can_part(graph, later)) << graph.name(later) << " before node " << node;
      }
    }
  }
}

TEST(PartingBefore, AtABlockIsWhatTheBlockBeforeItGave) {
  const Graph graph = mobilenet_v2({});
  const auto before = [&](std::string_view name) {
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
      if (graph.nodes()[i].name == name) return graph.name(parting_before(graph, i));
    }
    return std::string();
  };
  EXPECT_EQ(before("Conv1"), "input");
  EXPECT_EQ(before("block_1_expand"), "expanded_conv_project_BN");
  EXPECT_EQ(before("block_3_expand"), "block_2_add");
  EXPECT_EQ(before("block_2_project"), "block_1_project_BN") << "within a residual: before it";
  EXPECT_EQ(before("block_2_add"), "block_1_project_BN");
  EXPECT_EQ(before("block_13_expand"), "block_12_add");
  EXPECT_EQ(before("block_13_project"), "block_13_depthwise_relu") << "no residual";
  EXPECT_EQ(before("predictions"), "global_average_pooling2d");
}

TEST(PartingBefore, TheEndIsTheOutput) {
  const Graph graph = small();
  EXPECT_EQ(parting_before(graph, graph.nodes().size()), graph.output());
  EXPECT_EQ(parting_before(graph, graph.nodes().size() + 100), graph.output());
  EXPECT_EQ(parting_before(Graph(Shape{4}), 0), 0);
}

TEST(PartingBefore, WhereTheInputIsReadThroughoutItIsTheInput) {
  GraphBuilder g({4});
  const ValueId a = g.apply(Op::kRelu, "a", g.input());
  const ValueId b = g.apply(Op::kRelu6, "b", a);
  const Graph graph = g.finish(g.add("c", b, g.input()));
  for (std::size_t node = 0; node < 3; ++node) EXPECT_EQ(parting_before(graph, node), 0);
}

}  // namespace engraft::parting_test
