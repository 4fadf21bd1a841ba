#include <gmock/gmock.h>

#include "engraft/formats/keras_h5.h"
#include "engraft/graph/mobilenet_v2.h"
#include "networks.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::keras_real_files_test {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(RealKerasFile, OfficialLayoutWithATopNamedLogits) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Network network = read_keras_mobilenet_v2(
      data / "models/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5");
  EXPECT_EQ(network.graph, mobilenet_v2({}));
  EXPECT_EQ(network.weights.count(), 3'538'984);
  check_weights(network.graph, network.weights);
}

TEST(RealKerasFile, ImageSizeIsTheCallers) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Network network = read_keras_mobilenet_v2(
      data / "models/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5",
      {.image_size = 96});
  EXPECT_EQ(network.graph, mobilenet_v2({.image_size = 96}));
}

TEST(RealKerasFile, WholeModelsGiveTheirBase) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  for (const char* name : {"mobilenet_v2_0.35_224_teachablemachine_waste_keras.h5",
                           "teachable_machine_4_classes/keras_model.h5",
                           "mobilenet_v2_0.35_224_tf_flowers_frozenbase_keras.h5"}) {
    const Network network = read_keras_mobilenet_v2(data / "models" / name);
    EXPECT_EQ(network.graph, mobilenet_v2({.width = 0.35f, .classes = 0})) << name;
    EXPECT_EQ(network.weights.count(), 410'208) << name;
  }
}

TEST(RealKerasFile, WholeModelsTellTheirImageSize) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Network network =
      read_keras_mobilenet_v2(data / "models/mobilenet_v2_0.35_128_tf_flowers_frozenbase_keras.h5");
  EXPECT_EQ(network.graph, mobilenet_v2({.width = 0.35f, .image_size = 128, .classes = 0}));
}

TEST(RealKerasFile, NumberedLayersAreTheNamedOnes) {
  // Both files hold the same published base, one under layer names, one under numbers.
  ENGRAFT_NEEDS_TEST_DATA(data);
  const Network named = read_keras_mobilenet_v2(
      data / "models/mobilenet_v2_0.35_224_teachablemachine_waste_keras.h5");
  const Network numbered =
      read_keras_mobilenet_v2(data / "models/mobilenet_v2_0.35_224_tf_flowers_frozenbase_keras.h5");
  EXPECT_EQ(named.graph, numbered.graph);
  int equal = 0;
  for (const auto& [name, tensor] : named.weights.all()) {
    equal += test::same_bits(*tensor, numbered.weights.at(name));
  }
  EXPECT_EQ(equal, static_cast<int>(named.weights.all().size()));
}

TEST(RealKerasFile, MobileNetV1IsRefusedWithWhatWasFound) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  test::expect_error(
      ErrorKind::kUnsupported,
      AllOf(HasSubstr("mobilenet_v1_0.25_224_imagenet_keras.h5"), HasSubstr("not a MobileNetV2"),
            HasSubstr("13 depthwise"), HasSubstr("conv_dw_1")),
      [&] {
        static_cast<void>(
            read_keras_mobilenet_v2(data / "models/mobilenet_v1_0.25_224_imagenet_keras.h5"));
      });
}

TEST(RealKerasFile, EveryFloatDatasetIsReadUnderLayerAndWeight) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const auto weights = read_keras_h5(data / "models/mobilenet_v1_0.25_224_imagenet_keras.h5");
  EXPECT_TRUE(weights.contains("conv1/kernel"));
  EXPECT_TRUE(weights.contains("conv_dw_13_bn/moving_variance"));
  EXPECT_EQ(weights.at("conv_dw_1/depthwise_kernel").shape(), (Shape{3, 3, 8, 1}));
}

}  // namespace engraft::keras_real_files_test
