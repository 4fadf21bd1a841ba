// Compact files that are cut short, damaged or made up: refused with the reason.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "engraft/formats/onnx_compact.h"
#include "onnx_damage.h"

namespace engraft::onnx_compact_hostile_test {

using namespace onnx_format;
using test::node;
using test::tensor;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Change = test::OnnxChange;
using Model = ::onnx::ModelProto;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Bytes compact_kernels() {
  return write_onnx(test::kernels_model(), WeightStorage::kCompact);
}

TEST(CutCompactOnnx, IsRefusedWhereverItEnds) {
  const Bytes whole = compact_kernels();
  for (std::size_t length = 0; length < whole.size(); length += length < 4000 ? 1 : 7) {
    test::expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("m.onnx"), HasSubstr("damaged")),
                       [&] { (void)read_onnx(std::span(whole).first(length), "m.onnx"); });
  }
}

class FlippedCompactOnnx : public testing::TestWithParam<int> {};

TEST_P(FlippedCompactOnnx, IsReadOrRefusedButNeverCrashes) {
  test::expect_flipped_is_read_or_refused(compact_kernels(),
                                          static_cast<std::uint64_t>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, FlippedCompactOnnx, testing::Range(0, 20));

class ChangedCompactOnnx : public testing::TestWithParam<Change> {};

TEST_P(ChangedCompactOnnx, IsRefusedWithTheReason) {
  test::expect_refused(compact_kernels(), GetParam());
}

constexpr ErrorKind kBad = ErrorKind::kBadInput;
constexpr ErrorKind kOther = ErrorKind::kUnsupported;

/// Sets one scale of the dense layer.
std::function<void(Model&)> scale(float value) {
  return [value](Model& m) {
    std::memcpy(tensor(m, "fc/kernel/int8_scale").mutable_raw_data()->data() + 8, &value,
                sizeof value);
  };
}

/// Gives the dense layer's scales that many entries.
std::function<void(Model&)> scales(int count) {
  return [count](Model& m) {
    ::onnx::TensorProto& t = tensor(m, "fc/kernel/int8_scale");
    const std::vector<float> values(static_cast<std::size_t>(count), 1);
    t.set_dims(0, count);
    t.set_raw_data(values.data(), values.size() * sizeof(float));
  };
}

::onnx::AttributeProto& axis(Model& m) {
  return *node(m, "fc/kernel/unpacked").mutable_attribute(0);
}

INSTANTIATE_TEST_SUITE_P(
    Scales, ChangedCompactOnnx,
    testing::Values(
        Change{"one_scale_too_few", kBad, "29 scales for the 30 channels", scales(29)},
        Change{"one_scale_too_many", kBad, "31 scales for the 30 channels", scales(31)},
        Change{"no_scale", kBad, "0 scales", scales(0)},
        Change{"zero", kBad, "not above 0 and finite", scale(0)},
        Change{"minus_zero", kBad, "not above 0 and finite", scale(-0.0f)},
        Change{"negative", kBad, "not above 0 and finite", scale(-0.5f)},
        Change{"infinite", kBad, "not above 0 and finite", scale(kInfinity)},
        Change{"nan", kBad, "not above 0 and finite", scale(std::nanf(""))},
        Change{"so_large_that_products_overflow", kBad, "not above 0 and finite", scale(3e38f)},
        Change{"bytes_short", kBad, "bytes",
               [](Model& m) { tensor(m, "fc/kernel/int8_scale").mutable_raw_data()->pop_back(); }},
        Change{"a_scalar", kOther, "not one row of floats",
               [](Model& m) { tensor(m, "fc/kernel/int8_scale").clear_dims(); }},
        Change{"a_table", kOther, "not one row of floats",
               [](Model& m) { tensor(m, "fc/kernel/int8_scale").add_dims(1); }},
        Change{"of_another_type", kOther, "not one row of floats",
               [](Model& m) {
                 tensor(m, "fc/kernel/int8_scale").set_data_type(::onnx::TensorProto::FLOAT16);
               }},
        Change{"elsewhere", kOther, "not one row of floats",
               [](Model& m) {
                 tensor(m, "fc/kernel/int8_scale").set_data_location(::onnx::TensorProto::EXTERNAL);
               }},
        Change{"missing", kOther, "is not an initializer",
               [](Model& m) { node(m, "fc/kernel/unpacked").set_input(1, "nowhere"); }},
        Change{"left_out", kOther, "has 1 inputs instead of 2",
               [](Model& m) { node(m, "fc/kernel/unpacked").mutable_input()->RemoveLast(); }}),
    test::name_of_change);

INSTANTIATE_TEST_SUITE_P(
    Values, ChangedCompactOnnx,
    testing::Values(
        Change{"int8_short", kBad, "bytes",
               [](Model& m) { tensor(m, "fc/kernel/int8").mutable_raw_data()->pop_back(); }},
        Change{"int8_long", kBad, "bytes",
               [](Model& m) { tensor(m, "fc/kernel/int8").mutable_raw_data()->push_back('x'); }},
        Change{"int8_missing", kBad, "0 bytes",
               [](Model& m) { tensor(m, "fc/kernel/int8").clear_raw_data(); }},
        Change{"dims_overflow", kBad, "too large",
               [](Model& m) { tensor(m, "fc/kernel/int8").set_dims(0, std::int64_t{1} << 62); }},
        Change{"dims_negative", kBad, "negative",
               [](Model& m) {
                 tensor(m, "fc/kernel/int8").set_dims(0, -40);
                 tensor(m, "fc/kernel/int8").set_dims(1, -30);
               }},
        Change{"five_dims", kOther, "up to 4 axes",
               [](Model& m) {
                 for (int i = 0; i < 3; ++i) tensor(m, "fc/kernel/int8").add_dims(1);
               }},
        Change{"int8_elsewhere", kOther, "inside the file",
               [](Model& m) {
                 tensor(m, "fc/kernel/int8").set_data_location(::onnx::TensorProto::EXTERNAL);
               }},
        Change{"unsigned", kOther, "not an int8 tensor",
               [](Model& m) {
                 tensor(m, "fc/kernel/int8").set_data_type(::onnx::TensorProto::UINT8);
               }},
        Change{"half_short", kBad, "bytes",
               [](Model& m) {
                 tensor(m, "dw/depthwise_kernel/float16").mutable_raw_data()->pop_back();
               }},
        Change{
            "half_of_another_type", kOther, "not a float16 tensor",
            [](Model& m) {
              tensor(m, "dw/depthwise_kernel/float16").set_data_type(::onnx::TensorProto::BFLOAT16);
            }},
        Change{"half_elsewhere", kOther, "inside the file",
               [](Model& m) {
                 tensor(m, "dw/depthwise_kernel/float16")
                     .set_data_location(::onnx::TensorProto::EXTERNAL);
               }}),
    test::name_of_change);

INSTANTIATE_TEST_SUITE_P(
    Nodes, ChangedCompactOnnx,
    testing::Values(
        Change{"axis_past_the_last", kOther, "axis is none of", [](Model& m) { axis(m).set_i(2); }},
        Change{"axis_negative", kOther, "axis is none of", [](Model& m) { axis(m).set_i(-1); }},
        Change{"axis_huge", kOther, "axis is none of",
               [](Model& m) { axis(m).set_i(std::int64_t{1} << 40); }},
        Change{"axis_left_out", kOther, "axis is none of",
               [](Model& m) { node(m, "fc/kernel/unpacked").clear_attribute(); }},
        Change{"axis_of_the_inputs", kBad, "30 scales for the 40 channels",
               [](Model& m) { axis(m).set_i(1); }},
        Change{"a_transposed_bias", kOther, "transposes fc/bias, which is no kernel",
               [](Model& m) { node(m, "fc").set_input(1, "fc/bias"); }},
        Change{"transposed_and_not", kOther, "the other way round",
               [](Model& m) {
                 ::onnx::NodeProto again = node(m, "fc");
                 again.set_name("again");
                 again.set_output(0, "again");
                 again.clear_attribute();
                 *m.mutable_graph()->add_node() = again;
               }},
        Change{"not_transposed", kBad, "fc", [](Model& m) { node(m, "fc").clear_attribute(); }},
        Change{"a_zero_point", kOther, "has 3 inputs instead of 2",
               [](Model& m) {
                 ::onnx::TensorProto& zero = *m.mutable_graph()->add_initializer();
                 zero.set_name("zero");
                 zero.set_data_type(::onnx::TensorProto::INT8);
                 zero.add_dims(30);
                 zero.set_raw_data(std::string(30, '\1'));
                 node(m, "fc/kernel/unpacked").add_input("zero");
               }},
        Change{"values_from_a_node", kOther, "is not an initializer",
               [](Model& m) { node(m, "fc/kernel/unpacked").set_input(0, "pool"); }},
        Change{"unpacked_twice", kOther, "unpacks fc/kernel/int8 once more",
               [](Model& m) {
                 ::onnx::NodeProto again = node(m, "fc/kernel/unpacked");
                 again.set_output(0, "other");
                 *m.mutable_graph()->add_node() = again;
               }},
        Change{"an_initializer_s_name", kBad, "value fc/bias is there twice",
               [](Model& m) { node(m, "fc/kernel/unpacked").set_output(0, "fc/bias"); }},
        Change{"a_value_s_name", kBad, "value pool is there twice",
               [](Model& m) { node(m, "fc/kernel/unpacked").set_output(0, "pool"); }},
        Change{"another_parameter_s_name", kBad, "is there twice",
               [](Model& m) { node(m, "fc/kernel/unpacked").set_output(0, "wide/kernel"); }},
        Change{"another_attribute", kOther, "has an attribute",
               [](Model& m) {
                 ::onnx::AttributeProto& more = *node(m, "fc/kernel/unpacked").add_attribute();
                 more.set_name("block_size");
                 more.set_i(1);
               }},
        Change{"cast_to_double", kOther, "to is not 1",
               [](Model& m) {
                 node(m, "dw/depthwise_kernel/unpacked").mutable_attribute(0)->set_i(11);
               }},
        Change{"cast_of_a_picture", kOther, "is not an initializer",
               [](Model& m) { node(m, "dw/depthwise_kernel/unpacked").set_input(0, "stem"); }},
        Change{"cast_of_int8", kOther, "not a float16 tensor",
               [](Model& m) {
                 node(m, "dw/depthwise_kernel/unpacked").set_input(0, "fc/kernel/int8");
               }},
        Change{"never_unpacked", kOther, "fc/kernel is not an initializer",
               [](Model& m) { node(m, "fc/kernel/unpacked").set_output(0, "other"); }},
        Change{"packed_where_a_float_is_due", kOther, "fc/kernel/int8 is not a float tensor",
               [](Model& m) { node(m, "fc").set_input(1, "fc/kernel/int8"); }}),
    test::name_of_change);

}  // namespace engraft::onnx_compact_hostile_test
