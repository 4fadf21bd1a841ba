// write_network FILE [WIDTH [SIZE]]: a MobileNetV2 with random weights and 1000 classes as ONNX,
// for other programs to be measured with. It takes raw pixels, as every model that engraft writes.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/model/model.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: write_network FILE [WIDTH [SIZE]]\n", stderr);
    return 2;
  }
  try {
    const float width = argc > 2 ? std::strtof(argv[2], nullptr) : 1.0f;
    const int size = argc > 3 ? std::atoi(argv[3]) : 224;
    engraft::Model model;
    model.network.graph = engraft::mobilenet_v2({.width = width, .image_size = size});
    model.network.weights = engraft::random_weights(model.network.graph, 1);
    model.preprocessing.width = model.preprocessing.height = size;
    for (int i = 0; i < 1000; ++i) model.labels.push_back(std::to_string(i));
    engraft::save_model(model, argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
