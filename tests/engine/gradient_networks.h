#pragma once

#include <string>

#include "engraft/graph/graph_builder.h"

namespace engraft::test {

/// expand, depthwise, project, as MobileNetV2 has them, by a factor of 3.
inline ValueId inverted_residual(GraphBuilder& g, const std::string& name, ValueId x, int stride) {
  const std::int64_t channels = g.graph().shape(x)[2];
  ValueId y =
      g.batch_norm(name + "_bn1", g.conv(name + "_expand", x, {.channels = 3 * channels}), 1e-3f);
  y = g.apply(Op::kRelu6, name + "_relu1", y);
  y = g.depthwise_conv(name + "_depthwise", y, {.kernel = 3, .stride = stride});
  y = g.apply(Op::kRelu6, name + "_relu2", g.batch_norm(name + "_bn2", y, 1e-3f));
  y = g.batch_norm(name + "_bn3", g.conv(name + "_project", y, {.channels = channels}), 1e-3f);
  return stride == 1 ? g.add(name + "_add", x, y) : y;
}

/// Everything that MobileNetV2 has, but small: [size,size,3] → 3 logits.
inline Graph small_mobilenet(int size = 16) {
  GraphBuilder g({size, size, 3});
  ValueId x = g.conv("Conv1", g.input(), {.channels = 8, .kernel = 3, .stride = 2});
  x = g.apply(Op::kRelu6, "Conv1_relu", g.batch_norm("bn_Conv1", x, 1e-3f));
  x = inverted_residual(g, "block_1", x, 1);
  x = inverted_residual(g, "block_2", x, 1);
  x = inverted_residual(g, "block_3", x, 2);
  x = inverted_residual(g, "block_4", x, 1);
  x = g.conv("Conv_1", x, {.channels = 20});
  x = g.apply(Op::kRelu6, "out_relu", g.batch_norm("Conv_1_bn", x, 1e-3f));
  x = g.apply(Op::kGlobalAveragePool, "pool", x);
  x = g.dropout("dropout", x, 0.25f);
  return g.finish(g.dense("predictions", x, 3));
}

/// Early activations larger than a core's cache, so that the first steps run picture by picture and
/// the later ones by the micro-batch; the border lies in the middle of the block. Its channels are
/// no multiple of a vector, so that it stays three steps.
inline Graph staged_mobilenet() {
  GraphBuilder g({48, 48, 3});
  ValueId x = g.conv("expand", g.input(), {.channels = 120});
  x = g.apply(Op::kRelu6, "relu1", g.batch_norm("bn1", x, 1e-3f));
  x = g.depthwise_conv("depthwise", x, {.kernel = 3, .stride = 2});
  x = g.apply(Op::kRelu6, "relu2", g.batch_norm("bn2", x, 1e-3f));
  x = g.batch_norm("bn3", g.conv("project", x, {.channels = 8}), 1e-3f);
  x = inverted_residual(g, "block", x, 1);
  x = g.apply(Op::kGlobalAveragePool, "pool", x);
  return g.finish(g.dense("predictions", x, 3));
}

/// Its last steps, too, handle more than a core's cache holds: all run picture by picture.
inline Graph unstaged_network() {
  GraphBuilder g({64, 64, 3});
  ValueId x = g.conv("narrow", g.input(), {.channels = 8, .kernel = 3});
  x = g.apply(Op::kRelu6, "relu", g.batch_norm("bn", x, 1e-3f));
  return g.finish(g.conv("wide", x, {.channels = 60}));
}

}  // namespace engraft::test
