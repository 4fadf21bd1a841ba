// The model that is part of the library, and compact files of whole models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "../support/errors.h"
#include "../support/test_data.h"
#include "engraft/base/file.h"
#include "engraft/model/classifier.h"
#include "engraft/zoo/zoo.h"
#include "small_model.h"

namespace engraft::embedded_model_test {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::size_t kMostBytes = 2'000'000;

const fs::path kEmbeddedPath{kEmbeddedModel};

/// Makes a folder the current one for the length of a test.
class Inside {
 public:
  explicit Inside(const fs::path& folder) { fs::current_path(folder); }
  ~Inside() { fs::current_path(before_); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  fs::path before_ = fs::current_path();
};

TEST(EmbeddedModel, IsSmallAndTheFileOfTheRepository) {
  EXPECT_LE(embedded_model().size(), kMostBytes);
  const Bytes file = read_file(fs::path(ENGRAFT_SOURCE_DIR) / "assets/engraft-mini.onnx");
  EXPECT_TRUE(std::ranges::equal(embedded_model(), file));
}

TEST(EmbeddedModel, IsWhatTheZooSays) {
  const Model model = load_model(kEmbeddedPath);
  const ZooEntry& entry = *find_entry(kEmbeddedModel);
  EXPECT_EQ(model.preprocessing.width, entry.image_size);
  EXPECT_EQ(model.preprocessing.height, entry.image_size);
  std::int64_t parameters = 0;
  for (const auto& [name, tensor] : model.network.weights.all()) {
    parameters += static_cast<std::int64_t>(tensor->size());
    for (const float value : tensor->values()) ASSERT_TRUE(std::isfinite(value)) << name;
  }
  EXPECT_EQ(parameters, entry.parameters) << "say so in zoo/zoo.cpp";
}

TEST(EmbeddedModel, KnowsImageNetsClassesAndCanBeTrainedOnAtEveryLevel) {
  const Model model = load_model(kEmbeddedPath);
  EXPECT_EQ(model.labels, imagenet_labels());
  for (const FeatureLevel level :
       {FeatureLevel::kPooled, FeatureLevel::kLogits, FeatureLevel::kProbabilities}) {
    EXPECT_GT(base_at(model, level).graph.value_count(), 0);
  }
  // Batch norm is still there, with its statistics.
  EXPECT_TRUE(std::ranges::any_of(model.network.graph.nodes(),
                                  [](const Node& node) { return node.op == Op::kBatchNorm; }));
}

TEST(EmbeddedModel, ClassifiesWithoutAnyFile) {
  const test::TemporaryFolder folder;
  const Inside inside(folder.path());
  const Classifier classifier(kEmbeddedPath);
  const auto predictions = classifier.classify(Image(200, 150), 1000);
  double sum = 0;
  for (const Prediction& prediction : predictions) sum += double{prediction.probability};
  EXPECT_NEAR(sum, 1, 1e-4);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(EmbeddedModel, AFileOfThatNameComesFirst) {
  const test::TemporaryFolder folder;
  const Inside inside(folder.path());
  EXPECT_TRUE(is_embedded_model(kEmbeddedPath));
  fs::create_directory(kEmbeddedPath);
  EXPECT_TRUE(is_embedded_model(kEmbeddedPath)) << "a folder is no model";
  fs::remove(kEmbeddedPath);
  save_model(test::small_model({"a", "b"}), kEmbeddedPath);
  EXPECT_FALSE(is_embedded_model(kEmbeddedPath));
  EXPECT_EQ(load_model(kEmbeddedPath).labels.size(), 2u);
  EXPECT_FALSE(is_embedded_model(folder.path() / kEmbeddedPath));
  EXPECT_FALSE(is_embedded_model("./engraft-mini"));
  EXPECT_FALSE(is_embedded_model(""));
}

TEST(EmbeddedModel, AnotherSizeIsRefused) {
  test::expect_error(ErrorKind::kUsage, HasSubstr("engraft-mini"),
                     [] { static_cast<void>(load_model(kEmbeddedPath, {.image_size = 97})); });
}

TEST(CompactModel, IsAModelLikeAnyOther) {
  const test::TemporaryFolder folder;
  const Model model = test::small_model({"ant", "bee"});
  save_model(model, folder / "whole.onnx");
  save_model(model, folder / "compact.onnx", WeightStorage::kCompact);
  EXPECT_LT(fs::file_size(folder / "compact.onnx"), fs::file_size(folder / "whole.onnx") / 2);
  const Model back = load_model(folder / "compact.onnx");
  EXPECT_EQ(back.network.graph, model.network.graph);
  EXPECT_EQ(back.labels, model.labels);
  EXPECT_EQ(back.provenance, model.provenance);
  EXPECT_EQ(back.preprocessing, model.preprocessing);
  save_model(back, folder / "whole_again.onnx");
  EXPECT_TRUE(test::same_bits(load_model(folder / "whole_again.onnx").network.weights,
                              back.network.weights));
}

TEST(CompactModel, OfTheRealNetworkChangesFewAnswers) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const test::TemporaryFolder folder;
  const Model model =
      load_model(data / "models/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5");
  save_model(model, folder / "compact.onnx", WeightStorage::kCompact);
  std::vector<fs::path> pictures;
  for (const auto& entry : fs::directory_iterator(data / "data/imagenet_samples")) {
    if (entry.path().extension() == ".JPEG") pictures.push_back(entry.path());
  }
  std::ranges::sort(pictures);
  ASSERT_GE(pictures.size(), 24u);
  pictures.resize(24);  // sanitizers take seconds for each
  const Classifier whole(model), compact(folder / "compact.onnx");
  const auto before = whole.classify_files(pictures), after = compact.classify_files(pictures);
  int changed = 0;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    ASSERT_EQ(before[i].error, "");
    changed += whole.rank(before[i].probabilities, 1).front().index !=
               whole.rank(after[i].probabilities, 1).front().index;
  }
  EXPECT_LE(changed, 2);  // 4 of all 200
}

}  // namespace engraft::embedded_model_test
