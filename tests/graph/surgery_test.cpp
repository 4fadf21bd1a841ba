#include "engraft/graph/surgery.h"

#include <gmock/gmock.h>

#include <cmath>
#include <string>
#include <vector>

#include "engraft/base/rng.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "interpreter.h"
#include "support/errors.h"
#include "support/random_weights.h"

namespace engraft::surgery_test {

using test::Interpreter;
using ::testing::AllOf;
using ::testing::HasSubstr;

Network small_base(std::uint64_t seed = 1) {
  Graph graph = mobilenet_v2({.width = 0.1f, .image_size = 32, .classes = 10});
  Weights weights = test::random_weights(graph, seed);
  return {std::move(graph), std::move(weights)};
}

Network head(std::int64_t inputs, std::int64_t classes) {
  GraphBuilder builder({inputs});
  ValueId x = builder.dropout("head_dropout", builder.input(), 0.2f);
  x = builder.dense("head", x, classes);
  x = builder.apply(Op::kSoftmax, "head_softmax", x);
  Graph graph = builder.finish(x);
  Weights weights = test::random_weights(graph, 2);
  return {std::move(graph), std::move(weights)};
}

std::vector<double> picture(const Graph& graph) {
  Rng rng(7);
  std::vector<double> values(static_cast<std::size_t>(graph.shape(graph.input()).elements()));
  for (double& value : values) value = static_cast<double>(rng.uniform(-1, 1));
  return values;
}

std::vector<double> run(const Graph& graph, const Weights& weights) {
  return Interpreter(graph, weights).run(picture(graph));
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance) << i;
}

TEST(CutAt, GivesTheSameGraphAtItsOwnOutput) {
  const Graph graph = mobilenet_v2({});
  EXPECT_EQ(cut_at(graph, graph.output()), graph);
}

TEST(CutAt, PooledFeaturesAreTheNetworkWithoutATop) {
  const Graph graph = mobilenet_v2({});
  EXPECT_EQ(cut_at(graph, graph.find(kPooledValue)), mobilenet_v2({.classes = 0}));
}

TEST(CutAt, KeepsBothBranchesOfAResidual) {
  const Graph graph = mobilenet_v2({});
  const Graph part = cut_at(graph, graph.find("block_2_add"));
  EXPECT_EQ(part.name(part.output()), "block_2_add");
  EXPECT_TRUE(part.contains("block_1_project_BN"));
  EXPECT_TRUE(part.contains("block_2_project_BN"));
  EXPECT_FALSE(part.contains("block_3_expand"));
}

TEST(CutAt, LeavesOutABranchThatIsNotNeeded) {
  GraphBuilder builder({4});
  const ValueId a = builder.apply(Op::kRelu, "a", builder.input());
  const ValueId b = builder.apply(Op::kSigmoid, "b", builder.input());
  const ValueId c = builder.apply(Op::kRelu6, "c", b);
  static_cast<void>(a);
  const Graph part = cut_at(builder.finish(a), c);
  EXPECT_FALSE(part.contains("a"));
  EXPECT_EQ(part.nodes().size(), 2u);
  EXPECT_EQ(part.name(part.output()), "c");
}

TEST(CutAt, TheInputIsAGraphWithoutNodes) {
  const Graph graph = mobilenet_v2({});
  const Graph part = cut_at(graph, graph.input());
  EXPECT_TRUE(part.nodes().empty());
  EXPECT_EQ(part.output(), part.input());
}

TEST(CutAt, ValuesAreTheSameAsInTheWholeGraph) {
  const Network base = small_base();
  for (const std::string_view name : {"block_5_add", "out_relu", "predictions"}) {
    const Graph part = cut_at(base.graph, base.graph.find(name));
    Graph whole = base.graph;
    whole.set_output(whole.find(name));
    EXPECT_EQ(run(part, base.weights), run(whole, base.weights)) << name;
  }
}

TEST(CutAt, RefusesAValueThatDoesNotExist) {
  const Graph graph = mobilenet_v2({});
  for (const ValueId value : {-1, graph.value_count()}) {
    test::expect_error(ErrorKind::kUsage, HasSubstr("does not exist"),
                       [&] { static_cast<void>(cut_at(graph, value)); });
  }
}

