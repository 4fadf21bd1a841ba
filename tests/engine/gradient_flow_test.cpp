#include "engraft/engine/training/gradient_flow.h"

#include <gmock/gmock.h>

#include "engraft/graph/batch_norm_folding.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"

namespace engraft::gradient_flow_test {

/// A graph as back-propagation sees it, asked by the names of nodes.
class Flow {
 public:
  explicit Flow(Graph graph)
      : graph_(std::move(graph)),
        list_(lower(graph_, LowerFor::kTraining)),
        flow_(find_gradient_flow(list_, graph_.value_count())) {}

  /// The step that computes a value (fused activations included).
  [[nodiscard]] StepGradients step(std::string_view name) const {
    for (std::size_t i = 0; i < list_.steps.size(); ++i) {
      if (list_.steps[i].output == graph_.find(name)) return flow_.steps[i];
    }
    ADD_FAILURE() << "no step makes " << name;
    return {};
  }
  [[nodiscard]] bool wanted(std::string_view name) const {
    return flow_.wanted[static_cast<std::size_t>(graph_.find(name))];
  }
  [[nodiscard]] std::string memory_of(std::string_view name) const {
    return graph_.name(flow_.storage[static_cast<std::size_t>(graph_.find(name))]);
  }
  [[nodiscard]] bool share(std::string_view a, std::string_view b) const {
    return memory_of(a) == memory_of(b);
  }

 private:
  Graph graph_;
  StepList list_;
  GradientFlow flow_;
};

TEST(GradientFlow, WantsEveryGradientButTheInputs) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.conv("a", g.input(), {.channels = 3});
  const Flow flow(g.finish(g.conv("b", x, {.channels = 2})));
  EXPECT_FALSE(flow.wanted("input"));
  EXPECT_TRUE(flow.wanted("a"));
  EXPECT_TRUE(flow.wanted("b"));
  EXPECT_EQ(flow.step("a").d_input, InputGradient::kNone);
  EXPECT_EQ(flow.step("b").d_input, InputGradient::kWrite);
}

TEST(GradientFlow, TheLastReaderWritesAndTheOthersAdd) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.conv("x", g.input(), {.channels = 3});
  const ValueId a = g.conv("a", x, {.channels = 3});
  const ValueId b = g.conv("b", x, {.channels = 3});
  const ValueId c = g.depthwise_conv("c", x, {.kernel = 3});
  const Flow flow(g.finish(g.multiply("y", g.multiply("ab", a, b), c)));
  EXPECT_EQ(flow.step("a").d_input, InputGradient::kAdd);
  EXPECT_EQ(flow.step("b").d_input, InputGradient::kAdd);
  EXPECT_EQ(flow.step("c").d_input, InputGradient::kWrite);
}

TEST(GradientFlow, OfAValueReadTwiceByOneStepTheFirstMentionWrites) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.conv("x", g.input(), {.channels = 3});
  const Flow flow(g.finish(g.multiply("y", x, x)));
  EXPECT_EQ(flow.step("y").d_input, InputGradient::kWrite);
  EXPECT_EQ(flow.step("y").d_second, InputGradient::kAdd);
}

TEST(GradientFlow, OfAValueReadTwiceByAnEarlierStepBothMentionsAdd) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.conv("x", g.input(), {.channels = 3});
  const ValueId square = g.multiply("square", x, x);
  const Flow flow(g.finish(g.multiply("y", square, x)));
  EXPECT_EQ(flow.step("square").d_input, InputGradient::kAdd);
  EXPECT_EQ(flow.step("square").d_second, InputGradient::kAdd);
  EXPECT_EQ(flow.step("y").d_second, InputGradient::kWrite);
}

