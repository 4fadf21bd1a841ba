#include <gmock/gmock.h>

#include <cstring>
#include <functional>

#include "engraft/base/file.h"
#include "engraft/formats/onnx.h"
#include "onnx_damage.h"
#include "support/test_data.h"

namespace engraft::onnx_hostile_test {

using test::node;
using test::parse;
using test::serialise;
using test::small_model;
using test::tensor;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Change = test::OnnxChange;
using Model = ::onnx::ModelProto;

void read(std::span<const std::byte> bytes) {
  static_cast<void>(read_onnx(bytes, "m.onnx"));
}

/// The small model after a change to its messages.
Bytes changed(const std::function<void(::onnx::ModelProto&)>& change) {
  ::onnx::ModelProto model = parse(write_onnx(small_model()));
  change(model);
  return serialise(model);
}

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
  test::expect_flipped_is_read_or_refused(write_onnx(small_model()),
                                          static_cast<std::uint64_t>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, FlippedOnnx, testing::Range(0, 40));

TEST(DamagedOnnx, AnyBitOfAWrittenFileThatFlippedIsNoticed) {
  const Bytes whole = write_onnx(small_model());
  const std::string_view text(reinterpret_cast<const char*>(whole.data()), whole.size());
  const std::string_view key = "engraft.crc32c";
  const std::size_t entry = text.find(key) - 4;  // two tags and two lengths
  for (std::size_t at = 0; at < whole.size(); ++at) {
    if (at >= entry && at < entry + 4 + key.size() + 2) continue;  // then there is no checksum
    for (int bit = 0; bit < 8; ++bit) {
      Bytes flipped = whole;
      flipped[at] ^= static_cast<std::byte>(1u << bit);
      EXPECT_THROW(read(flipped), Error) << at << ", bit " << bit;
    }
  }
}

TEST(DamagedOnnx, IsToldByItsChecksumAndTheWayOut) {
  ::onnx::ModelProto model = parse(write_onnx(small_model()));
  const std::string values = tensor(model, "Conv1/kernel").raw_data();
  Bytes bytes = write_onnx(small_model());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  bytes[text.find(values)] ^= std::byte{1};
  test::expect_error(ErrorKind::kBadInput,
                     AllOf(HasSubstr("m.onnx"), HasSubstr("checksum"), HasSubstr("copy it again")),
                     [&] { read(bytes); });
}

TEST(DamagedOnnx, WhatOtherProgramsChangedHasNoChecksum) {
  const Bytes bytes = changed([](Model& model) { model.set_producer_name("another"); });
  EXPECT_EQ(read_onnx(bytes, "m.onnx").metadata, small_model().metadata);
  EXPECT_EQ(read_onnx(write_onnx(small_model()), "m.onnx").metadata, small_model().metadata);
}

class ChangedOnnx : public testing::TestWithParam<Change> {};

TEST_P(ChangedOnnx, IsRefusedWithTheReason) {
  test::expect_refused(write_onnx(small_model()), GetParam());
}

constexpr ErrorKind kBad = ErrorKind::kBadInput;
constexpr ErrorKind kOther = ErrorKind::kUnsupported;

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
    test::name_of_change);

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
        Change{"dims_endless", kBad, "Conv1",
               [](Model& m) {
                 tensor(m, "Conv1/kernel").set_dims(0, std::int64_t{1} << 48);
                 tensor(m, "Conv1/kernel").set_dims(1, 0);
                 tensor(m, "Conv1/kernel").set_raw_data("");
               }},
        Change{"dims_endless_taps", kBad, "dw",
               [](Model& m) {
                 tensor(m, "dw/depthwise_kernel").set_dims(0, std::int64_t{1} << 48);
                 tensor(m, "dw/depthwise_kernel").set_dims(2, 0);
                 tensor(m, "dw/depthwise_kernel").set_raw_data("");
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
    test::name_of_change);

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
    test::name_of_change);

class ChangedGatedOnnx : public testing::TestWithParam<Change> {};

TEST_P(ChangedGatedOnnx, IsRefusedWithTheReason) {
  test::expect_refused(write_onnx(test::gated_model()), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Nodes, ChangedGatedOnnx,
    testing::Values(
        Change{"hard_swish_before_its_opset", kOther, "node swish (HardSwish)",
               [](Model& m) { m.mutable_opset_import(0)->set_version(13); }},
        Change{"opset_15", kOther, "operator sets",
               [](Model& m) { m.mutable_opset_import(0)->set_version(15); }},
        Change{"hard_sigmoid_slope", kOther, "node gate (HardSigmoid) is not",
               [](Model& m) { node(m, "gate").mutable_attribute(0)->set_f(0.2f); }},
        Change{"hard_sigmoid_offset", kOther, "node gate (HardSigmoid) is not",
               [](Model& m) { node(m, "gate").mutable_attribute(1)->set_f(0.25f); }},
        Change{"hard_sigmoid_defaults", kOther, "has no number alpha",
               [](Model& m) { node(m, "gate").clear_attribute(); }},
        Change{"other_axes", kOther, "adds other axes",
               [](Model& m) { (*tensor(m, "unsqueezed/axes").mutable_raw_data())[0] = 1; }},
        Change{"axes_from_a_node", kOther, "is not an initializer",
               [](Model& m) { node(m, "gated/unsqueezed").set_input(1, "gate"); }},
        Change{"not_multiplied", kOther, "stands where Mul by gated/unsqueezed should",
               [](Model& m) { node(m, "gated").set_op_type("Add"); }},
        Change{"multiplied_by_another", kOther, "stands where Mul by gated/unsqueezed should",
               [](Model& m) { node(m, "gated").set_input(1, "swish"); }},
        Change{"multiplied_from_the_left", kOther, "stands where Mul",
               [](Model& m) {
                 node(m, "gated").set_input(0, "gated/unsqueezed");
                 node(m, "gated").set_input(1, "swish");
               }},
        Change{"a_picture_is_unsqueezed", kOther, "one value a channel",
               [](Model& m) { node(m, "gated/unsqueezed").set_input(0, "swish"); }},
        Change{"channels_are_multiplied", kOther, "one value a channel",
               [](Model& m) { node(m, "gated").set_input(0, "gate"); }},
        Change{"broadcast_without_axes", kOther, "node square (Mul) has inputs [8,8,4] and [4]",
               [](Model& m) { node(m, "square").set_input(1, "gate"); }},
        Change{"factors_of_other_channels", kBad, "gated (multiply)",
               [](Model& m) { node(m, "gated").set_input(0, "input"); }},
        Change{"ends_with_unsqueeze", kBad, "ends with an Unsqueeze",
               [](Model& m) { m.mutable_graph()->mutable_node()->DeleteSubrange(10, 2); }}),
    test::name_of_change);

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

}  // namespace engraft::onnx_hostile_test
