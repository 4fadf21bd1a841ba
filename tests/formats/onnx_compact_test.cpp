// Compact files: what is kept, how far values move, and what a hostile one meets with.
#include "engraft/formats/onnx_compact.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "engraft/base/rng.h"
#include "engraft/formats/half.h"
#include "engraft/formats/onnx.h"
#include "engraft/graph/mobilenet_v2.h"
#include "onnx_messages.h"
#include "support/errors.h"

namespace engraft::onnx_compact_test {

using namespace onnx_format;
using test::kernels_model;
using test::node;
using test::parse;
using test::serialise;
using test::tensor;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

OnnxModel mobilenet(const MobileNetV2Spec& spec) {
  return {.network = test::random_mobilenet(spec), .preprocessing = {}, .metadata = {{"a", "b"}}};
}

Bytes compact(const OnnxModel& model) {
  return write_onnx(model, WeightStorage::kCompact);
}

OnnxModel round_trip(const OnnxModel& model) {
  return read_onnx(compact(model), "m.onnx");
}

/// The largest |w| of each output channel, which stand last.
std::vector<float> largest(const Tensor& tensor) {
  const auto channels = static_cast<std::size_t>(tensor.shape()[-1]);
  std::vector<float> result(channels, 0);
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    result[i % channels] = std::max(result[i % channels], std::fabs(tensor.values()[i]));
  }
  return result;
}

/// Every value within half a step of what it was.
void expect_near(const Tensor& before, const Tensor& after, const std::string& name) {
  ASSERT_EQ(before.shape(), after.shape()) << name;
  const std::vector<float> ranges = largest(before);
  const StoredAs as = compact_storage(before.shape(), before.values());
  for (std::size_t i = 0; i < before.size(); ++i) {
    const float w = before.values()[i];
    const float error = std::fabs(w - after.values()[i]);
    if (as == StoredAs::kFloat) {
      ASSERT_EQ(error, 0) << name;
    } else if (as == StoredAs::kHalf) {
      ASSERT_LE(error, std::max(std::fabs(w) * 0x1p-11f, 0x1p-25f)) << name;
    } else {
      const float scale = ranges[i % ranges.size()] / 127;
      ASSERT_LE(error, scale / 2 * 1.0001f) << name;
    }
  }
}

TEST(CompactOnnx, KeepsGraphNamesAndMetadataAndMovesWeightsByHalfAStepAtMost) {
  for (const OnnxModel& model :
       {mobilenet({.width = 0.35f, .image_size = 96, .classes = 100}), kernels_model(),
        mobilenet({.width = 0.35f, .image_size = 32, .classes = 0}), test::small_model(),
        test::gated_model()}) {
    const OnnxModel back = round_trip(model);
    EXPECT_EQ(back.network.graph, model.network.graph);
    EXPECT_EQ(back.metadata, model.metadata);
    EXPECT_EQ(back.preprocessing.scale, model.preprocessing.scale);
    ASSERT_EQ(back.network.weights.all().size(), model.network.weights.all().size());
    for (const auto& [name, before] : model.network.weights.all()) {
      expect_near(*before, back.network.weights.at(name), name);
    }
  }
}

TEST(CompactOnnx, IsAboutAQuarterAsLarge) {
  const OnnxModel model = mobilenet({.width = 0.35f, .image_size = 128, .classes = 1000});
  EXPECT_LT(compact(model).size(), write_onnx(model).size() * 3 / 10);
}

TEST(CompactOnnx, EqualModelsGiveEqualBytes) {
  EXPECT_EQ(compact(kernels_model()), compact(kernels_model()));
}

TEST(CompactOnnx, FloatIsStillTheDefaultAndExact) {
  const OnnxModel model = kernels_model();
  const OnnxModel back = read_onnx(write_onnx(model), "m.onnx");
  test::expect_same_weights(back.network.weights, model.network.weights);
}

TEST(CompactOnnx, OfACompactModelMovesNothingByMoreThanFloatsRound) {
  const OnnxModel once = round_trip(kernels_model());
  const OnnxModel twice = round_trip(once);
  for (const auto& [name, tensor] : once.network.weights.all()) {
    const Tensor& again = twice.network.weights.at(name);
    for (std::size_t i = 0; i < tensor->size(); ++i) {
      const float w = tensor->values()[i];
      ASSERT_NEAR(w, again.values()[i], std::fabs(w) * 1e-6f) << name;
    }
  }
}