/// The caller has put the loss's gradient there before.
TEST(GradientFlow, EveryReaderOfTheOutputAdds) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.conv("x", g.input(), {.channels = 3});
  const ValueId y = g.apply(Op::kHardSwish, "y", x);
  Graph graph = g.finish(g.multiply("z", y, x));
  StepList list = lower(graph, LowerFor::kTraining);
  list.output = x;
  const GradientFlow flow = find_gradient_flow(list, graph.value_count());
  EXPECT_EQ(flow.steps[1].d_input, InputGradient::kAdd);
  EXPECT_EQ(flow.steps[2].d_second, InputGradient::kAdd);
  EXPECT_EQ(flow.steps[2].d_input, InputGradient::kWrite);
}

TEST(GradientFlow, ADepthwiseConvolutionThatAloneReadsAnActivationGatesItInPassing) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.apply(Op::kRelu6, "x", g.conv("conv", g.input(), {.channels = 3}));
  const ValueId y = g.apply(Op::kRelu, "y", g.depthwise_conv("depthwise", x, {.kernel = 3}));
  const Flow flow(g.finish(g.conv("z", y, {.channels = 2})));
  EXPECT_EQ(flow.step("x").output_gate, Gate::kOpen);
  EXPECT_EQ(flow.step("y").input_gate, Gate::kRelu6);
  EXPECT_EQ(flow.step("y").output_gate, Gate::kRelu) << "a 1×1 convolution does not gate";
  EXPECT_EQ(flow.step("z").input_gate, Gate::kOpen);
}

TEST(GradientFlow, AnActivationWithAnotherReaderIsGatedByItsMaker) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.apply(Op::kRelu6, "x", g.conv("conv", g.input(), {.channels = 3}));
  const ValueId y = g.depthwise_conv("y", x, {.kernel = 3});
  const Flow flow(g.finish(g.multiply("z", x, y)));
  EXPECT_EQ(flow.step("x").output_gate, Gate::kRelu6);
  EXPECT_EQ(flow.step("y").input_gate, Gate::kOpen);
}

TEST(GradientFlow, AnActivationThatIsTheOutputIsGatedByItsMaker) {
  GraphBuilder g({4, 4, 3});
  const Flow flow(
      g.finish(g.apply(Op::kRelu, "x", g.depthwise_conv("conv", g.input(), {.kernel = 3}))));
  EXPECT_EQ(flow.step("x").output_gate, Gate::kRelu);
}

/// It works its gate out from its own input, before the output's values are of use.
TEST(GradientFlow, ABatchNormGatesItsOwnActivation) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.apply(Op::kRelu6, "x", g.batch_norm("bn", g.input(), 1e-3f));
  const Flow flow(g.finish(g.depthwise_conv("y", x, {.kernel = 3})));
  EXPECT_EQ(flow.step("x").output_gate, Gate::kRelu6);
  EXPECT_EQ(flow.step("y").input_gate, Gate::kOpen);
}

// Which additions hand their gradient's memory on to both operands.

/// x → branch → add(x, branch), read by "y".
struct Residual {
  GraphBuilder g{Shape{4, 4, 3}};
  ValueId x = g.conv("x", g.input(), {.channels = 3});
  ValueId branch(const std::string& name, ValueId from) {
    return g.conv("branch" + name, g.conv("inside" + name, from, {.channels = 3}), {.channels = 3});
  }
  Flow finish(ValueId sum) { return Flow(g.finish(g.conv("y", sum, {.channels = 2}))); }
};

TEST(SharedGradients, AResidualAdditionsOperandsTakeOverItsMemory) {
  for (const bool turned : {false, true}) {
    Residual r;
    const ValueId b = r.branch("", r.x);
    const Flow flow = r.finish(turned ? r.g.add("sum", b, r.x) : r.g.add("sum", r.x, b));
    EXPECT_EQ(flow.memory_of("x"), "sum");
    EXPECT_EQ(flow.memory_of("branch"), "sum");
    EXPECT_EQ(flow.step("inside").d_input, InputGradient::kAdd) << "to what the addition passed on";
    EXPECT_EQ(flow.memory_of("inside"), "inside");
  }
}

