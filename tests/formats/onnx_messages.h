#pragma once

#include <gtest/gtest.h>
#include <onnx.pb.h>

#include <stdexcept>
#include <string>

#include "engraft/formats/onnx.h"
#include "engraft/graph/graph_builder.h"
#include "networks.h"

namespace engraft::test {

/// Every operator, on small pictures.
inline OnnxModel small_model() {
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

/// The operators of a gated block, and a product of equal shapes.
inline OnnxModel gated_model() {
  GraphBuilder g({8, 8, 3});
  ValueId x = g.apply(Op::kHardSwish, "swish", g.conv("c", g.input(), {.channels = 4}));
  ValueId gate = g.dense("fc", g.apply(Op::kGlobalAveragePool, "pool", x), 4);
  gate = g.apply(Op::kHardSigmoid, "gate", gate);
  x = g.multiply("gated", x, gate);
  x = g.multiply("square", x, x);
  return {.network = test::with_random_weights(g.finish(x)), .preprocessing = {}, .metadata = {}};
}

/// A convolution and a dense layer large enough for int8, and a depthwise one.
inline OnnxModel kernels_model() {
  GraphBuilder g({8, 8, 3});
  ValueId x = g.conv("stem", g.input(), {.channels = 32, .kernel = 3});
  x = g.depthwise_conv("dw", x, {.kernel = 3, .bias = Bias::kAdded});
  x = g.conv("wide", x, {.channels = 40, .kernel = 1});
  x = g.batch_norm("bn", x, 1e-3f);
  x = g.dense("fc", g.apply(Op::kGlobalAveragePool, "pool", x), 30);
  return {.network = test::with_random_weights(g.finish(g.apply(Op::kSoftmax, "softmax", x))),
          .preprocessing = {},
          .metadata = {}};
}

inline ::onnx::ModelProto parse(const Bytes& bytes) {
  ::onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return model;
}

inline Bytes serialise(const ::onnx::ModelProto& model) {
  Bytes bytes(model.ByteSizeLong());
  EXPECT_TRUE(model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())));
  return bytes;
}

inline ::onnx::NodeProto& node(::onnx::ModelProto& model, const std::string& name) {
  for (::onnx::NodeProto& node : *model.mutable_graph()->mutable_node()) {
    if (node.name() == name) return node;
  }
  throw std::runtime_error("no node " + name);
}

inline ::onnx::TensorProto& tensor(::onnx::ModelProto& model, const std::string& name) {
  for (::onnx::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.name() == name) return tensor;
  }
  throw std::runtime_error("no initializer " + name);
}

}  // namespace engraft::test