TEST(Graft, RunsTheHeadOnTheBasesOutput) {
  Network base = small_base();
  base.graph.set_output(base.graph.find(kPooledValue));
  const Network shoot = head(1280, 3);
  const Network joined = graft(base, shoot);
  EXPECT_EQ(joined.graph.name(joined.graph.output()), "head_softmax");
  EXPECT_EQ(joined.graph.shape(joined.graph.output()), (Shape{3}));
  check_weights(joined.graph, joined.weights);

  const std::vector<double> features = run(base.graph, base.weights);
  EXPECT_EQ(run(joined.graph, joined.weights),
            Interpreter(shoot.graph, shoot.weights).run(features));
}

TEST(Graft, SharesTensorsAndDropsThoseThatNothingUses) {
  Network base = small_base();
  base.graph.set_output(base.graph.find(kPooledValue));
  const Network joined = graft(base, head(1280, 3));
  EXPECT_EQ(&joined.weights.at("Conv1/kernel"), &base.weights.at("Conv1/kernel"));
  EXPECT_FALSE(joined.weights.contains("predictions/kernel"));
  EXPECT_FALSE(joined.graph.contains("predictions"));
  EXPECT_TRUE(joined.weights.contains("head/kernel"));
}

TEST(Graft, ReplacesAHeadOfTheSameName) {
  Network base = small_base();
  base.graph.set_output(base.graph.find(kPooledValue));
  GraphBuilder builder({1280});
  const ValueId logits = builder.dense(std::string(kLogitsValue), builder.input(), 2);
  Graph top = builder.finish(logits);
  Weights weights = test::random_weights(top);
  const Network joined = graft(base, {std::move(top), std::move(weights)});
  EXPECT_EQ(joined.graph.shape(joined.graph.find(kLogitsValue)), (Shape{2}));
}

TEST(Graft, RefusesAHeadOfAnotherInput) {
  const Network base = small_base();
  test::expect_error(ErrorKind::kUsage, AllOf(HasSubstr("[1280]"), HasSubstr("[10]")),
                     [&] { static_cast<void>(graft(base, head(1280, 3))); });
}

TEST(Graft, RefusesNamesThatTheBaseHas) {
  Network base = small_base();
  base.graph.set_output(base.graph.find(kPooledValue));
  const Network once = graft(base, head(1280, 3));
  test::expect_error(ErrorKind::kUsage, HasSubstr("head"),
                     [&] { static_cast<void>(graft(once, head(3, 3))); });

  GraphBuilder builder({1280});
  static_cast<void>(builder.apply(Op::kRelu, "out_relu", builder.input()));
  test::expect_error(ErrorKind::kUsage, HasSubstr("out_relu"), [&] {
    static_cast<void>(graft(base, {builder.finish(1), {}}));
  });
}

TEST(Graft, AHeadWithoutNodesChangesNothing) {
  const Network base = small_base();
  const Network joined = graft(base, {Graph({10}), {}});
  EXPECT_EQ(joined.graph, base.graph);
}

TEST(FoldBatchNorm, KeepsTheFunction) {
  const Network network = small_base();
  const Network folded = fold_batch_norm(network);
  check_weights(folded.graph, folded.weights);
  // Weights are rounded to float once more; probabilities are at most 1.
  expect_near(run(folded.graph, folded.weights), run(network.graph, network.weights), 1e-5);
}

TEST(FoldBatchNorm, LeavesNoNormAndNoDropout) {
  Network base = small_base();
  base.graph.set_output(base.graph.find(kPooledValue));
  const Network joined = graft(base, head(1280, 3));
  const Network folded = fold_batch_norm(joined);
  for (const Node& node : folded.graph.nodes()) {
    EXPECT_NE(node.op, Op::kBatchNorm);
    EXPECT_NE(node.op, Op::kDropout);
  }
  EXPECT_EQ(folded.graph.nodes().size(), joined.graph.nodes().size() - 52 - 1);
}

