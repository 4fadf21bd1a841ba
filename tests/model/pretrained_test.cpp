#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "../support/npy.h"
#include "../support/test_data.h"
#include "engraft/base/error.h"
#include "engraft/model/classifier.h"
#include "small_model.h"

namespace engraft::pretrained_test {

namespace fs = std::filesystem;

constexpr const char* kWeights =
    "models/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5";

struct Golden {
  std::string name;
  Image input;
  std::vector<std::string> labels;    ///< the best five
  std::vector<double> probabilities;  ///< of 1001 classes, with four digits
};

/// "bird.bmp<TAB>chickadee=0.8943<TAB>…": a line for each input, in the inputs' order.
std::vector<Golden> read_goldens(const fs::path& folder) {
  const auto inputs = test::read_npy<std::uint8_t>(folder / "input_u8_nhwc.npy", "|u1");
  std::ifstream names(folder / "names.txt"), table(folder / "top5.tsv");
  std::vector<Golden> goldens;
  for (std::string name, line; std::getline(names, name) && std::getline(table, line);) {
    Golden golden{name, Image(224, 224), {}, {}};
    std::copy_n(inputs.row(goldens.size()), golden.input.pixels.size(),
                golden.input.pixels.begin());
    std::istringstream fields(line);
    std::string field;
    std::getline(fields, field, '\t');
    EXPECT_EQ(field, name);
    while (std::getline(fields, field, '\t')) {
      const auto equals = field.rfind('=');
      golden.labels.push_back(field.substr(0, equals));
      golden.probabilities.push_back(std::stod(field.substr(equals + 1)));
    }
    goldens.push_back(std::move(golden));
  }
  return goldens;
}

TEST(Pretrained, KerasWeightsComeWithKerasPreprocessingAndLabels) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Model model = load_model(data / kWeights);
  EXPECT_EQ(model.labels, imagenet_labels());
  Preprocessing expected;
  expected.mode = ResizeMode::kCrop;
  expected.interpolation = Interpolation::kBilinear;
  expected.scale = {1 / 127.5f, 1 / 127.5f, 1 / 127.5f};
  expected.offset = {-1, -1, -1};
  EXPECT_EQ(model.preprocessing, expected);
  EXPECT_EQ(model.provenance.at("source"),
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5");
  const Model smaller = load_model(data / kWeights, {.image_size = 160});
  EXPECT_EQ(smaller.preprocessing.width, 160);
  EXPECT_EQ(smaller.preprocessing.height, 160);
}

TEST(Pretrained, TheTopFiveAreTheGoldenOnes) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Classifier classifier(data / kWeights);
  const auto goldens = read_goldens(data / "golden");
  ASSERT_EQ(goldens.size(), 13u);
  for (const Golden& golden : goldens) {
    // 224 × 224 needs no resize in any mode: these are the network's own inputs.
    const auto best = classifier.classify(golden.input);
    std::vector<std::string> labels;
    for (const Prediction& one : best) labels.push_back(one.label);
    EXPECT_EQ(labels, golden.labels) << golden.name;
    // The goldens share 1 among 1001 classes, this network among 1000; they are rounded to 1e-4.
    for (std::size_t i = 0; i < best.size(); ++i) {
      EXPECT_NEAR(best[i].probability, golden.probabilities[i], 2e-3) << golden.name;
    }
  }
}

TEST(Pretrained, APictureGetsTheSameBitsAloneAndAmongMany) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Classifier classifier(data / kWeights);
  std::vector<fs::path> paths;
  for (const char* name : {"bird.bmp", "cat.bmp", "hot_dog.jpg", "owl.jpg", "panda.jpg"}) {
    paths.push_back(data / "data/samples" / name);
  }
  const auto outcomes = classifier.classify_files(paths);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    for (const Prediction& one : classifier.classify_file(paths[i], 0)) {
      EXPECT_EQ(one.probability, outcomes[i].probabilities[static_cast<std::size_t>(one.index)]);
    }
  }
}

TEST(Pretrained, TheSameNetworkComesBackFromItsModelFile) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Model model = load_model(data / kWeights);
  const test::TemporaryFolder folder;
  save_model(model, folder / "model.onnx");
  const Model loaded = load_model(folder / "model.onnx");
  EXPECT_TRUE(loaded.network.graph == model.network.graph);
  EXPECT_TRUE(test::same_bits(loaded.network.weights, model.network.weights));
  EXPECT_EQ(loaded.preprocessing, model.preprocessing);
  EXPECT_EQ(loaded.labels, model.labels);
  EXPECT_EQ(loaded.provenance, model.provenance);
}

TEST(Pretrained, OtherNetworksAndFormatsAreRefusedByName) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  for (const char* name :
       {"mobilenet_v1_0.25_224_imagenet_keras.h5", "mobilenet_v2_1.0_224_tf_padding.onnx",
        "sample_tf2onnx_128.onnx", "mobilenet_v2_1.0_224_int8_per_channel.tflite"}) {
    try {
      (void)load_model(data / "models" / name);
      ADD_FAILURE() << name << " was loaded";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(name));
      EXPECT_TRUE(error.kind() == ErrorKind::kUnsupported || error.kind() == ErrorKind::kBadInput);
    }
  }
}

}  // namespace engraft::pretrained_test
