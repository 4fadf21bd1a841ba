// write_network FILE [WIDTH [SIZE [normalised]]]: a MobileNetV2 with random weights and 1000
// classes as ONNX, for other programs to be measured with. It takes raw pixels [N,H,W,3], as every
// model that engraft writes; "normalised": [N,3,H,W] in -1 to 1, and nothing is left to be done
// before the first convolution.
#include <onnx.pb.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/model/model.h"

namespace {

void save(const char* path, float width, int size) {
  engraft::Model model;
  model.network.graph = engraft::mobilenet_v2({.width = width, .image_size = size});
  model.network.weights = engraft::random_weights(model.network.graph, 1);
  model.preprocessing.width = model.preprocessing.height = size;
  for (int i = 0; i < 1000; ++i) model.labels.push_back(std::to_string(i));
  engraft::save_model(model, path);
}

/// Takes the nodes up to the first Transpose out; what that makes becomes the input.
void drop_preprocessing(const char* path, int size) {
  onnx::ModelProto model;
  std::ifstream in(path, std::ios::binary);
  if (!model.ParseFromIstream(&in)) throw std::runtime_error("the network cannot be read again");
  onnx::GraphProto& graph = *model.mutable_graph();
  int nodes = 0;
  while (graph.node(nodes).op_type() != "Transpose") ++nodes;
  onnx::ValueInfoProto& input = *graph.mutable_input(0);
  input.set_name(graph.node(nodes).output(0));
  auto& shape = *input.mutable_type()->mutable_tensor_type()->mutable_shape();
  for (const int axis : {1, 2, 3}) shape.mutable_dim(axis)->set_dim_value(axis == 1 ? 3 : size);
  std::set<std::string> dropped;
  for (int i = 0; i <= nodes; ++i) {
    dropped.insert(graph.node(i).input().begin(), graph.node(i).input().end());
  }
  graph.mutable_node()->DeleteSubrange(0, nodes + 1);
  auto& constants = *graph.mutable_initializer();
  const auto is_dropped = [&](const auto& constant) { return dropped.contains(constant.name()); };
  constants.erase(std::remove_if(constants.begin(), constants.end(), is_dropped), constants.end());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!model.SerializeToOstream(&out)) throw std::runtime_error("the network cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
  const bool normalised = argc > 4 && std::string_view(argv[4]) == "normalised";
  if (argc < 2 || (argc > 4 && !normalised)) {
    std::fputs("usage: write_network FILE [WIDTH [SIZE [normalised]]]\n", stderr);
    return 2;
  }
  try {
    const float width = argc > 2 ? std::strtof(argv[2], nullptr) : 1.0f;
    const int size = argc > 3 ? std::atoi(argv[3]) : 224;
    save(argv[1], width, size);
    if (normalised) drop_preprocessing(argv[1], size);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
