#include "engraft/formats/keras_h5.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "engraft/base/file.h"
#include "engraft/formats/hdf5_file.h"
#include "engraft/graph/mobilenet_v2.h"
#include "keras_writer.h"
#include "networks.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::keras_h5_test {

using test::KerasLayout;
using test::random_mobilenet;
using test::TemporaryFolder;
using test::write_keras;
using ::testing::AllOf;
using ::testing::HasSubstr;

void read(const std::filesystem::path& path) {
  static_cast<void>(read_keras_mobilenet_v2(path));
}

struct WidthCase {
  float width;
  int classes;
};

class KerasWidths : public testing::TestWithParam<WidthCase> {};

TEST_P(KerasWidths, AreReadOffTheShapes) {
  const TemporaryFolder folder;
  const Network network = random_mobilenet(
      {.width = GetParam().width, .image_size = 96, .classes = GetParam().classes});
  write_keras(folder / "w.h5", network);
  test::expect_same_network(read_keras_mobilenet_v2(folder / "w.h5", {.image_size = 96}), network);
}

INSTANTIATE_TEST_SUITE_P(Published, KerasWidths,
                         testing::Values(WidthCase{0.35f, 0}, WidthCase{0.35f, 5},
                                         WidthCase{0.5f, 3}, WidthCase{0.75f, 0},
                                         WidthCase{1.0f, 2}, WidthCase{1.3f, 0}, WidthCase{1.4f, 4},
                                         WidthCase{0.2f, 2}));

struct LayoutCase {
  const char* name;
  KerasLayout layout;
};

class KerasLayouts : public testing::TestWithParam<LayoutCase> {};

TEST_P(KerasLayouts, AllGiveTheSameNetwork) {
  const TemporaryFolder folder;
  const Network network = random_mobilenet({.width = 0.35f, .classes = 7});
  write_keras(folder / "w.h5", network, GetParam().layout);
  test::expect_same_network(read_keras_mobilenet_v2(folder / "w.h5"), network);
}

INSTANTIATE_TEST_SUITE_P(
    All, KerasLayouts,
    testing::Values(
        LayoutCase{"weights", {}}, LayoutCase{"old_top", {.top = "Logits"}},
        LayoutCase{"whole_model", {.prefix = "model_weights/"}},
        LayoutCase{"nested", {.prefix = "model_weights/sequential_1/", .doubled = false}},
        LayoutCase{"nested_twice", {.prefix = "model_weights/sequential_3/mobilenetv2_0.35_224/"}},
        LayoutCase{"big_endian", {.type = H5T_IEEE_F32BE}},
        LayoutCase{"double", {.type = H5T_IEEE_F64LE}}),
    [](const auto& param) { return std::string(param.param.name); });

class NumberedLayers : public testing::TestWithParam<int> {};

TEST_P(NumberedLayers, AreTakenInTheModelsOrder) {
  const TemporaryFolder folder;
  const Network network = random_mobilenet({.width = 0.35f, .classes = 0});
  write_keras(folder / "w.h5", network,
              {.prefix = "model_weights/", .numbered = true, .first_number = GetParam()});
  test::expect_same_network(read_keras_mobilenet_v2(folder / "w.h5"), network);
}

INSTANTIATE_TEST_SUITE_P(FirstNumbers, NumberedLayers, testing::Values(0, 1, 7, 93));

TEST(KerasFile, HalfPrecisionWidensExactly) {
  const TemporaryFolder folder;
  {
    test::H5Writer out(folder / "h.h5");
    const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    const std::vector<float> values{1.0f, -0.5f, 65504.0f, 6.103515625e-05f};
    out.dataset({.path = "l/kernel:0", .extents = {2, 2}, .type = half}, values);
    H5Tclose(half);
  }
  const auto weights = read_keras_h5(folder / "h.h5");
  const auto values = weights.at("l/kernel").values();
  EXPECT_THAT(values, testing::ElementsAre(1.0f, -0.5f, 65504.0f, 6.103515625e-05f));
}

TEST(KerasFile, GzippedAndShuffledChunksAreRead) {
  const TemporaryFolder folder;
  std::vector<float> values(60 * 40);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7);
  {
    test::H5Writer out(folder / "z.h5");
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[2] = {16, 16};
    H5Pset_chunk(creation, 2, chunk);
    H5Pset_shuffle(creation);
    H5Pset_deflate(creation, 6);
    H5Pset_fletcher32(creation);
    out.dataset({.path = "l/kernel:0", .extents = {60, 40}, .creation = creation}, values);
    H5Pclose(creation);
  }
  EXPECT_TRUE(test::same_bits(read_keras_h5(folder / "z.h5").at("l/kernel"),
                              Tensor(Shape{60, 40}, values)));
}

TEST(KerasFile, DatasetsOfOtherTypesAreLeftOut) {
  const TemporaryFolder folder;
  {
    test::H5Writer out(folder / "i.h5");
    out.dataset({.path = "l/steps:0", .extents = {3}, .type = H5T_STD_I64LE}, {});
    out.dataset({.path = "l/kernel:0", .extents = {1}}, std::vector<float>{2});
    out.dataset({.path = "l/scalar:0", .extents = {}}, std::vector<float>{4});
  }
  const auto weights = read_keras_h5(folder / "i.h5");
  EXPECT_EQ(weights.size(), 2u);
  EXPECT_EQ(weights.at("l/scalar").shape(), Shape{});
}