TEST(FoldBatchNorm, MatchesTheFormulaInDouble) {
  GraphBuilder builder({1, 1, 1});
  ValueId x = builder.conv("c", builder.input(), {.channels = 1, .bias = Bias::kAdded});
  x = builder.batch_norm("b", x, 1e-3f);
  Network network{builder.finish(x), {}};
  const auto set = [&](const char* name, Shape shape, float value) {
    network.weights.set(name, Tensor(std::move(shape), std::vector<float>{value}));
  };
  set("c/kernel", {1, 1, 1, 1}, 3);
  set("c/bias", {1}, 0.5f);
  set("b/gamma", {1}, 1.25f);
  set("b/beta", {1}, -2);
  set("b/moving_mean", {1}, 0.75f);
  set("b/moving_variance", {1}, 4);
  const Network folded = fold_batch_norm(network);
  const Node& node = folded.graph.nodes().at(0);
  const double scale = 1.25 / std::sqrt(4 + static_cast<double>(1e-3f));
  EXPECT_EQ(folded.weights.at(node.parameters[0]).data()[0], static_cast<float>(3 * scale));
  EXPECT_EQ(folded.weights.at(node.parameters[1]).data()[0],
            static_cast<float>(-2 + (0.5 - 0.75) * scale));
}

TEST(FoldBatchNorm, FoldsIntoADenseLayerToo) {
  GraphBuilder builder({6});
  ValueId x = builder.dense("d", builder.input(), 4);
  x = builder.batch_norm("b", x, 1e-3f);
  Network network{builder.finish(x), {}};
  network.weights = test::random_weights(network.graph);
  const Network folded = fold_batch_norm(network);
  EXPECT_EQ(folded.graph.nodes().size(), 1u);
  expect_near(run(folded.graph, folded.weights), run(network.graph, network.weights), 1e-6);
}

TEST(FoldBatchNorm, KeepsANormThatHasNothingToFoldInto) {
  GraphBuilder builder({5, 5, 2});
  ValueId x = builder.batch_norm("first", builder.input(), 1e-3f);
  x = builder.apply(Op::kRelu, "r", x);
  x = builder.batch_norm("second", x, 1e-3f);
  Network network{builder.finish(x), {}};
  network.weights = test::random_weights(network.graph);
  const Network folded = fold_batch_norm(network);
  EXPECT_EQ(folded.graph, network.graph);
  EXPECT_EQ(&folded.weights.at("first/gamma"), &network.weights.at("first/gamma"));
}

TEST(FoldBatchNorm, KeepsANormWhoseInputIsReadElsewhere) {
  GraphBuilder builder({5, 5, 2});
  const ValueId conv = builder.conv("c", builder.input(), {.channels = 2, .kernel = 3});
  const ValueId norm = builder.batch_norm("b", conv, 1e-3f);
  Network network{builder.finish(builder.add("a", conv, norm)), {}};
  network.weights = test::random_weights(network.graph);
  const Network folded = fold_batch_norm(network);
  EXPECT_EQ(folded.graph, network.graph);

  Graph at_conv = network.graph;
  at_conv.set_output(conv);
  EXPECT_EQ(fold_batch_norm({at_conv, network.weights}).graph, at_conv);
}

TEST(FoldBatchNorm, OnlyTheFirstOfTwoNormsFolds) {
  GraphBuilder builder({5, 5, 2});
  ValueId x = builder.conv("c", builder.input(), {.channels = 3, .kernel = 3});
  x = builder.batch_norm("b1", x, 1e-3f);
  x = builder.batch_norm("b2", x, 1e-3f);
  Network network{builder.finish(x), {}};
  network.weights = test::random_weights(network.graph);
  const Network folded = fold_batch_norm(network);
  ASSERT_EQ(folded.graph.nodes().size(), 2u);
  EXPECT_EQ(folded.graph.nodes()[1].name, "b2");
  expect_near(run(folded.graph, folded.weights), run(network.graph, network.weights), 1e-5);
}

