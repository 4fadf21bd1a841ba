#include <gmock/gmock.h>

#include <functional>
#include <limits>
#include <tuple>

#include "engraft/formats/onnx.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "networks.h"
#include "support/errors.h"

namespace engraft::onnx_round_trip_test {

using test::random_mobilenet;
using test::with_random_weights;
using ::testing::HasSubstr;

constexpr OnnxPreprocessing kKeras{
    .scale = {1 / 127.5f, 1 / 127.5f, 1 / 127.5f}, .offset = {-1, -1, -1}, .swap_red_blue = false};

void expect_round_trip(const OnnxModel& model) {
  const Bytes bytes = write_onnx(model);
  const OnnxModel back = read_onnx(bytes, "model.onnx");
  test::expect_same_network(model.network, back.network);
  EXPECT_EQ(back.preprocessing.scale, model.preprocessing.scale);
  EXPECT_EQ(back.preprocessing.offset, model.preprocessing.offset);
  EXPECT_EQ(back.preprocessing.swap_red_blue, model.preprocessing.swap_red_blue);
  EXPECT_EQ(back.metadata, model.metadata);
  EXPECT_EQ(write_onnx(back), bytes);
}

using Spec = std::tuple<float, int, int>;

class OnnxMobileNet : public testing::TestWithParam<Spec> {};

TEST_P(OnnxMobileNet, ComesBackBitForBit) {
  const auto [width, size, classes] = GetParam();
  expect_round_trip(
      {.network = random_mobilenet({.width = width, .image_size = size, .classes = classes}),
       .preprocessing = kKeras,
       .metadata = {{"labels", "a\nb"}, {"base", "mobilenet"}}});
}

INSTANTIATE_TEST_SUITE_P(Small, OnnxMobileNet,
                         testing::Combine(testing::Values(0.1f, 0.35f),
                                          testing::Values(32, 33, 96, 128, 160, 192, 224),
                                          testing::Values(0, 1, 2, 5)));
INSTANTIATE_TEST_SUITE_P(Large, OnnxMobileNet,
                         testing::Combine(testing::Values(0.5f, 0.75f, 1.0f, 1.3f, 1.4f),
                                          testing::Values(224), testing::Values(2)));

Network chain(const std::function<ValueId(GraphBuilder&, ValueId)>& build) {
  GraphBuilder builder({9, 9, 3});
  const ValueId output = build(builder, builder.input());
  return with_random_weights(builder.finish(output));
}

void expect_chain_round_trip(const std::function<ValueId(GraphBuilder&, ValueId)>& build) {
  expect_round_trip({.network = chain(build), .preprocessing = {}, .metadata = {}});
}

TEST(OnnxRoundTrip, NoNodes) {
  expect_chain_round_trip([](GraphBuilder&, ValueId x) { return x; });
}

struct ConvCase {
  int kernel, stride, channels;
  Bias bias;
};

class OnnxConv : public testing::TestWithParam<ConvCase> {};

TEST_P(OnnxConv, ComesBack) {
  const ConvCase& c = GetParam();
  const ConvSpec spec{
      .channels = c.channels, .kernel = c.kernel, .stride = c.stride, .bias = c.bias};
  expect_chain_round_trip([&](GraphBuilder& g, ValueId x) { return g.conv("c", x, spec); });
  expect_chain_round_trip(
      [&](GraphBuilder& g, ValueId x) { return g.depthwise_conv("d", x, spec); });
  expect_chain_round_trip([&](GraphBuilder& g, ValueId x) {
    return g.depthwise_conv("d", g.conv("c", x, spec), spec);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Windows, OnnxConv,
    testing::Values(ConvCase{1, 1, 8, Bias::kNone}, ConvCase{1, 2, 8, Bias::kAdded},
                    ConvCase{2, 1, 5, Bias::kNone}, ConvCase{3, 1, 17, Bias::kAdded},
                    ConvCase{3, 2, 33, Bias::kNone}, ConvCase{5, 3, 16, Bias::kAdded},
                    ConvCase{9, 1, 1, Bias::kNone}, ConvCase{3, 2, 1, Bias::kAdded}));

TEST(OnnxRoundTrip, AsymmetricPadding) {
  Graph graph({9, 8, 3});
  graph.append({.op = Op::kConv,
                .name = "c",
                .inputs = {0},
                .parameters = {"k"},
                .attributes = {.kernel = 3, .padding = {1, 2, 3, 4}}},
               {11, 12, 2});
  graph.set_output(1);
  expect_round_trip({.network = with_random_weights(graph), .preprocessing = {}, .metadata = {}});
}

TEST(OnnxRoundTrip, EveryActivation) {
  for (const Op op :
       {Op::kRelu, Op::kRelu6, Op::kSoftmax, Op::kSigmoid, Op::kHardSigmoid, Op::kHardSwish}) {
    expect_chain_round_trip([&](GraphBuilder& g, ValueId x) { return g.apply(op, "a", x); });
    expect_chain_round_trip([&](GraphBuilder& g, ValueId x) {
      return g.apply(op, "b", g.apply(op, "a", g.apply(Op::kGlobalAveragePool, "p", x)));
    });
  }
}

TEST(OnnxRoundTrip, ProductsOfOneShapeAndByChannel) {
  expect_chain_round_trip([](GraphBuilder& g, ValueId x) {
    x = g.multiply("m", x, g.apply(Op::kHardSwish, "s", x));
    return g.multiply("n", x, x);
  });
  expect_chain_round_trip([](GraphBuilder& g, ValueId x) {
    const ValueId pooled = g.apply(Op::kGlobalAveragePool, "p", x);
    const ValueId gate = g.apply(Op::kHardSigmoid, "g", pooled);
    const ValueId once = g.multiply("once", x, gate);
    const ValueId twice = g.multiply("twice", once, pooled);
    return g.multiply("square", gate, g.apply(Op::kGlobalAveragePool, "q", twice));
  });
  // A picture of one pixel is told from its channels.
  expect_chain_round_trip([](GraphBuilder& g, ValueId x) {
    x = g.conv("c", x, {.channels = 3, .stride = 9});
    return g.multiply("m", x, g.apply(Op::kGlobalAveragePool, "p", x));
  });
}

class OnnxRate : public testing::TestWithParam<float> {};

TEST_P(OnnxRate, DropoutKeepsItToTheBit) {
  expect_chain_round_trip([](GraphBuilder& g, ValueId x) { return g.dropout("d", x, GetParam()); });
  expect_chain_round_trip([](GraphBuilder& g, ValueId x) {
    x = g.dropout("d1", x, GetParam());
    x = g.dropout("d2", x, GetParam() / 2);
    return g.apply(Op::kRelu, "r", x);
  });
}

INSTANTIATE_TEST_SUITE_P(Rates, OnnxRate,
                         testing::Values(0.0f, 0.1f, 0.2f, 0.5f, 1 / 3.0f, 0.999f));

class OnnxEpsilon : public testing::TestWithParam<float> {};

TEST_P(OnnxEpsilon, BatchNormKeepsItToTheBit) {
  expect_chain_round_trip(
      [](GraphBuilder& g, ValueId x) { return g.batch_norm("b", x, GetParam()); });
  expect_chain_round_trip([](GraphBuilder& g, ValueId x) {
    return g.batch_norm("b", g.apply(Op::kGlobalAveragePool, "p", x), GetParam());
  });
}

INSTANTIATE_TEST_SUITE_P(Epsilons, OnnxEpsilon, testing::Values(0.0f, 1e-3f, 1e-5f, 1.1e-5f));

TEST(OnnxRoundTrip, HeadsOfBothKindsOnABase) {
  for (const bool mlp : {false, true}) {
    for (const Op activation : {Op::kSoftmax, Op::kSigmoid}) {
      for (const int classes : {1, 2, 3, 100}) {
        expect_chain_round_trip([&](GraphBuilder& g, ValueId x) {
          x = g.apply(Op::kGlobalAveragePool, "global_average_pooling2d", x);
          if (mlp) {
            x = g.dense("hidden", x, 16);
            x = g.apply(Op::kRelu, "hidden_relu", x);
          }
          x = g.dropout("dropout", x, 0.2f);
          x = g.dense("head", x, classes);
          return g.apply(activation, "head_probabilities", x);
        });
      }
    }
  }
}

TEST(OnnxRoundTrip, DenseWithoutBias) {
  Graph graph({4, 4, 3});
  graph.append({.op = Op::kGlobalAveragePool, .name = "p", .inputs = {0}}, {3});
  graph.append({.op = Op::kDense, .name = "d", .inputs = {1}, .parameters = {"k"}}, {7});
  graph.set_output(2);
  expect_round_trip({.network = with_random_weights(graph), .preprocessing = {}, .metadata = {}});
}

TEST(OnnxRoundTrip, OutputInTheMiddle) {
  Network network = random_mobilenet({.width = 0.1f, .image_size = 32, .classes = 4});
  for (const char* name : {"block_2_add", "out_relu", "global_average_pooling2d", "predictions"}) {
    network.graph.set_output(network.graph.find(name));
    expect_round_trip({.network = network, .preprocessing = kKeras, .metadata = {}});
  }
}

TEST(OnnxRoundTrip, AProbabilitiesLayerOfThatVeryName) {
  expect_chain_round_trip([](GraphBuilder& g, ValueId x) {
    return g.apply(Op::kSigmoid, "probabilities", g.apply(Op::kGlobalAveragePool, "p", x));
  });
}

TEST(OnnxRoundTrip, TheOutputMayAlsoBeRead) {
  Network network = chain([](GraphBuilder& g, ValueId x) {
    return g.apply(Op::kRelu, "after", g.apply(Op::kSigmoid, "s", x));
  });
  network.graph.set_output(network.graph.find("s"));
  expect_round_trip({.network = network, .preprocessing = {}, .metadata = {}});
}

TEST(OnnxRoundTrip, OneParameterInTwoLayers) {
  Graph graph({4, 4, 3});
  for (int i = 0; i < 2; ++i) {
    graph.append(
        {.op = Op::kConv, .name = "c" + std::to_string(i), .inputs = {i}, .parameters = {"shared"}},
        {4, 4, 3});
  }
  graph.set_output(2);
  expect_round_trip({.network = with_random_weights(graph), .preprocessing = {}, .metadata = {}});
}

TEST(OnnxRoundTrip, FoldedNetwork) {
  const Network network = random_mobilenet({.width = 0.35f, .classes = 3});
  expect_round_trip({.network = fold_batch_norm(network), .preprocessing = kKeras, .metadata = {}});
}

TEST(OnnxRoundTrip, EveryFloatKeepsItsBits) {
  Network network = chain([](GraphBuilder& g, ValueId x) {
    return g.conv("c", x, {.channels = 4, .kernel = 3, .bias = Bias::kAdded});
  });
  using Limits = std::numeric_limits<float>;
  const std::vector<float> odd{0.0f,
                               -0.0f,
                               Limits::denorm_min(),
                               Limits::max(),
                               Limits::lowest(),
                               Limits::infinity(),
                               -Limits::infinity(),
                               Limits::quiet_NaN(),
                               Limits::epsilon()};
  Tensor kernel = network.weights.at("c/kernel");
  for (std::size_t i = 0; i < kernel.size(); ++i) kernel.data()[i] = odd[i % odd.size()];
  network.weights.set("c/kernel", std::move(kernel));
  expect_round_trip({.network = network, .preprocessing = {}, .metadata = {}});
}

TEST(OnnxRoundTrip, EveryPreprocessing) {
  const Network network = random_mobilenet({.width = 0.1f, .image_size = 32, .classes = 2});
  for (const bool swap : {false, true}) {
    for (const auto& scale :
         {std::array<float, 3>{1, 1, 1}, std::array<float, 3>{0.1f, -2, 3e-9f}}) {
      expect_round_trip({.network = network,
                         .preprocessing = {.scale = scale,
                                           .offset = {-103.939f, 0, 1e-20f},
                                           .swap_red_blue = swap},
                         .metadata = {}});
    }
  }
}

TEST(OnnxRoundTrip, AnyMetadata) {
  OnnxModel model{.network = chain([](GraphBuilder&, ValueId x) { return x; }),
                  .preprocessing = {},
                  .metadata = {{"", "empty key"},
                               {"empty value", ""},
                               {"umlauts", "Straße 汚れ"},
                               {"newlines", "a\nb\r\n"},
                               {"long", std::string(200'000, 'x')}}};
  for (int i = 0; i < 200; ++i) model.metadata["key " + std::to_string(i)] = std::to_string(i * i);
  expect_round_trip(model);
}

TEST(OnnxRoundTrip, WeightsThatTheGraphDoesNotUseAreLeftOut) {
  OnnxModel model{.network = random_mobilenet({.width = 0.1f, .image_size = 32, .classes = 2}),
                  .preprocessing = {},
                  .metadata = {}};
  const Bytes without = write_onnx(model);
  model.network.weights.set("unused", Tensor(Shape{100}));
  EXPECT_EQ(write_onnx(model), without);
}

TEST(WriteOnnx, EqualInputGivesEqualBytes) {
  const auto make = [] {
    return write_onnx({.network = random_mobilenet({.width = 0.35f, .classes = 3}, 5),
                       .preprocessing = kKeras,
                       .metadata = {{"b", "2"}, {"a", "1"}}});
  };
  EXPECT_EQ(make(), make());
}

TEST(WriteOnnx, RefusesANetworkThatDoesNotTakePictures) {
  for (const Shape& shape : {Shape{1280}, Shape{9, 9, 1}, Shape{9, 9, 3, 1}, Shape{}}) {
    test::expect_error(ErrorKind::kUsage, HasSubstr("RGB pictures"), [&] {
      static_cast<void>(
          write_onnx({.network = {Graph(shape), {}}, .preprocessing = {}, .metadata = {}}));
    });
  }
  test::expect_error(ErrorKind::kUsage, HasSubstr("RGB pictures"),
                     [&] { static_cast<void>(write_onnx({})); });
}

TEST(WriteOnnx, RefusesNamesThatCollide) {
  for (const char* name : {"image", "image/scale", "image/scaled", "c/kernel", "p/mean"}) {
    const Network network = chain([&](GraphBuilder& g, ValueId x) {
      x = g.conv("c", x, {.channels = 3});
      x = g.apply(Op::kRelu, name, x);
      return g.apply(Op::kGlobalAveragePool, "p", x);
    });
    test::expect_error(ErrorKind::kUsage, HasSubstr(std::string("named ") + name), [&] {
      static_cast<void>(write_onnx({.network = network, .preprocessing = {}, .metadata = {}}));
    });
  }
  const Network network = chain([&](GraphBuilder& g, ValueId x) {
    return g.apply(Op::kSoftmax, "s", g.apply(Op::kRelu, "probabilities", x));
  });
  test::expect_error(ErrorKind::kUsage, HasSubstr("named probabilities"), [&] {
    static_cast<void>(write_onnx({.network = network, .preprocessing = {}, .metadata = {}}));
  });
}

TEST(WriteOnnx, RefusesMissingWeights) {
  test::expect_error(ErrorKind::kBadInput, HasSubstr("Conv1/kernel"), [&] {
    static_cast<void>(
        write_onnx({.network = {mobilenet_v2({}), {}}, .preprocessing = {}, .metadata = {}}));
  });
}

TEST(WriteOnnx, RefusesPreprocessingThatIsNotFinite) {
  const Network network = chain([](GraphBuilder&, ValueId x) { return x; });
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const OnnxPreprocessing& p :
         {OnnxPreprocessing{.scale = {1, bad, 1}, .offset = {}, .swap_red_blue = false},
          OnnxPreprocessing{.scale = {}, .offset = {0, 0, bad}, .swap_red_blue = false}}) {
      test::expect_error(ErrorKind::kUsage, HasSubstr("not finite"), [&] {
        static_cast<void>(write_onnx({.network = network, .preprocessing = p, .metadata = {}}));
      });
    }
  }
}

}  // namespace engraft::onnx_round_trip_test
