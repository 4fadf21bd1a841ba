#include "engraft/graph/mobilenet_v2.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engraft/base/error.h"
#include "engraft/graph/graph_builder.h"

namespace engraft {
namespace {

constexpr float kEpsilon = 1e-3f;

/// A row of table 2: expansion t, output channels c, repeats n, stride s of the first.
struct Stage {
  int t, c, n, s;
};
constexpr std::array<Stage, 7> kStages{{
    {1, 16, 1, 1},
    {6, 24, 2, 2},
    {6, 32, 3, 2},
    {6, 64, 4, 2},
    {6, 96, 3, 1},
    {6, 160, 3, 2},
    {6, 320, 1, 1},
}};

struct Block {
  std::string prefix;  ///< "expanded_conv_", "block_1_"
  int expansion = 6;
  int channels = 0;
  int stride = 1;
};

/// expand 1×1 → depthwise 3×3 → project 1×1 (linear), plus the input where the shape stays.
ValueId inverted_residual(GraphBuilder& g, ValueId input, const Block& block) {
  const std::string& p = block.prefix;
  const std::int64_t channels_in = g.graph().shape(input)[2];
  ValueId x = input;
  if (block.expansion > 1) {
    x = g.conv(p + "expand", x, {.channels = channels_in * block.expansion});
    x = g.batch_norm(p + "expand_BN", x, kEpsilon);
    x = g.apply(Op::kRelu6, p + "expand_relu", x);
  }
  x = g.depthwise_conv(p + "depthwise", x, {.kernel = 3, .stride = block.stride});
  x = g.batch_norm(p + "depthwise_BN", x, kEpsilon);
  x = g.apply(Op::kRelu6, p + "depthwise_relu", x);
  x = g.conv(p + "project", x, {.channels = block.channels});
  x = g.batch_norm(p + "project_BN", x, kEpsilon);
  const bool residual = block.stride == 1 && channels_in == block.channels;
  return residual ? g.add(p + "add", input, x) : x;
}

void check(const MobileNetV2Spec& spec) {
  if (!(spec.width > 0 && spec.width <= 16)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("width {} is not in (0, 16]; MobileNetV2 is published at 0.35, 0.5, "
                            "0.75, 1.0, 1.3 and 1.4",
                            spec.width));
  }
  if (spec.image_size < 32 || spec.image_size > 4096) {
    throw Error(ErrorKind::kUsage,
                fmt::format("image size {} is not in 32 to 4096; MobileNetV2 is published at 96, "
                            "128, 160, 192 and 224",
                            spec.image_size));
  }
  if (spec.features < 0 || spec.features > 65536) {
    throw Error(ErrorKind::kUsage, fmt::format("{} features are not in 0 to 65536", spec.features));
  }
  if (spec.classes < 0 || spec.classes > 1'000'000) {
    throw Error(ErrorKind::kUsage, fmt::format("{} classes are not in 0 to 1000000", spec.classes));
  }
}

}  // namespace

int make_divisible(double channels) {
  const int rounded = std::max(8, static_cast<int>(channels + 4) / 8 * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

Graph mobilenet_v2(const MobileNetV2Spec& spec) {
  check(spec);
  // 0.35f is a little less than 0.35, and the channel counts below cut fractions off.
  const double width = std::round(static_cast<double>(spec.width) * 1e4) / 1e4;
  GraphBuilder g({spec.image_size, spec.image_size, 3});

  ValueId x = g.conv("Conv1", g.input(),
                     {.channels = make_divisible(32 * width), .kernel = 3, .stride = 2});
  x = g.batch_norm("bn_Conv1", x, kEpsilon);
  x = g.apply(Op::kRelu6, "Conv1_relu", x);

  int index = 0;
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.n; ++i, ++index) {
      x = inverted_residual(
          g, x,
          {.prefix = index == 0 ? std::string("expanded_conv_") : fmt::format("block_{}_", index),
           .expansion = stage.t,
           .channels = make_divisible(std::floor(stage.c * width)),
           .stride = i == 0 ? stage.s : 1});
    }
  }

  const int features = width > 1 ? make_divisible(1280 * width) : 1280;
  x = g.conv("Conv_1", x, {.channels = spec.features > 0 ? spec.features : features});
  x = g.batch_norm("Conv_1_bn", x, kEpsilon);
  x = g.apply(Op::kRelu6, "out_relu", x);
  x = g.apply(Op::kGlobalAveragePool, std::string(kPooledValue), x);
  if (spec.classes > 0) {
    x = g.dense(std::string(kLogitsValue), x, spec.classes);
    x = g.apply(Op::kSoftmax, std::string(kProbabilitiesValue), x);
  }
  return g.finish(x);
}

}  // namespace engraft