TEST(FoldBatchNorm, AKernelSharedByTwoLayersFoldsIntoEachApart) {
  Graph graph({3, 3, 2});
  const auto conv = [&](const char* name, ValueId input) {
    return graph.append(
        {.op = Op::kConv, .name = name, .inputs = {input}, .parameters = {"shared"}}, {3, 3, 2});
  };
  const auto norm = [&](const std::string& name, ValueId input) {
    return graph.append({.op = Op::kBatchNorm,
                         .name = name,
                         .inputs = {input},
                         .parameters = {name + "/gamma", name + "/beta", name + "/moving_mean",
                                        name + "/moving_variance"},
                         .attributes = {.epsilon = 1e-3f}},
                        {3, 3, 2});
  };
  const ValueId first = norm("n1", conv("c1", 0));
  graph.set_output(norm("n2", conv("c2", first)));
  Network network{graph, test::random_weights(graph)};
  // A parameter that already has the name a folded one would take.
  network.weights.set("c2/folded_kernel", Tensor(Shape{1}));
  const Network folded = fold_batch_norm(network);
  check_weights(folded.graph, folded.weights);
  expect_near(run(folded.graph, folded.weights), run(network.graph, network.weights), 1e-5);
}

TEST(FoldBatchNorm, ADropoutAtTheEndGivesWayToItsInput) {
  GraphBuilder builder({4});
  ValueId x = builder.apply(Op::kRelu, "r", builder.input());
  x = builder.dropout("d", x, 0.5f);
  const Network folded = fold_batch_norm({builder.finish(x), {}});
  EXPECT_EQ(folded.graph.name(folded.graph.output()), "r");
}

TEST(FoldBatchNorm, KeepsTheFunctionOfAGatedBlock) {
  GraphBuilder builder({5, 5, 2});
  ValueId x = builder.conv("c", builder.input(), {.channels = 4, .kernel = 3});
  x = builder.apply(Op::kHardSwish, "s", builder.batch_norm("b1", x, 1e-3f));
  ValueId gate = builder.dense("d", builder.apply(Op::kGlobalAveragePool, "p", x), 4);
  gate = builder.apply(Op::kHardSigmoid, "g", gate);
  x = builder.batch_norm("b2", builder.multiply("m", x, gate), 1e-3f);
  Network network{builder.finish(x), {}};
  network.weights = test::random_weights(network.graph);
  const Network folded = fold_batch_norm(network);
  EXPECT_EQ(folded.graph.nodes().size(), network.graph.nodes().size() - 1);  // b2 has no kernel
  check_weights(folded.graph, folded.weights);
  expect_near(run(folded.graph, folded.weights), run(network.graph, network.weights), 1e-5);
}

TEST(FoldBatchNorm, RefusesAVarianceThatIsNotPositive) {
  Network network = small_base();
  Tensor variance = network.weights.at("bn_Conv1/moving_variance");
  variance.data()[3] = -1;
  network.weights.set("bn_Conv1/moving_variance", std::move(variance));
  test::expect_error(ErrorKind::kBadInput, HasSubstr("bn_Conv1/moving_variance"),
                     [&] { static_cast<void>(fold_batch_norm(network)); });
}

TEST(FoldBatchNorm, RefusesWeightsThatDoNotFit) {
  Network network = small_base();
  network.weights.set("Conv1/kernel", Tensor(Shape{3}));
  test::expect_error(ErrorKind::kBadInput, HasSubstr("Conv1/kernel"),
                     [&] { static_cast<void>(fold_batch_norm(network)); });
}

TEST(CheckWeights, TakesWhatFits) {
  const Network network = small_base();
  EXPECT_NO_THROW(check_weights(network.graph, network.weights));
}

TEST(CheckWeights, NamesAMissingParameter) {
  test::expect_error(
      ErrorKind::kBadInput,
      AllOf(HasSubstr("Conv1/kernel"), HasSubstr("[3,3,3,32]"), HasSubstr("missing")),
      [] { check_weights(mobilenet_v2({}), {}); });
}

TEST(CheckWeights, NamesAMisshapenParameterWithBothShapes) {
  Network network = small_base();
  network.weights.set("predictions/kernel", Tensor(Shape{1280, 9}));
  test::expect_error(
      ErrorKind::kBadInput,
      AllOf(HasSubstr("predictions/kernel"), HasSubstr("[1280,9]"), HasSubstr("[1280,10]")),
      [&] { check_weights(network.graph, network.weights); });
}

