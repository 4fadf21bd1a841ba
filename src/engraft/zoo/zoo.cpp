#include "engraft/zoo/zoo.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace engraft {
namespace {

constexpr std::string_view kKerasFolder =
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/";

/// One width of MobileNetV2 as Keras publishes it.
struct Width {
  std::string_view text;  ///< as in Keras' file names
  float value;
  std::int64_t parameters;
};

constexpr Width kOne{"1.0", 1.0f, 3'538'984};
constexpr std::array kNarrow{Width{"0.35", 0.35f, 1'691'208}, Width{"0.5", 0.5f, 1'987'224},
                             Width{"0.75", 0.75f, 2'663'064}, kOne};
constexpr std::array kWide{Width{"1.3", 1.3f, 5'431'048}, Width{"1.4", 1.4f, 6'156'712}};
constexpr std::array kSizes{96, 128, 160, 192, 224};

/// ImageNet top-1 as TF-slim documents it for the checkpoints that Keras' weights come from.
struct Accuracy {
  std::string_view name;
  float top1;
};
constexpr std::array kDocumented{
    Accuracy{"mobilenet_v2_1.4_224", 75.0f}, Accuracy{"mobilenet_v2_1.3_224", 74.4f},
    Accuracy{"mobilenet_v2_1.0_224", 71.8f}, Accuracy{"mobilenet_v2_1.0_192", 70.7f},
    Accuracy{"mobilenet_v2_1.0_160", 68.8f}, Accuracy{"mobilenet_v2_1.0_128", 65.3f},
    Accuracy{"mobilenet_v2_1.0_96", 60.3f},  Accuracy{"mobilenet_v2_0.75_224", 69.8f},
    Accuracy{"mobilenet_v2_0.5_224", 65.4f}, Accuracy{"mobilenet_v2_0.35_224", 60.3f},
};

ZooEntry keras_mobilenet_v2(const Width& width, int size) {
  ZooEntry entry;
  entry.name = fmt::format("mobilenet_v2_{}_{}", width.text, size);
  entry.file =
      fmt::format("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{}_{}.h5", width.text, size);
  entry.url = fmt::format("{}{}", kKerasFolder, entry.file);
  entry.image_size = size;
  entry.width = width.value;
  entry.parameters = width.parameters;
  const auto* known = std::ranges::find(kDocumented, entry.name, &Accuracy::name);
  if (known != kDocumented.end()) entry.top1 = known->top1;
  return entry;
}

/// What is so of assets/engraft-mini.onnx; a test compares it with the file.
ZooEntry embedded_entry() {
  return {.name = std::string(kEmbeddedModel),
          .file = fmt::format("{}.onnx", kEmbeddedModel),
          .url = {},
          .image_size = 128,
          .width = 0.35f,
          .parameters = 1'691'208,
          .top1 = 9.0f,
          .top1_pictures = 100};
}

std::vector<ZooEntry> make_zoo() {
  std::vector<ZooEntry> entries{keras_mobilenet_v2(kOne, 224)};
  for (const Width& width : kNarrow) {
    for (const int size : kSizes) {
      if (width.text != kOne.text || size != 224)
        entries.push_back(keras_mobilenet_v2(width, size));
    }
  }
  for (const Width& width : kWide) entries.push_back(keras_mobilenet_v2(width, 224));
  entries.push_back(embedded_entry());
  return entries;
}

}  // namespace

std::span<const ZooEntry> zoo() {
  static const std::vector<ZooEntry> entries = make_zoo();
  return entries;
}

const ZooEntry* find_entry(std::string_view name) {
  for (const ZooEntry& entry : zoo()) {
    if (entry.name == name || entry.file == name) return &entry;
  }
  return nullptr;
}

}  // namespace engraft