TEST(CompactOnnx, StoresTheLargeKernelsAsInt8TheSmallAsHalfAndVectorsAsFloat) {
  auto file = parse(compact(kernels_model()));
  EXPECT_EQ(tensor(file, "wide/kernel/int8").data_type(), ::onnx::TensorProto::INT8);
  EXPECT_EQ(tensor(file, "wide/kernel/int8_scale").dims(0), 40);
  EXPECT_EQ(tensor(file, "fc/kernel/int8_scale").dims(0), 30);
  EXPECT_EQ(tensor(file, "stem/kernel/float16").data_type(), ::onnx::TensorProto::FLOAT16);
  EXPECT_EQ(tensor(file, "dw/depthwise_kernel/float16").data_type(), ::onnx::TensorProto::FLOAT16);
  EXPECT_EQ(tensor(file, "fc/bias").data_type(), ::onnx::TensorProto::FLOAT);
  EXPECT_EQ(tensor(file, "bn/gamma").data_type(), ::onnx::TensorProto::FLOAT);
  // The output channels come first, in a Gemm as well.
  EXPECT_EQ(node(file, "wide/kernel/unpacked").attribute(0).i(), 0);
  EXPECT_EQ(node(file, "fc/kernel/unpacked").attribute(0).i(), 0);
  EXPECT_EQ(tensor(file, "fc/kernel/int8").dims(0), 30);
  EXPECT_EQ(node(file, "fc").attribute(0).name(), "transB");
}

TEST(CompactOnnx, ChannelsOfZerosAndOfTinyAndOfHugeValues) {
  OnnxModel model = kernels_model();
  Tensor kernel = model.network.weights.at("wide/kernel");
  const std::size_t channels = 40;
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    float& w = kernel.values()[i];
    if (i % channels == 0) w = 0;
    if (i % channels == 1) w = -0.0f;
    if (i % channels == 2) w = std::numeric_limits<float>::denorm_min();
    if (i % channels == 3) w *= 1e30f;
    if (i % channels == 4) w *= 1e-30f;
  }
  model.network.weights.set("wide/kernel", kernel);
  const OnnxModel read_back = round_trip(model);
  const Tensor& back = read_back.network.weights.at("wide/kernel");
  for (std::size_t i = 0; i < back.size(); ++i) {
    ASSERT_TRUE(std::isfinite(back.values()[i]));
    if (i % channels < 3) {
      ASSERT_EQ(back.values()[i], 0);
    }
  }
  const std::vector<float> before = largest(kernel), after = largest(back);
  EXPECT_NEAR(after[3] / before[3], 1, 1e-6);
  EXPECT_NEAR(after[4] / before[4], 1, 1e-6);
}

TEST(CompactOnnx, WhatNeitherInt8NorHalfHoldsStaysFloat) {
  for (const float value : {kInfinity, -kInfinity, std::numeric_limits<float>::max()}) {
    OnnxModel model = kernels_model();
    for (const char* name : {"wide/kernel", "dw/depthwise_kernel", "stem/kernel"}) {
      Tensor kernel = model.network.weights.at(name);
      kernel.values()[1] = value;
      model.network.weights.set(name, kernel);
    }
    const OnnxModel back = round_trip(model);
    for (const char* name : {"wide/kernel", "dw/depthwise_kernel", "stem/kernel"}) {
      EXPECT_TRUE(test::same_bits(back.network.weights.at(name), model.network.weights.at(name)));
    }
  }
  OnnxModel model = kernels_model();
  Tensor kernel = model.network.weights.at("fc/kernel");
  kernel.values()[7] = std::nanf("");
  model.network.weights.set("fc/kernel", kernel);
  EXPECT_TRUE(std::isnan(round_trip(model).network.weights.at("fc/kernel").values()[7]));
}

TEST(CompactOnnx, AParameterOfTwoLayersIsStoredOnce) {
  GraphBuilder g({4, 4, 3});
  ValueId x = g.conv("first", g.input(), {.channels = 48, .kernel = 1});
  x = g.conv("a", x, {.channels = 48, .kernel = 1});
  x = g.conv("b", x, {.channels = 48, .kernel = 1});
  Network network = test::with_random_weights(g.finish(x));
  std::vector<Node> nodes = network.graph.nodes();
  Graph shared(Shape{4, 4, 3});
  for (Node& node : nodes) {
    if (node.name == "b") node.parameters[0] = "a/kernel";
    const Shape shape = network.graph.shape(node.output);
    shared.set_output(shared.append(node, shape));
  }
  network.graph = shared;
  const OnnxModel model{.network = network, .preprocessing = {}, .metadata = {}};
  EXPECT_EQ(round_trip(model).network.graph, shared);
}