TEST(KerasFile, OptimizerStateIsLeftOut) {
  const TemporaryFolder folder;
  {
    test::H5Writer out(folder / "o.h5");
    out.dataset({.path = "model_weights/l/l/kernel:0", .extents = {1}}, std::vector<float>{2});
    out.dataset({.path = "optimizer_weights/Adam/l/kernel/m:0", .extents = {1}},
                std::vector<float>{3});
  }
  EXPECT_EQ(read_keras_h5(folder / "o.h5").size(), 1u);
}

TEST(KerasFile, LayerOrderIsTheModels) {
  const TemporaryFolder folder;
  const Network network = random_mobilenet({.width = 0.1f, .image_size = 32, .classes = 0});
  write_keras(folder / "w.h5", network);
  const KerasFile file = read_keras_file(folder / "w.h5");
  std::vector<std::string> expected;
  for (const Node& node : network.graph.nodes()) {
    if (!node.parameters.empty()) expected.push_back(node.name);
  }
  EXPECT_EQ(file.layers, expected);
}

TEST(KerasImageSize, IsReadOffTheFilesName) {
  const TemporaryFolder folder;
  const Network network = random_mobilenet({.width = 0.35f, .classes = 0});
  const std::map<std::string, int> cases{
      {"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96.h5", 96},
      {"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_160_no_top.h5", 160},
      {"mobilenet_v2_0.35_128_flowers.h5", 128},
      {"mine_0.35_128px.h5", 224},
      {"mine_0.35_9.h5", 224},
      {"mine_0.35_99999999999.h5", 224},
      {"mine.h5", 224}};
  for (const auto& [name, size] : cases) {
    write_keras(folder / name, network);
    const Graph graph = read_keras_mobilenet_v2(folder / name).graph;
    EXPECT_EQ(graph.shape(graph.input())[0], size) << name;
  }
}

TEST(KerasImageSize, TheModelsOwnGoesBeforeTheNameAndTheCallersBeforeBoth) {
  const TemporaryFolder folder;
  const auto path = folder / "m_0.35_96.h5";
  write_keras(path, random_mobilenet({.width = 0.35f, .classes = 0}),
              {.config = R"({"class_name": "Sequential", "config": {"layers": [{"class_name":
               "InputLayer", "config": {"batch_input_shape": [null, 160, 160, 3]}}]}})"});
  const auto side = [&](const KerasOptions& options) {
    const Graph graph = read_keras_mobilenet_v2(path, options).graph;
    return graph.shape(graph.input())[0];
  };
  EXPECT_EQ(side({}), 160);
  EXPECT_EQ(side({.image_size = 192}), 192);
}

TEST(KerasImageSize, OutOfRangeIsTheCallersError) {
  const TemporaryFolder folder;
  write_keras(folder / "w.h5", random_mobilenet({.width = 0.1f, .image_size = 32, .classes = 0}));
  test::expect_error(ErrorKind::kUsage, HasSubstr("image size 7"), [&] {
    static_cast<void>(read_keras_mobilenet_v2(folder / "w.h5", {.image_size = 7}));
  });
}

TEST(KerasEpsilon, AnotherThanMobileNetsIsRefused) {
  const TemporaryFolder folder;
  const Network network = random_mobilenet({.width = 0.1f, .image_size = 32, .classes = 0});
  const auto config = [](const char* epsilon) {
    return std::string(
               R"({"layers": [{"class_name": "BatchNormalization", "config": {"epsilon": )") +
           epsilon + "}}]}";
  };
  write_keras(folder / "same.h5", network, {.config = config("0.001")});
  EXPECT_NO_THROW(read(folder / "same.h5"));
  write_keras(folder / "other.h5", network, {.config = config("1e-05")});
  test::expect_error(ErrorKind::kUnsupported,
                     AllOf(HasSubstr("other.h5"), HasSubstr("epsilon 1e-05")),
                     [&] { read(folder / "other.h5"); });
}

TEST(KerasTop, AnotherHeadIsNotTakenForATop) {
  const TemporaryFolder folder;
  const Network network = random_mobilenet({.width = 0.35f, .classes = 7});
  write_keras(folder / "w.h5", network, {.top = "dense"});
  EXPECT_EQ(read_keras_mobilenet_v2(folder / "w.h5").graph,
            mobilenet_v2({.width = 0.35f, .classes = 0}));
}

TEST(KerasErrors, MissingFile) {
  const TemporaryFolder folder;
  EXPECT_FALSE(is_hdf5(folder / "none.h5"));
  test::expect_error(ErrorKind::kNotFound, HasSubstr("none.h5"), [&] { read(folder / "none.h5"); });
}