TEST(CheckWeights, RefusesAGraphWhoseShapesDoNotFollow) {
  Graph graph({4});
  graph.append({.op = Op::kRelu, .name = "r", .inputs = {0}}, {5});
  test::expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("[4]"), HasSubstr("[5]")),
                     [&] { check_weights(graph, {}); });
}

TEST(Fingerprint, IsAFunctionOfStructureAndValues) {
  const Network a = small_base();
  const Network b = small_base();
  EXPECT_EQ(fingerprint(a.graph, a.weights), fingerprint(b.graph, b.weights));
  const Network c = small_base(2);
  EXPECT_NE(fingerprint(a.graph, a.weights), fingerprint(c.graph, c.weights));
}

TEST(Fingerprint, ChangesWithEveryBitOfEveryParameter) {
  const Network network = small_base();
  const Digest digest = fingerprint(network.graph, network.weights);
  for (const char* name : {"Conv1/kernel", "bn_Conv1/moving_mean",
                           "block_9_depthwise/depthwise_kernel", "predictions/bias"}) {
    Weights changed = network.weights;
    Tensor tensor = changed.at(name);
    float& last = tensor.values().back();
    last = std::nextafter(last, 100.0f);
    changed.set(name, std::move(tensor));
    EXPECT_NE(fingerprint(network.graph, changed), digest) << name;
  }
}

TEST(Fingerprint, ChangesWithAttributesShapesAndOutput) {
  const Network network = small_base();
  const Digest digest = fingerprint(network.graph, network.weights);
  Graph at_logits = network.graph;
  at_logits.set_output(at_logits.find(kLogitsValue));
  EXPECT_NE(fingerprint(at_logits, network.weights), digest);
  const Graph larger = mobilenet_v2({.width = 0.1f, .image_size = 64, .classes = 10});
  EXPECT_NE(fingerprint(larger, network.weights), digest);

  const auto relu = [](Op op) {
    GraphBuilder builder({4});
    builder.apply(op, "r", builder.input());
    return fingerprint(builder.finish(1), {});
  };
  EXPECT_NE(relu(Op::kRelu), relu(Op::kRelu6));
  EXPECT_NE(relu(Op::kHardSwish), relu(Op::kHardSigmoid));
  const auto product = [](bool swapped) {
    GraphBuilder builder({4});
    const ValueId a = builder.apply(Op::kHardSwish, "a", builder.input());
    const ValueId b = swapped ? builder.multiply("m", builder.input(), a)
                              : builder.multiply("m", a, builder.input());
    return fingerprint(builder.finish(b), {});
  };
  EXPECT_NE(product(false), product(true));
  const auto dropout = [](float rate) {
    GraphBuilder builder({4});
    builder.dropout("d", builder.input(), rate);
    return fingerprint(builder.finish(1), {});
  };
  EXPECT_NE(dropout(0.25f), dropout(0.5f));
}

TEST(Fingerprint, DoesNotSeeWhatTheOutputDoesNotNeed) {
  const Network network = small_base();
  Graph pooled = network.graph;
  pooled.set_output(pooled.find(kPooledValue));
  EXPECT_EQ(fingerprint(pooled, network.weights),
            fingerprint(cut_at(pooled, pooled.output()), network.weights));
  Weights more = network.weights;
  more.set("unused", Tensor(Shape{3}));
  EXPECT_EQ(fingerprint(pooled, more), fingerprint(pooled, network.weights));
}

TEST(Fingerprint, DoesNotSeeNames) {
  const auto dense = [](const std::string& name) {
    GraphBuilder builder({4});
    builder.dense(name, builder.input(), 2);
    Graph graph = builder.finish(1);
    Weights weights;
    weights.set(name + "/kernel", Tensor(Shape{4, 2}));
    weights.set(name + "/bias", Tensor(Shape{2}));
    return fingerprint(graph, weights);
  };
  EXPECT_EQ(dense("a"), dense("b"));
}

}  // namespace engraft::surgery_test