TEST(SharedGradients, ChainsOfResidualsLiveInOneMemory) {
  Residual r;
  ValueId x = r.x;
  for (const std::string name : {"1", "2", "3"}) {
    x = r.g.add("sum" + name, x, r.branch(name, x));
  }
  const Flow flow = r.finish(x);
  for (const char* name : {"x", "branch1", "sum1", "branch2", "sum2", "branch3"}) {
    EXPECT_EQ(flow.memory_of(name), "sum3") << name;
  }
}

/// It would write x's gradient while it reads its own from there.
TEST(SharedGradients, NotWhereTheBranchIsASingleStep) {
  Residual r;
  const Flow flow = r.finish(r.g.add("sum", r.x, r.g.conv("b", r.x, {.channels = 3})));
  EXPECT_FALSE(flow.share("x", "b"));
}

TEST(SharedGradients, NotWhereTheBranchHasAnotherReader) {
  Residual r;
  const ValueId b = r.branch("", r.x);
  const ValueId sum = r.g.add("sum", r.x, b);
  const Flow flow = r.finish(r.g.multiply("other", sum, b));
  EXPECT_FALSE(flow.share("branch", "sum"));
  EXPECT_FALSE(flow.share("x", "sum"));
}

TEST(SharedGradients, NotWhereTheOtherOperandIsReadAgainBehindTheAddition) {
  Residual r;
  const ValueId b = r.branch("", r.x);
  const ValueId sum = r.g.add("sum", r.x, b);
  const Flow flow = r.finish(r.g.multiply("other", sum, r.x));
  EXPECT_FALSE(flow.share("x", "sum"));
  EXPECT_FALSE(flow.share("branch", "sum"));
}

/// "c" adds to x's gradient before "b" has read its own.
TEST(SharedGradients, NotWhereTheOtherOperandIsReadBetweenTheBranchAndTheAddition) {
  Residual r;
  const ValueId b = r.branch("", r.x);
  const ValueId c = r.g.conv("c", r.x, {.channels = 3});
  const ValueId sum = r.g.add("sum", r.x, b);
  const Flow flow = r.finish(r.g.multiply("other", sum, c));
  EXPECT_FALSE(flow.share("x", "branch"));
}

/// Its maker gates the gradient in place, which is not x's to lose.
TEST(SharedGradients, NotWhereTheBranchEndsInAFusedActivation) {
  for (const bool turned : {false, true}) {
    Residual r;
    const ValueId b = r.g.apply(Op::kRelu, "b", r.branch("", r.x));
    const Flow flow = r.finish(turned ? r.g.add("sum", b, r.x) : r.g.add("sum", r.x, b));
    EXPECT_EQ(flow.step("b").output_gate, Gate::kRelu);
    EXPECT_FALSE(flow.share("x", "b"));
  }
}

/// The branch is through with the gradient before x's maker gates it.
TEST(SharedGradients, AlsoWhereTheOtherOperandsMakerGatesIt) {
  GraphBuilder g({4, 4, 3});
  const ValueId x = g.apply(Op::kRelu6, "x", g.conv("conv", g.input(), {.channels = 3}));
  const ValueId inside = g.conv("inside", x, {.channels = 3});
  const ValueId sum = g.add("sum", x, g.conv("branch", inside, {.channels = 3}));
  const Flow flow(g.finish(g.conv("y", sum, {.channels = 2})));
  EXPECT_EQ(flow.step("x").output_gate, Gate::kRelu6);
  EXPECT_TRUE(flow.share("x", "sum"));
  EXPECT_TRUE(flow.share("branch", "sum"));
}

/// Of branches side by side, either may be through first; only one may gate.
TEST(SharedGradients, OfTwoBranchesTheLaterOneMustLeaveTheGradientAsItIs) {
  const auto flow_of = [](bool first_gates, bool second_gates) {
    Residual r;
    ValueId a = r.g.conv("a", r.x, {.channels = 3});
    if (first_gates) a = r.g.apply(Op::kRelu, "relu_a", a);
    ValueId b = r.g.conv("b", r.x, {.channels = 3});
    if (second_gates) b = r.g.apply(Op::kRelu, "relu_b", b);
    return r.finish(r.g.add("sum", a, b));
  };
  EXPECT_TRUE(flow_of(false, false).share("a", "b"));
  EXPECT_TRUE(flow_of(true, false).share("relu_a", "b"));
  EXPECT_FALSE(flow_of(false, true).share("a", "relu_b"));
  EXPECT_FALSE(flow_of(true, true).share("relu_a", "relu_b"));
}