TEST(KerasErrors, AFolder) {
  const TemporaryFolder folder;
  EXPECT_FALSE(is_hdf5(folder.path()));
  test::expect_error(ErrorKind::kIo, HasSubstr("not a file"), [&] { read(folder.path()); });
}

TEST(KerasErrors, FilesThatAreNotHdf5) {
  const TemporaryFolder folder;
  for (const std::string& text : {std::string(), std::string("hello"), std::string("\x89HDF"),
                                  std::string("\x89HDF\r\n\x1a\n"), std::string(5000, 'x')}) {
    test::write_bytes(folder / "t.h5", text);
    test::expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("t.h5"), HasSubstr("download")),
                       [&] { read(folder / "t.h5"); });
  }
  EXPECT_FALSE(is_hdf5(folder / "t.h5"));
}

TEST(KerasErrors, AMissingWeightIsNamed) {
  const TemporaryFolder folder;
  const Network network = random_mobilenet({.width = 0.35f, .classes = 0});
  write_keras(folder / "w.h5", network, {.leave_out = "block_5_expand_BN/beta"});
  test::expect_error(ErrorKind::kBadInput,
                     AllOf(HasSubstr("w.h5"), HasSubstr("block_5_expand_BN/beta")),
                     [&] { read(folder / "w.h5"); });
  write_keras(folder / "w.h5", network, {.leave_out = "Conv1/kernel"});
  test::expect_error(ErrorKind::kUnsupported, HasSubstr("Conv1"), [&] { read(folder / "w.h5"); });
  write_keras(folder / "w.h5", network, {.leave_out = "Conv_1/kernel"});
  test::expect_error(ErrorKind::kBadInput, HasSubstr("Conv_1/kernel"),
                     [&] { read(folder / "w.h5"); });
}

TEST(KerasErrors, AWeightThatIsNotFiniteIsNamed) {
  const TemporaryFolder folder;
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Network network = random_mobilenet({.width = 0.35f, .classes = 0});
    Tensor tensor = network.weights.at("block_3_project_BN/gamma");
    tensor.data()[2] = bad;
    network.weights.set("block_3_project_BN/gamma", std::move(tensor));
    write_keras(folder / "w.h5", network);
    test::expect_error(ErrorKind::kBadInput,
                       AllOf(HasSubstr("block_3_project_BN/gamma"), HasSubstr("not finite")),
                       [&] { read(folder / "w.h5"); });
  }
}

TEST(KerasErrors, AMisshapenLayerIsAnotherNetwork) {
  const TemporaryFolder folder;
  Network network = random_mobilenet({.width = 0.35f, .classes = 0});
  network.weights.set("block_7_expand/kernel", Tensor(Shape{1, 1, 24, 99}));
  write_keras(folder / "w.h5", network);
  test::expect_error(ErrorKind::kUnsupported,
                     AllOf(HasSubstr("w.h5"), HasSubstr("block_7_expand/kernel"), HasSubstr("99")),
                     [&] { read(folder / "w.h5"); });
}

TEST(KerasErrors, AFileWithoutWeights) {
  const TemporaryFolder folder;
  { const test::H5Writer out(folder / "e.h5"); }
  EXPECT_TRUE(is_hdf5(folder / "e.h5"));
  test::expect_error(ErrorKind::kUnsupported, AllOf(HasSubstr("e.h5"), HasSubstr("0 weights")),
                     [&] { read(folder / "e.h5"); });
}

TEST(KerasErrors, AFewNumberedLayersAreNotAMobileNet) {
  const TemporaryFolder folder;
  {
    test::H5Writer out(folder / "n.h5");
    out.dataset({.path = "conv2d/conv2d/kernel:0", .extents = {1, 1, 1, 1}}, std::vector<float>{1});
    out.strings("conv2d", "weight_names", {"conv2d/kernel:0"});
    out.strings("/", "layer_names", {"conv2d"});
  }
  test::expect_error(ErrorKind::kUnsupported,
                     AllOf(HasSubstr("1 convolutions"), HasSubstr("conv2d")),
                     [&] { read(folder / "n.h5"); });
}

TEST(KerasErrors, Keras3LayoutIsNamed) {
  const TemporaryFolder folder;
  {
    test::H5Writer out(folder / "k3.h5");
    out.dataset({.path = "layers/conv2d/vars/0", .extents = {1}}, std::vector<float>{1});
  }
  test::expect_error(ErrorKind::kUnsupported, HasSubstr("Keras 3"),
                     [&] { read(folder / "k3.h5"); });
}

TEST(KerasErrors, TheLibraryPrintsNothingAndLeavesHdf5sSettingAlone) {
  const TemporaryFolder folder;
  test::write_bytes(folder / "t.h5", "\x89HDF\r\n\x1a\n" + std::string(4000, '\1'));
  H5E_auto2_t before = nullptr, after = nullptr;
  void* data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &data);
  testing::internal::CaptureStderr();
  EXPECT_THROW(read(folder / "t.h5"), Error);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  H5Eget_auto2(H5E_DEFAULT, &after, &data);
  EXPECT_EQ(before, after);
  EXPECT_NE(after, nullptr);
}

}  // namespace engraft::keras_h5_test
