#include <gmock/gmock.h>
#include <onnx.pb.h>

#include <cstring>
#include <functional>

#include "engraft/base/file.h"
#include "engraft/base/rng.h"
#include "engraft/formats/onnx.h"
#include "engraft/formats/onnx_layout.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "networks.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Every operator, on small pictures.
OnnxModel small_model() {
  GraphBuilder g({8, 8, 3});
  ValueId x = g.conv("Conv1", g.input(), {.channels = 4, .kernel = 3, .stride = 2});
  x = g.batch_norm("bn", x, 1e-3f);
  x = g.apply(Op::kRelu6, "r6", x);
  const ValueId skip = x;
  x = g.depthwise_conv("dw", x, {.kernel = 3, .bias = Bias::kAdded});
  x = g.apply(Op::kRelu, "r", x);
  x = g.add("sum", skip, x);
  x = g.apply(Op::kGlobalAveragePool, "pool", x);
  x = g.dropout("drop", x, 0.25f);
  x = g.dense("fc", x, 5);
  x = g.apply(Op::kSoftmax, "softmax", x);
  return {.network = test::with_random_weights(g.finish(x)),
          .preprocessing = {.scale = {0.5f, 0.25f, 2}, .offset = {-1, 0, 1}, .swap_red_blue = true},
          .metadata = {{"labels", "[]"}, {"a", "b"}}};
}

::onnx::ModelProto parse(const Bytes& bytes) {
  ::onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return model;
}

Bytes serialise(const ::onnx::ModelProto& model) {
  Bytes bytes(model.ByteSizeLong());
  EXPECT_TRUE(model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())));
  return bytes;
}

void read(std::span<const std::byte> bytes) {
  static_cast<void>(read_onnx(bytes, "m.onnx"));
}

/// The small model after a change to its messages.
Bytes changed(const std::function<void(::onnx::ModelProto&)>& change) {
  ::onnx::ModelProto model = parse(write_onnx(small_model()));
  change(model);
  return serialise(model);
}

::onnx::NodeProto& node(::onnx::ModelProto& model, const std::string& name) {
  for (::onnx::NodeProto& node : *model.mutable_graph()->mutable_node()) {
    if (node.name() == name) return node;
  }
  throw std::runtime_error("no node " + name);
}

::onnx::TensorProto& tensor(::onnx::ModelProto& model, const std::string& name) {
  for (::onnx::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.name() == name) return tensor;
  }
  throw std::runtime_error("no initializer " + name);
}

TEST(OnnxFile, IsOpset13WithSortedMetadata) {
  const ::onnx::ModelProto model = parse(write_onnx(small_model()));
  EXPECT_EQ(model.ir_version(), 7);
  EXPECT_EQ(model.producer_name(), "engraft");
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).version(), 13);
  ASSERT_EQ(model.metadata_props_size(), 2);
  EXPECT_EQ(model.metadata_props(0).key(), "a");
  EXPECT_EQ(model.metadata_props(1).key(), "labels");
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

TEST_P(KernelLayout, ThereAndBackIsTheSame) {
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
  onnx_format::oihw_to_hwio(oihw, back, extents);
  EXPECT_EQ(back, hwio);
}

INSTANTIATE_TEST_SUITE_P(Sizes, KernelLayout,
                         testing::Values(Extents{1, 1, 1}, Extents{9, 3, 32}, Extents{1, 15, 16},
                                         Extents{1, 16, 17}, Extents{1, 33, 31}, Extents{9, 1, 40},
                                         Extents{25, 5, 5}, Extents{1, 0, 4}, Extents{0, 4, 4}));

// Files cut short, changed and odd.

TEST(CutOnnx, EveryLengthIsRefused) {
  const Bytes whole = write_onnx(small_model());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    test::expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("m.onnx"), HasSubstr("damaged")),
                       [&] { read(std::span(whole).first(length)); });
  }
  EXPECT_NO_THROW(read(whole));
}

TEST(CutOnnx, BytesThatAreNotOnnx) {
  for (const std::string& text :
       {std::string("hello"), std::string(1000, '\0'), std::string("\x89PNG\r\n\x1a\n"),
        std::string(100, '\xff'), std::string("PK\x03\x04")}) {
    test::expect_error(ErrorKind::kBadInput, HasSubstr("m.onnx"),
                       [&] { read(std::as_bytes(std::span(text))); });
  }
}

