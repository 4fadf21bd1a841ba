#include <gmock/gmock.h>
#include <onnx.pb.h>

#include <algorithm>
#include <cstring>

#include "engraft/formats/onnx.h"
#include "engraft/formats/onnx_layout.h"
#include "engraft/graph/mobilenet_v2.h"
#include "networks.h"
#include "onnx_messages.h"

namespace engraft::onnx_file_test {

using test::gated_model;
using test::node;
using test::parse;
using test::small_model;
using test::tensor;
using ::testing::ElementsAre;

TEST(OnnxFile, IsOpset13WithSortedMetadataAndItsChecksum) {
  const ::onnx::ModelProto model = parse(write_onnx(small_model()));
  EXPECT_EQ(model.ir_version(), 7);
  EXPECT_EQ(model.producer_name(), "engraft");
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).version(), 13);
  ASSERT_EQ(model.metadata_props_size(), 3);
  EXPECT_EQ(model.metadata_props(0).key(), "a");
  EXPECT_EQ(model.metadata_props(1).key(), "labels");
  EXPECT_EQ(model.metadata_props(2).key(), "engraft.crc32c");
}

TEST(OnnxFile, IsOpset14WhereAHardSwishNeedsIt) {
  ::onnx::ModelProto model = parse(write_onnx(gated_model()));
  EXPECT_EQ(model.ir_version(), 7);
  EXPECT_EQ(model.opset_import(0).version(), 14);
  std::vector<std::string> ops;
  for (const auto& n : model.graph().node()) ops.push_back(n.op_type());
  EXPECT_THAT(ops, ElementsAre("Mul", "Add", "Transpose", "Conv", "HardSwish", "GlobalAveragePool",
                               "Flatten", "Gemm", "HardSigmoid", "Unsqueeze", "Mul", "Mul"));
  EXPECT_THAT(node(model, "gated").input(), ElementsAre("swish", "gated/unsqueezed"));
  EXPECT_THAT(node(model, "square").input(), ElementsAre("gated", "gated"));
  EXPECT_EQ(node(model, "gate").attribute(0).name(), "alpha");
  EXPECT_EQ(node(model, "gate").attribute(0).f(), 1.0f / 6);
  EXPECT_EQ(node(model, "gate").attribute(1).f(), 0.5f);
  const ::onnx::TensorProto& axes = tensor(model, "unsqueezed/axes");
  EXPECT_EQ(axes.data_type(), ::onnx::TensorProto::INT64);
  EXPECT_THAT(axes.dims(), ElementsAre(2));
}

TEST(OnnxFile, TakesPixelsAndGivesProbabilities) {
  const ::onnx::ModelProto model = parse(write_onnx(small_model()));
  ASSERT_EQ(model.graph().input_size(), 1);
  const auto& input = model.graph().input(0);
  EXPECT_EQ(input.name(), "image");
  const auto& shape = input.type().tensor_type().shape();
  ASSERT_EQ(shape.dim_size(), 4);
  EXPECT_EQ(shape.dim(0).dim_param(), "N");
  EXPECT_EQ(shape.dim(1).dim_value(), 8);
  EXPECT_EQ(shape.dim(2).dim_value(), 8);
  EXPECT_EQ(shape.dim(3).dim_value(), 3);
  ASSERT_EQ(model.graph().output_size(), 1);
  const auto& output = model.graph().output(0);
  EXPECT_EQ(output.name(), "probabilities");
  ASSERT_EQ(output.type().tensor_type().shape().dim_size(), 2);
  EXPECT_EQ(output.type().tensor_type().shape().dim(0).dim_param(), "N");
  EXPECT_EQ(output.type().tensor_type().shape().dim(1).dim_value(), 5);
}

TEST(OnnxFile, ABaseWithoutATopGivesItsFeaturesUnderTheirName) {
  const ::onnx::ModelProto model = parse(write_onnx(
      {.network = test::random_mobilenet({.width = 0.1f, .image_size = 32, .classes = 0}),
       .preprocessing = {},
       .metadata = {}}));
  EXPECT_EQ(model.graph().output(0).name(), kPooledValue);
  EXPECT_EQ(model.graph().output(0).type().tensor_type().shape().dim(1).dim_value(), 1280);
}

TEST(OnnxFile, AFeatureMapIsNchw) {
  OnnxModel source = small_model();
  source.network.graph.set_output(source.network.graph.find("Conv1"));
  const ::onnx::ModelProto model = parse(write_onnx(source));
  const auto& shape = model.graph().output(0).type().tensor_type().shape();
  ASSERT_EQ(shape.dim_size(), 4);
  EXPECT_EQ(shape.dim(1).dim_value(), 4);
  EXPECT_EQ(shape.dim(2).dim_value(), 4);
}

