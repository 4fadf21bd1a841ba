#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engraft/graph/surgery.h"
#include "h5_writer.h"

namespace engraft::test {

/// How a MobileNetV2 is laid out in a Keras file.
struct KerasLayout {
  std::string prefix{};             ///< outer groups, "model_weights/sequential_1/"
  std::string top = "predictions";  ///< name of the top's layer
  bool numbered = false;            ///< conv2d_7 instead of layer names
  int first_number = 0;             ///< of each kind; Keras counts on from model to model
  bool doubled = true;              ///< group layer/layer, as functional models have it
  std::string config{};             ///< model_config
  hid_t type = H5T_IEEE_F32LE;
  std::string leave_out{};  ///< a parameter that is not written
};

inline std::string numbered_name(const Node& node, const KerasLayout& layout,
                                 std::map<std::string, int>& counts) {
  const std::string kind = node.op == Op::kConv            ? "conv2d"
                           : node.op == Op::kDepthwiseConv ? "depthwise_conv2d"
                           : node.op == Op::kBatchNorm     ? "batch_normalization"
                                                           : "dense";
  const int number = layout.first_number + counts[kind]++;
  return number == 0 ? kind : kind + "_" + std::to_string(number);
}

/// Writes a network's weights as Keras does.
inline void write_keras(const std::filesystem::path& path, const Network& network,
                        const KerasLayout& layout = {}) {
  H5Writer out(path);
  std::map<std::string, int> counts;
  std::vector<std::string> layers;
  if (!layout.prefix.empty()) out.group(layout.prefix);
  for (const Node& node : network.graph.nodes()) {
    if (node.parameters.empty()) continue;
    std::string layer = node.name == "predictions" ? layout.top : node.name;
    if (layout.numbered) layer = numbered_name(node, layout, counts);
    layers.push_back(layer);
    out.group(layout.prefix + layer);
    const std::string inner = layout.doubled ? layer + "/" : "";
    std::vector<std::string> names;
    for (const std::string& parameter : node.parameters) {
      if (parameter == layout.leave_out) continue;
      const Tensor& tensor = network.weights.at(parameter);
      std::vector<hsize_t> extents(tensor.shape().extents().begin(),
                                   tensor.shape().extents().end());
      if (node.op == Op::kDepthwiseConv) extents.push_back(1);
      names.push_back(layer + parameter.substr(parameter.rfind('/')) + ":0");
      out.dataset({.path = layout.prefix + layer + "/" + inner +
                           parameter.substr(parameter.rfind('/') + 1) + ":0",
                   .extents = extents,
                   .type = layout.type},
                  tensor.values());
    }
    out.strings(layout.prefix + layer, "weight_names", names);
  }
  out.strings(layout.prefix.empty() ? "/" : layout.prefix, "layer_names", layers);
  if (!layout.config.empty()) out.text("/", "model_config", layout.config);
}

}  // namespace engraft::test