TEST(CompactOnnx, AKernelOfTwoDenseLayersComesBackAsItWas) {
  GraphBuilder g({4, 4, 3});
  ValueId x = g.apply(Op::kGlobalAveragePool, "pool", g.conv("c", g.input(), {.channels = 40}));
  x = g.dense("b", g.dense("a", x, 40), 40);
  Network network = test::with_random_weights(g.finish(x));
  Graph shared(Shape{4, 4, 3});
  for (Node node : network.graph.nodes()) {
    if (node.name == "b") node.parameters[0] = "a/kernel";
    const Shape shape = network.graph.shape(node.output);
    shared.set_output(shared.append(node, shape));
  }
  network.graph = shared;
  const OnnxModel back = round_trip({.network = network, .preprocessing = {}, .metadata = {}});
  EXPECT_EQ(back.network.graph, shared);
  expect_near(network.weights.at("a/kernel"), back.network.weights.at("a/kernel"), "a/kernel");
}

TEST(CompactOnnx, NamesThatCollideWithItsOwnAreRefused) {
  GraphBuilder g({4, 4, 3});
  ValueId x = g.conv("c", g.input(), {.channels = 400, .kernel = 1});
  x = g.apply(Op::kRelu, "c/kernel/int8", x);
  const OnnxModel model{
      .network = test::with_random_weights(g.finish(x)), .preprocessing = {}, .metadata = {}};
  EXPECT_NO_THROW(static_cast<void>(write_onnx(model)));
  test::expect_error(ErrorKind::kUsage, HasSubstr("c/kernel/int8"),
                     [&] { static_cast<void>(compact(model)); });
}

TEST(ToInt8, RoundsToTheNearestStepOfItsChannel) {
  const std::vector<float> values{127, 0.4f, -63.5f, -127, 1, 1.5f, 0, 2.54f};  // [2 channels, 4]
  const Int8Values packed = to_int8(values, {.channels = 2, .stride = 4});
  EXPECT_THAT(packed.scales, ::testing::ElementsAre(1, 2.54f / 127));
  EXPECT_THAT(packed.values, ::testing::ElementsAre(127, 0, -64, -127, 50, 75, 0, 127));
  EXPECT_TRUE(to_int8({}, {.channels = 3, .stride = 1}).values.empty());
}

/// Every value by the formula alone.
void expect_unpacked(const Int8Values& packed, const ChannelAxis& axis) {
  std::vector<float> unpacked(packed.values.size(), -1);
  from_int8(packed.values, packed.scales, axis, unpacked);
  for (std::size_t i = 0; i < unpacked.size(); ++i) {
    ASSERT_EQ(unpacked[i],
              static_cast<float>(packed.values[i]) * packed.scales[i / axis.stride % axis.channels])
        << i;
  }
}

TEST(FromInt8, TakesTheScaleOfEachValuesChannel) {
  Rng rng(1);
  for (const std::size_t channels : {1u, 3u, 16u, 17u}) {
    for (const std::size_t stride : {1u, 2u, 9u, 100u}) {
      for (const std::size_t repeated : {0u, 1u, 5u}) {
        std::vector<float> values(channels * stride * repeated);
        for (float& value : values) value = rng.uniform(-1, 1);
        const ChannelAxis axis{.channels = channels, .stride = stride};
        expect_unpacked(to_int8(values, axis), axis);
      }
    }
  }
}

TEST(CompactOnnx, KernelsOfAnyNumberOfOutputsComeBack) {
  for (const int outputs : {1, 15, 16, 17, 33}) {
    GraphBuilder g({8, 8, 3});
    ValueId x = g.conv("wide", g.input(), {.channels = 80, .kernel = 3});
    x = g.conv("narrow", x, {.channels = outputs, .kernel = 1});
    const OnnxModel model{
        .network = test::with_random_weights(g.finish(x)), .preprocessing = {}, .metadata = {}};
    const Weights& weights = round_trip(model).network.weights;
    for (const std::string name : {"wide/kernel", "narrow/kernel"}) {
      expect_near(model.network.weights.at(name), weights.at(name), name);
    }
  }
}

TEST(ToInt8, ScalesThatCanBeUsed) {
  for (const float scale : {0.0f, -1.0f, kInfinity, -kInfinity, std::nanf(""), 1e38f}) {
    EXPECT_FALSE(usable_scale(scale)) << scale;
  }
  for (const float scale : {1.0f, 1e-38f, 1e-45f, 1e36f}) EXPECT_TRUE(usable_scale(scale)) << scale;
}

}  // namespace engraft::onnx_compact_test