TEST(OnnxFile, HasTheseOperatorsInThisOrder) {
  std::vector<std::string> ops;
  const ::onnx::ModelProto model = parse(write_onnx(small_model()));
  for (const auto& n : model.graph().node()) ops.push_back(n.op_type());
  EXPECT_THAT(ops, ElementsAre("Gather", "Mul", "Add", "Transpose", "Conv", "BatchNormalization",
                               "Clip", "Conv", "Relu", "Add", "GlobalAveragePool", "Flatten",
                               "Dropout", "Gemm", "Softmax"));
}

TEST(OnnxFile, KeepsTheNamesOfValuesAndParameters) {
  ::onnx::ModelProto model = parse(write_onnx(small_model()));
  for (const char* name : {"Conv1", "bn", "r6", "dw", "r", "sum", "pool", "drop", "fc"}) {
    EXPECT_EQ(node(model, name).output(0), name);
  }
  EXPECT_EQ(node(model, "softmax").output(0), "probabilities");
  EXPECT_THAT(node(model, "bn").input(),
              ElementsAre("Conv1", "bn/gamma", "bn/beta", "bn/moving_mean", "bn/moving_variance"));
}

TEST(OnnxFile, LaysConvolutionKernelsOutAsOihw) {
  const OnnxModel source = small_model();
  ::onnx::ModelProto model = parse(write_onnx(source));
  const auto at = [](const ::onnx::TensorProto& t, std::size_t i) {
    float value = 0;
    std::memcpy(&value, t.raw_data().data() + i * sizeof value, sizeof value);
    return value;
  };
  const ::onnx::TensorProto& conv = tensor(model, "Conv1/kernel");
  EXPECT_THAT(conv.dims(), ElementsAre(4, 3, 3, 3));
  const Tensor& w = source.network.weights.at("Conv1/kernel");
  for (std::size_t o = 0; o < 4; ++o)
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t uv = 0; uv < 9; ++uv)
        ASSERT_EQ(at(conv, (o * 3 + i) * 9 + uv), w.data()[(uv * 3 + i) * 4 + o]);

  const ::onnx::TensorProto& depthwise = tensor(model, "dw/depthwise_kernel");
  EXPECT_THAT(depthwise.dims(), ElementsAre(4, 1, 3, 3));
  const Tensor& d = source.network.weights.at("dw/depthwise_kernel");
  for (std::size_t c = 0; c < 4; ++c)
    for (std::size_t uv = 0; uv < 9; ++uv)
      ASSERT_EQ(at(depthwise, c * 9 + uv), d.data()[uv * 4 + c]);
  EXPECT_THAT(tensor(model, "fc/kernel").dims(), ElementsAre(4, 5));
}

struct Extents {
  std::size_t area, inputs, outputs;
};

class KernelLayout : public testing::TestWithParam<Extents> {};

TEST_P(KernelLayout, ThereAndBackIsTheSameWholeOrInPieces) {
  const Extents& e = GetParam();
  const onnx_format::KernelExtents extents{e.area, e.inputs, e.outputs};
  std::vector<float> hwio(e.area * e.inputs * e.outputs);
  for (std::size_t i = 0; i < hwio.size(); ++i) hwio[i] = static_cast<float>(i);
  std::vector<float> oihw(hwio.size(), -1), back(hwio.size(), -1);
  onnx_format::hwio_to_oihw(hwio, oihw, extents);
  for (std::size_t t = 0; t < e.area; ++t)
    for (std::size_t i = 0; i < e.inputs; ++i)
      for (std::size_t o = 0; o < e.outputs; ++o)
        ASSERT_EQ(oihw[(o * e.inputs + i) * e.area + t], hwio[(t * e.inputs + i) * e.outputs + o]);
  onnx_format::oihw_to_hwio(oihw, 0, back, extents);
  EXPECT_EQ(back, hwio);
  std::ranges::fill(back, -1);  // and in pieces
  const std::size_t output = e.area * e.inputs, together = 5;
  for (std::size_t first = 0; first < e.outputs; first += together) {
    const std::size_t count = std::min(together, e.outputs - first);
    onnx_format::oihw_to_hwio(std::span(oihw).subspan(first * output, count * output), first, back,
                              extents);
  }
  EXPECT_EQ(back, hwio);
}

INSTANTIATE_TEST_SUITE_P(Sizes, KernelLayout,
                         testing::Values(Extents{1, 1, 1}, Extents{9, 3, 32}, Extents{1, 15, 16},
                                         Extents{1, 16, 17}, Extents{1, 33, 31}, Extents{9, 1, 40},
                                         Extents{25, 5, 5}, Extents{1, 0, 4}, Extents{0, 4, 4}));

}  // namespace engraft::onnx_file_test
