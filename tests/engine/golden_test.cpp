// The real networks against float64 results of an independent implementation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "engraft/engine/batch_runner.h"
#include "engraft/engine/plan.h"
#include "engraft/engine/reference_run.h"
#include "engraft/formats/keras_h5.h"
#include "engraft/graph/mobilenet_v2.h"
#include "support/npy.h"
#include "support/test_data.h"

namespace engraft::golden_test {

namespace fs = std::filesystem;
using test::Npy;

constexpr const char* kFullFile =
    "models/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5";
constexpr const char* kNarrowFile = "models/mobilenet_v2_0.35_224_teachablemachine_waste_keras.h5";

/// What is promised: features and logits within this of the goldens, absolute. Logits are of
/// magnitude 10; float32 through 53 layers leaves some 1e-5.
constexpr double kTolerance = 1e-3;

Network cut(Network network, std::string_view value) {
  network.graph = cut_at(network.graph, network.graph.find(value));
  return network;
}

/// Keras' pixels: 0…255 to −1…1.
std::vector<float> normalised(const std::uint8_t* pixels, std::size_t count) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(pixels[i] / 127.5 - 1);
  return x;
}

/// The network's output for every golden input, by micro-batches.
std::vector<std::vector<float>> run_all(const Network& network, const Npy<std::uint8_t>& inputs) {
  ThreadPool pool(2);
  BatchRunner runner(network.graph, network.weights, pool);
  std::vector<std::vector<float>> outputs(inputs.shape[0]);
  runner.run(
      outputs.size(),
      [&](std::size_t i, std::span<float> input) {
        const auto x = normalised(inputs.row(i), input.size());
        std::copy(x.begin(), x.end(), input.begin());
        return true;
      },
      [&](std::size_t i, std::span<const float> output) {
        outputs[i].assign(output.begin(), output.end());
      });
  return outputs;
}

/// The golden logits have the background class in front, which Keras' networks do not.
enum class Labels { kAsTheyAre, kWithoutBackground };

void expect_golden(const std::vector<std::vector<float>>& outputs, const Npy<double>& golden,
                   Labels labels) {
  const std::size_t skipped = labels == Labels::kWithoutBackground ? 1 : 0;
  ASSERT_EQ(outputs.size(), golden.shape[0]);
  double largest = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    ASSERT_EQ(outputs[i].size() + skipped, golden.shape[1]);
    for (std::size_t k = 0; k < outputs[i].size(); ++k) {
      largest = std::max(largest, std::fabs(outputs[i][k] - golden.row(i)[k + skipped]));
    }
  }
  EXPECT_LT(largest, kTolerance);
  testing::Test::RecordProperty("largest_difference", std::to_string(largest));
}

struct Goldens {
  explicit Goldens(const fs::path& data)
      : inputs(test::read_npy<std::uint8_t>(data / "golden/input_u8_nhwc.npy", "|u1")) {}
  Npy<std::uint8_t> inputs;
};

TEST(Golden, FeaturesOfMobileNetV2) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Network network = cut(read_keras_mobilenet_v2(data / kFullFile), kPooledValue);
  expect_golden(run_all(network, Goldens(data).inputs),
                test::read_npy<double>(data / "golden/features_w1.0_f64.npy", "<f8"),
                Labels::kAsTheyAre);
}

TEST(Golden, FeaturesOfMobileNetV2AtWidth035) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Network network = cut(read_keras_mobilenet_v2(data / kNarrowFile), kPooledValue);
  expect_golden(run_all(network, Goldens(data).inputs),
                test::read_npy<double>(data / "golden/features_w0.35_f64.npy", "<f8"),
                Labels::kAsTheyAre);
}

TEST(Golden, LogitsAndTopFiveOfMobileNetV2) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Network network = cut(read_keras_mobilenet_v2(data / kFullFile), kLogitsValue);
  const auto outputs = run_all(network, Goldens(data).inputs);
  const auto golden = test::read_npy<double>(data / "golden/logits_w1.0_1001_f64.npy", "<f8");
  expect_golden(outputs, golden, Labels::kWithoutBackground);

  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto top_five = [](const auto* values, std::size_t count) {
      std::vector<std::size_t> order(count);
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::partial_sort(order.begin(), order.begin() + 5, order.end(),
                        [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
      order.resize(5);
      return order;
    };
    EXPECT_EQ(top_five(outputs[i].data(), 1000), top_five(golden.row(i) + 1, 1000)) << i;
  }
}

TEST(Golden, OnePictureAtATimeOnTwoThreadsGivesTheSameBits) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Network network = cut(read_keras_mobilenet_v2(data / kFullFile), kPooledValue);
  const Npy<std::uint8_t> inputs = Goldens(data).inputs;
  const auto expected = run_all(network, inputs);
  const Plan plan = Plan::compile(network.graph, network.weights, {.threads = 2});
  Plan::Workspace workspace = plan.make_workspace();
  Team team(2);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto x = normalised(inputs.row(i), plan.input_size());
    std::copy(x.begin(), x.end(), plan.input(workspace).begin());
    const auto y = plan.forward(workspace, team);
    EXPECT_TRUE(std::equal(y.begin(), y.end(), expected[i].begin())) << i;
  }
}

TEST(Golden, TheDoubleReferenceIsTheSameFunction) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  // The goldens come from weights with batch norm folded in and rounded to float.
  const Network network =
      fold_batch_norm(cut(read_keras_mobilenet_v2(data / kNarrowFile), kPooledValue));
  const Npy<std::uint8_t> inputs = Goldens(data).inputs;
  const auto golden = test::read_npy<double>(data / "golden/features_w0.35_f64.npy", "<f8");
  std::vector<double> x(224 * 224 * 3);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = inputs.row(0)[i] / 127.5 - 1;
  const auto values = reference_run<double>(
      network.graph, reference_parameters<double>(network.weights), std::span<const double>(x));
  const auto& y = values[static_cast<std::size_t>(network.graph.output())];
  ASSERT_EQ(y.size(), golden.shape[1]);
  for (std::size_t k = 0; k < y.size(); ++k) EXPECT_NEAR(y[k], golden.row(0)[k], 1e-6) << k;
}

}  // namespace engraft::golden_test