TEST(SharedGradients, NotOfAnAdditionsResultWhoseMemoryIsHandedOnToOthers) {
  Residual r;
  const ValueId a = r.g.conv("a", r.x, {.channels = 3});
  const ValueId b = r.g.conv("b", r.x, {.channels = 3});
  const ValueId inner = r.g.add("inner", a, b);
  const ValueId c = r.g.conv("c", r.x, {.channels = 3});
  // As the later maker, the inner addition would hand x's gradient on to a and b.
  Residual s;
  const ValueId d = s.g.conv("d", s.x, {.channels = 3});
  const ValueId e = s.g.conv("e", s.x, {.channels = 3});
  const Flow late = s.finish(s.g.add("sum", s.x, s.g.add("inner", d, e)));
  EXPECT_FALSE(late.share("x", "sum"));
  EXPECT_TRUE(late.share("d", "inner"));
  // As the earlier one, it comes when the others are through.
  const Flow early = r.finish(r.g.add("sum", inner, c));
  EXPECT_TRUE(early.share("c", "sum"));
  EXPECT_TRUE(early.share("inner", "sum"));
}

TEST(SharedGradients, NotOfAValueAddedToItself) {
  Residual r;
  const Flow flow = r.finish(r.g.add("sum", r.x, r.x));
  EXPECT_FALSE(flow.share("x", "sum"));
  EXPECT_EQ(flow.step("sum").d_input, InputGradient::kWrite);
  EXPECT_EQ(flow.step("sum").d_second, InputGradient::kAdd);
}

TEST(SharedGradients, TheGraphsInputAsAnOperandTakesNothing) {
  for (const bool turned : {false, true}) {
    GraphBuilder g({4, 4, 3});
    const ValueId b = g.conv("b", g.input(), {.channels = 3});
    const ValueId sum = turned ? g.add("sum", b, g.input()) : g.add("sum", g.input(), b);
    const Flow flow(g.finish(g.conv("y", sum, {.channels = 2})));
    const StepGradients step = flow.step("sum");
    EXPECT_EQ(turned ? step.d_second : step.d_input, InputGradient::kNone);
    EXPECT_EQ(turned ? step.d_input : step.d_second, InputGradient::kWrite);
    EXPECT_FALSE(flow.wanted("input"));
    EXPECT_TRUE(flow.share("b", "sum"));
  }
}

/// The caller writes the output's gradient; an addition below must not come upon it.
TEST(SharedGradients, NotOfAnOperandThatIsTheOutput) {
  Residual r;
  const ValueId b = r.branch("", r.x);
  Graph graph = r.g.finish(r.g.add("sum", r.x, b));
  StepList list = lower(graph, LowerFor::kTraining);
  for (const ValueId output : {r.x, b}) {
    list.output = output;
    const GradientFlow flow = find_gradient_flow(list, graph.value_count());
    EXPECT_NE(flow.storage[static_cast<std::size_t>(r.x)], graph.find("sum"));
    EXPECT_NE(flow.storage[static_cast<std::size_t>(b)], graph.find("sum"));
  }
}

TEST(SharedGradients, EveryResidualOfMobileNetV2WithFoldedBatchNorm) {
  const FoldedGraph folded = fold_batch_norm(mobilenet_v2({}), DropoutNodes::kKeep);
  const Flow flow(folded.graph);
  int additions = 0;
  for (const Node& node : folded.graph.nodes()) {
    if (node.op != Op::kAdd) continue;
    ++additions;
    for (const ValueId operand : node.inputs) {
      EXPECT_TRUE(flow.share(node.name, folded.graph.name(operand))) << node.name;
    }
  }
  EXPECT_EQ(additions, 10);
}

}  // namespace engraft::gradient_flow_test