class FlippedOnnx : public testing::TestWithParam<int> {};

TEST_P(FlippedOnnx, IsReadOrRefusedButNeverCrashes) {
  Bytes bytes = write_onnx(small_model());
  Rng rng(3, static_cast<std::uint64_t>(GetParam()));
  for (int round = 0; round < 50; ++round) {
    Bytes flipped = bytes;
    const int flips = 1 + static_cast<int>(rng.below(4));
    for (int i = 0; i < flips; ++i) {
      flipped[rng.below(static_cast<std::uint32_t>(bytes.size()))] ^=
          static_cast<std::byte>(1u << rng.below(8));
    }
    try {
      const OnnxModel model = read_onnx(flipped, "m.onnx");
      check_weights(model.network.graph, model.network.weights);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("m.onnx"));
      EXPECT_TRUE(error.kind() == ErrorKind::kBadInput || error.kind() == ErrorKind::kUnsupported)
          << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FlippedOnnx, testing::Range(0, 40));

struct Change {
  const char* name;
  ErrorKind kind;
  const char* message;
  std::function<void(::onnx::ModelProto&)> change;
};

class ChangedOnnx : public testing::TestWithParam<Change> {};

TEST_P(ChangedOnnx, IsRefusedWithTheReason) {
  test::expect_error(GetParam().kind, AllOf(HasSubstr("m.onnx"), HasSubstr(GetParam().message)),
                     [&] { read(changed(GetParam().change)); });
}

constexpr ErrorKind kBad = ErrorKind::kBadInput;
constexpr ErrorKind kOther = ErrorKind::kUnsupported;
using Model = ::onnx::ModelProto;

INSTANTIATE_TEST_SUITE_P(
    Nodes, ChangedOnnx,
    testing::Values(
        Change{"unknown_operator", kOther, "node r (Tanh)",
               [](Model& m) { node(m, "r").set_op_type("Tanh"); }},
        Change{"other_domain", kOther, "node r (Relu)",
               [](Model& m) { node(m, "r").set_domain("com.example"); }},
        Change{"unknown_attribute", kOther, "node r (Relu) has an attribute alpha",
               [](Model& m) { node(m, "r").add_attribute()->set_name("alpha"); }},
        Change{"attribute_twice", kOther, "node softmax (Softmax) has two attributes named axis",
               [](Model& m) {
                 *node(m, "softmax").add_attribute() = node(m, "softmax").attribute(0);
               }},
        Change{"softmax_axis", kOther, "node softmax (Softmax) axis is not 1",
               [](Model& m) { node(m, "softmax").mutable_attribute(0)->set_i(2); }},
        Change{"missing_attributes", kOther, "node Conv1 (Conv) has no attribute kernel_shape",
               [](Model& m) { node(m, "Conv1").clear_attribute(); }},
        Change{"extra_input", kOther, "node r (Relu) has 2 inputs",
               [](Model& m) { node(m, "r").add_input("dw"); }},
        Change{"no_input", kOther, "node r (Relu) has 0 inputs",
               [](Model& m) { node(m, "r").clear_input(); }},
        Change{"two_outputs", kOther, "node r (Relu) has not one output",
               [](Model& m) { node(m, "r").add_output("more"); }},
        Change{"no_output", kOther, "node r (Relu) has not one output",
               [](Model& m) { node(m, "r").clear_output(); }},
        Change{"input_from_nowhere", kOther, "its input nowhere does not exist",
               [](Model& m) { node(m, "r").set_input(0, "nowhere"); }},
        Change{"input_from_later", kOther, "its input fc does not exist",
               [](Model& m) { node(m, "r").set_input(0, "fc"); }},
        Change{"weights_from_a_node", kOther, "its input r6 is not an initializer",
               [](Model& m) { node(m, "dw").set_input(1, "r6"); }},
        Change{"no_name", kBad, "has no name", [](Model& m) { node(m, "r").clear_name(); }},
        Change{"name_taken", kBad, "dw", [](Model& m) { node(m, "r").set_name("dw"); }},
        Change{"output_taken", kBad, "value dw is there twice",
               [](Model& m) { node(m, "r").set_output(0, "dw"); }},
        Change{"clip_at_seven", kOther, "node r6 (Clip) is not ReLU6",
               [](Model& m) {
                 const float seven = 7;
                 tensor(m, "relu6/max").set_raw_data(&seven, sizeof seven);
               }},
        Change{"rate_of_one", kBad, "rate",
               [](Model& m) {
                 const float one = 1;
                 tensor(m, "drop/ratio").set_raw_data(&one, sizeof one);
               }},
        Change{"flatten_axis", kOther, "node pool (Flatten)",
               [](Model& m) { node(m, "pool").mutable_attribute(0)->set_i(0); }},
        Change{"pool_not_flattened", kOther, "stands where Flatten",
               [](Model& m) { node(m, "pool").set_op_type("Identity"); }},
        Change{"group", kOther, "has 2 groups",
               [](Model& m) { node(m, "dw").mutable_attribute(0)->set_i(2); }},
        Change{"group_type", kOther, "attribute group",
               [](Model& m) { node(m, "dw").mutable_attribute(0)->clear_i(); }},
        Change{"stride_not_square", kOther, "not square",
               [](Model& m) { node(m, "Conv1").mutable_attribute(2)->set_ints(0, 1); }},
        Change{"stride_zero", kBad, "stride 0",
               [](Model& m) {
                 node(m, "Conv1").mutable_attribute(2)->set_ints(0, 0);
                 node(m, "Conv1").mutable_attribute(2)->set_ints(1, 0);
               }},
        Change{"padding_negative", kOther, "out of range",
               [](Model& m) { node(m, "Conv1").mutable_attribute(1)->set_ints(0, -1); }},
        Change{"padding_huge", kOther, "out of range",
               [](Model& m) {
                 node(m, "Conv1").mutable_attribute(1)->set_ints(0, std::int64_t{1} << 40);
               }},
        Change{
            "padding_short", kOther, "not square",
            [](Model& m) { node(m, "Conv1").mutable_attribute(1)->mutable_ints()->RemoveLast(); }}),
    [](const auto& param) { return std::string(param.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Tensors, ChangedOnnx,
    testing::Values(
        Change{"dims_larger_than_data", kBad, "Conv1/kernel [4,3,3,4]",
               [](Model& m) { tensor(m, "Conv1/kernel").set_dims(3, 4); }},
        Change{"dims_overflow", kBad, "too large",
               [](Model& m) {
                 for (int i = 0; i < 4; ++i)
                   tensor(m, "Conv1/kernel").set_dims(i, std::int64_t{1} << 62);
               }},
        Change{"dims_negative", kBad, "negative",
               [](Model& m) {
                 tensor(m, "Conv1/kernel").set_dims(0, -4);
                 tensor(m, "Conv1/kernel").set_dims(1, -3);
               }},
        Change{"dims_zero", kBad, "Conv1",
               [](Model& m) {
                 tensor(m, "Conv1/kernel").set_dims(0, 0);
                 tensor(m, "Conv1/kernel").set_raw_data("");
               }},
        Change{"dims_swapped", kBad, "Conv1/kernel",
               [](Model& m) {
                 tensor(m, "Conv1/kernel").set_dims(0, 3);
                 tensor(m, "Conv1/kernel").set_dims(1, 4);
               }},
        Change{"five_dims", kOther, "up to 4 axes",
               [](Model& m) { tensor(m, "Conv1/kernel").add_dims(1); }},
        Change{"data_short", kBad, "bytes",
               [](Model& m) { tensor(m, "fc/kernel").mutable_raw_data()->pop_back(); }},
        Change{"data_missing", kBad, "0 bytes",
               [](Model& m) { tensor(m, "fc/kernel").clear_raw_data(); }},
        Change{"data_type", kOther, "fc/kernel is not a float tensor",
               [](Model& m) { tensor(m, "fc/kernel").set_data_type(::onnx::TensorProto::INT8); }},
        Change{"data_elsewhere", kOther, "inside the file",
               [](Model& m) {
                 tensor(m, "fc/kernel").set_data_location(::onnx::TensorProto::EXTERNAL);
               }},
        Change{"tensor_twice", kBad, "fc/bias is there twice",
               [](Model& m) { *m.mutable_graph()->add_initializer() = tensor(m, "fc/bias"); }},
        Change{"tensor_missing", kOther, "fc/bias is not an initializer",
               [](Model& m) { tensor(m, "fc/bias").set_name("other"); }},
        Change{"scale_of_two", kOther, "one value a channel",
               [](Model& m) {
                 tensor(m, "image/scale").set_dims(0, 2);
                 tensor(m, "image/scale").mutable_raw_data()->resize(8);
               }},
        Change{"channel_order", kOther, "blue, green, red",
               [](Model& m) { (*tensor(m, "image/channels").mutable_raw_data())[0] = 1; }}),
    [](const auto& param) { return std::string(param.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Files, ChangedOnnx,
    testing::Values(
        Change{"opset", kOther, "operator sets",
               [](Model& m) { m.mutable_opset_import(0)->set_version(12); }},
        Change{"two_opsets", kOther, "operator sets",
               [](Model& m) { m.add_opset_import()->set_domain("ai.onnx.ml"); }},
        Change{"no_graph", kBad, "no graph", [](Model& m) { m.clear_graph(); }},
        Change{"no_nodes", kBad, "has no", [](Model& m) { m.mutable_graph()->clear_node(); }},
        Change{"no_input", kOther, "missing instead of image",
               [](Model& m) { m.mutable_graph()->clear_input(); }},
        Change{"other_input", kOther, "x instead of image",
               [](Model& m) { m.mutable_graph()->mutable_input(0)->set_name("x"); }},
        Change{"input_without_type", kOther, "not float",
               [](Model& m) { m.mutable_graph()->mutable_input(0)->clear_type(); }},
        Change{"input_huge", kOther, "not float",
               [](Model& m) {
                 m.mutable_graph()
                     ->mutable_input(0)
                     ->mutable_type()
                     ->mutable_tensor_type()
                     ->mutable_shape()
                     ->mutable_dim(1)
                     ->set_dim_value(std::int64_t{1} << 60);
               }},
        Change{"activation_huge", kBad, "more than any picture needs",
               [](Model& m) {
                 for (const int axis : {1, 2}) {
                   m.mutable_graph()
                       ->mutable_input(0)
                       ->mutable_type()
                       ->mutable_tensor_type()
                       ->mutable_shape()
                       ->mutable_dim(axis)
                       ->set_dim_value(16384);
                 }
                 // Without strides the 4 channels of the first layer come to 4 GiB.
                 node(m, "Conv1").mutable_attribute(2)->set_ints(0, 1);
                 node(m, "Conv1").mutable_attribute(2)->set_ints(1, 1);
               }},
        Change{"no_output", kOther, "output", [](Model& m) { m.mutable_graph()->clear_output(); }},
        Change{"unknown_output", kOther, "output",
               [](Model& m) { m.mutable_graph()->mutable_output(0)->set_name("y"); }},
        Change{"two_outputs", kOther, "output",
               [](Model& m) { m.mutable_graph()->add_output()->set_name("fc"); }},
        Change{"metadata_twice", kBad, "metadata a is there twice",
               [](Model& m) { *m.add_metadata_props() = m.metadata_props(0); }},
        Change{"structure_huge", kBad, "more nodes and metadata",
               [](Model& m) { m.set_doc_string(std::string(5 << 20, 'x')); }},
        Change{"nodes_without_end", kBad, "more nodes and metadata",
               [](Model& m) {
                 for (int i = 0; i < (3 << 20); ++i) m.mutable_graph()->add_node();
               }}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(OddOnnx, NamesInMessagesAreShortAndOneLine) {
  const Bytes bytes = changed(
      [](Model& m) { node(m, "r").set_op_type("Evil\n\x1b[31m" + std::string(100'000, 'x')); });
  try {
    read(bytes);
    ADD_FAILURE() << "no error was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("Evil??[31mxxx"));
    EXPECT_LT(std::strlen(error.what()), 600u);
  }
}

TEST(OtherOnnx, OfOtherProgramsIsRefusedByName) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  for (const char* name : {"mobilenet_v2_1.0_224_tf_padding.onnx", "sample_tf2onnx_128.onnx"}) {
    const Bytes bytes = read_file(data / "models" / name);
    test::expect_error(kOther, AllOf(HasSubstr(name), HasSubstr("wrote itself")),
                       [&] { static_cast<void>(read_onnx(bytes, name)); });
  }
}

}  // namespace
}  // namespace engraft
