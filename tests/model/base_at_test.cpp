#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/errors.h"
#include "../support/test_data.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/model/model.h"
#include "small_model.h"

namespace engraft::base_at_test {

using test::expect_error;
using test::small_model;
using testing::HasSubstr;

/// What training makes: dropout, dense, softmax on a base's features.
Network head_for(const Network& base, int classes) {
  const Graph& graph = base.graph;
  GraphBuilder builder(graph.shape(graph.output()));
  ValueId x = builder.dropout("head_dropout", builder.input(), 0.2f);
  x = builder.dense("head_dense", x, classes);
  Network head;
  head.graph = builder.finish(builder.apply(Op::kSoftmax, "head_probabilities", x));
  head.weights = test::random_weights(head.graph, 7);
  return head;
}

TEST(BaseAt, CutsAtEachLevel) {
  const Model model = small_model({"a", "b", "c"});
  const auto output = [&](FeatureLevel level) {
    const Network base = base_at(model, level);
    check_weights(base.graph, base.weights);
    return std::pair(base.graph.name(base.graph.output()),
                     base.graph.shape(base.graph.output())[0]);
  };
  EXPECT_EQ(output(FeatureLevel::kPooled), std::pair(std::string(kPooledValue), 1280l));
  EXPECT_EQ(output(FeatureLevel::kLogits), std::pair(std::string(kLogitsValue), 3l));
  EXPECT_EQ(output(FeatureLevel::kProbabilities), std::pair(std::string(kProbabilitiesValue), 3l));
}

TEST(BaseAt, LeavesTheTopsParametersBehindAndSharesTheRest) {
  const Model model = small_model({"a", "b"});
  const Network base = base_at(model, FeatureLevel::kPooled);
  EXPECT_FALSE(base.weights.contains("predictions/kernel"));
  EXPECT_EQ(base.weights.all().size() + 2, model.network.weights.all().size());
  EXPECT_EQ(base.weights.share("Conv1/kernel"), model.network.weights.share("Conv1/kernel"));
}

TEST(BaseAt, SaysWhatABaseWithoutATopLacks) {
  const Model model = small_model({});
  EXPECT_EQ(base_at(model, FeatureLevel::kPooled).graph, model.network.graph);
  for (const FeatureLevel level : {FeatureLevel::kLogits, FeatureLevel::kProbabilities}) {
    expect_error(ErrorKind::kUsage, HasSubstr("use pooled features"),
                 [&] { (void)base_at(model, level); });
  }
}

TEST(BaseAt, ATrainedModelCanBeTrainedAgain) {
  const Model pretrained = small_model({"a", "b", "c"});
  for (const FeatureLevel level :
       {FeatureLevel::kPooled, FeatureLevel::kLogits, FeatureLevel::kProbabilities}) {
    const Network base = base_at(pretrained, level);
    Model own = pretrained;
    own.network = graft(base, head_for(base, 2));
    own.labels = {"clean", "dirty"};
    const test::TemporaryFolder folder;
    save_model(own, folder / "model.onnx");
    own = load_model(folder / "model.onnx");

    const Network again = base_at(own, level);
    EXPECT_EQ(fingerprint(again.graph, again.weights), fingerprint(base.graph, base.weights));
    EXPECT_NO_THROW((void)graft(again, head_for(again, 5))) << "the old head must leave no names";
    EXPECT_EQ(
        fingerprint(base_at(own, FeatureLevel::kPooled).graph, again.weights),
        fingerprint(base_at(pretrained, FeatureLevel::kPooled).graph, pretrained.network.weights));
  }
}

TEST(BaseAt, LevelsHaveNames) {
  EXPECT_EQ(name_of(FeatureLevel::kPooled), "pooled");
  EXPECT_EQ(name_of(FeatureLevel::kLogits), "logits");
  EXPECT_EQ(name_of(FeatureLevel::kProbabilities), "probabilities");
}

}  // namespace engraft::base_at_test
