#include "engraft/formats/keras_h5.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/formats/hdf5_file.h"
#include "engraft/formats/keras_config.h"
#include "engraft/formats/one_line.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/shape_inference.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, Tensor>;

constexpr int kDefaultImageSize = 224;
constexpr float kMobileNetEpsilon = 1e-3f;

/// Depthwise kernels are [kh,kw,C,1] in Keras.
void drop_depth_multiplier(Tensors& weights) {
  for (auto& [name, tensor] : weights) {
    const Shape& shape = tensor.shape();
    if (name.ends_with("/depthwise_kernel") && shape.rank() == 4 && shape[3] == 1) {
      tensor = Tensor(Shape{shape[0], shape[1], shape[2]}, tensor.values());
    }
  }
}

/// The layers of one kind, by the weight that only they have, in the model's order.
std::vector<std::string> layers_with(const KerasFile& file, std::string_view weight, int rank) {
  std::vector<std::string> found;
  for (const std::string& layer : file.layers) {
    const auto entry = file.weights.find(fmt::format("{}/{}", layer, weight));
    if (entry != file.weights.end() && entry->second.shape().rank() == rank) found.push_back(layer);
  }
  return found;
}

void rename_layer(Tensors& weights, const std::string& from, const std::string& to) {
  std::vector<std::string> names;
  for (auto entry = weights.lower_bound(from + "/");
       entry != weights.end() && entry->first.starts_with(from + "/"); ++entry) {
    names.push_back(entry->first);
  }
  for (const std::string& name : names) {
    auto entry = weights.extract(name);
    entry.key() = to + name.substr(from.size());
    weights.insert(std::move(entry));
  }
}

/// A model built without layer names has Keras' numbered ones: within each kind, the n-th layer of
/// the file is the n-th of MobileNetV2. Does nothing unless there are as many as there should be.
void name_numbered_layers(KerasFile& file) {
  struct Kind {
    Op op;
    std::string_view weight;
    int rank;
  };
  constexpr std::array<Kind, 3> kKinds{{{Op::kConv, "kernel", 4},
                                        {Op::kDepthwiseConv, "depthwise_kernel", 3},
                                        {Op::kBatchNorm, "moving_variance", 1}}};
  const Graph base = mobilenet_v2({.classes = 0});
  std::vector<std::pair<std::string, std::string>> renames;
  for (const Kind& kind : kKinds) {
    const std::vector<std::string> layers = layers_with(file, kind.weight, kind.rank);
    std::size_t next = 0;
    for (const Node& node : base.nodes()) {
      if (node.op != kind.op) continue;
      if (next == layers.size()) return;
      renames.emplace_back(layers[next++], node.name);
    }
    if (next != layers.size()) return;
  }
  for (const auto& [from, to] : renames) rename_layer(file.weights, from, to);
}

/// "83 weights in 28 layers, 14 convolutions and 13 depthwise ones: conv1, conv1_bn, …"
std::string describe(const KerasFile& file) {
  std::vector<std::string> layers;
  int convolutions = 0, depthwise = 0;
  for (const auto& [name, tensor] : file.weights) {
    std::string layer = name.substr(0, name.rfind('/'));
    if (layers.empty() || layers.back() != layer) layers.push_back(std::move(layer));
    convolutions += name.ends_with("/kernel") && tensor.shape().rank() == 4;
    depthwise += name.ends_with("/depthwise_kernel");
  }
  const std::size_t total = layers.size();
  layers.resize(std::min<std::size_t>(total, 4));
  return fmt::format("{} weights in {} layers, {} convolutions and {} depthwise ones{}{}{}",
                     file.weights.size(), total, convolutions, depthwise, total ? ": " : "",
                     fmt::join(layers, ", "), total > layers.size() ? ", …" : "");
}

[[noreturn]] void other_network(const fs::path& path, const KerasFile& file,
                                const std::string& why) {
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: is not a MobileNetV2 ({}); found {}",
                                                   path.string(), why, describe(file)));
}

/// The widths worth trying, published ones first.
std::vector<float> candidate_widths() {
  std::vector<float> widths{1.0f, 0.35f, 0.5f, 0.75f, 1.3f, 1.4f};
  for (int hundredths = 5; hundredths <= 400; hundredths += 5) {
    widths.push_back(static_cast<float>(hundredths) / 100);
  }
  return widths;
}

struct Misfits {
  int count = 0;      ///< parameters that are there in another shape than the graph needs
  std::string first;  ///< as a sentence
};

Misfits misfits(const Graph& graph, const Tensors& weights) {
  Misfits result;
  for (const auto& [name, needed] : parameter_shapes(graph)) {
    const auto found = weights.find(name);
    if (found == weights.end() || found->second.shape() == needed) continue;
    if (result.count++ == 0) {
      result.first = fmt::format("{} is {} instead of {}", name, found->second.shape().to_string(),
                                 needed.to_string());
    }
  }
  return result;
}

float width_of(const fs::path& path, const KerasFile& file) {
  const auto stem = file.weights.find("Conv1/kernel");
  if (stem == file.weights.end() || stem->second.shape().rank() != 4) {
    other_network(path, file, "there is no layer Conv1");
  }
  const auto deepest = file.weights.find("block_16_project/kernel");
  if (deepest == file.weights.end() || deepest->second.shape().rank() != 4) {
    other_network(path, file, "there is no layer block_16_project");
  }
  std::optional<Misfits> nearest;
  for (const float width : candidate_widths()) {
    if (make_divisible(32.0 * static_cast<double>(width)) != stem->second.shape()[3]) continue;
    Misfits found = misfits(mobilenet_v2({.width = width, .classes = 0}), file.weights);
    if (found.count == 0) return width;
    if (!nearest || found.count < nearest->count) nearest = std::move(found);
  }
  other_network(path, file, nearest ? nearest->first : "no width gives its channel counts");
}

/// Renames a top named Logits; returns its number of classes, 0 without a top.
int take_top(Tensors& weights, std::int64_t features) {
  const std::string predictions(kLogitsValue);
  if (weights.contains("Logits/kernel")) rename_layer(weights, "Logits", predictions);
  const auto kernel = weights.find(predictions + "/kernel");
  if (kernel == weights.end() || !weights.contains(predictions + "/bias")) return 0;
  const Shape& shape = kernel->second.shape();
  return shape.rank() == 2 && shape[0] == features && shape[1] <= 1'000'000
             ? static_cast<int>(shape[1])
             : 0;
}

/// The size in Keras' file names: the whole number after the width, "_1.0_224.h5".
std::optional<int> size_from_name(const fs::path& path) {
  const std::string name = path.filename().string();
  for (const std::string_view width : {"_0.35_", "_0.5_", "_0.75_", "_1.0_", "_1.3_", "_1.4_"}) {
    const std::size_t at = name.find(width);
    if (at == std::string::npos) continue;
    int size = 0;
    const char* begin = name.data() + at + width.size();
    const auto [end, error] = std::from_chars(begin, name.data() + name.size(), size);
    const bool ended = end == name.data() + name.size() || *end == '.' || *end == '_';
    if (error == std::errc() && ended && size >= 32 && size <= 4096) return size;
  }
  return std::nullopt;
}

void check_epsilon(const fs::path& path, const KerasConfig& config) {
  for (const float epsilon : config.epsilons) {
    if (epsilon != kMobileNetEpsilon) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("{}: its batch norms have epsilon {} instead of MobileNetV2's {}",
                              path.string(), epsilon, kMobileNetEpsilon));
    }
  }
}

Weights take_weights(const fs::path& path, const Graph& graph, Tensors& tensors) {
  Weights weights;
  for (const auto& [name, shape] : parameter_shapes(graph)) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      throw Error(ErrorKind::kBadInput,
                  fmt::format("{}: weight {} {} is missing; the file is incomplete: download it "
                              "again",
                              path.string(), name, shape.to_string()));
    }
    const auto values = found->second.values();
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      throw Error(ErrorKind::kBadInput,
                  fmt::format("{}: weight {} holds values that are not finite; the file is "
                              "damaged: download it again",
                              path.string(), name));
    }
    weights.set(name, std::move(found->second));
  }
  try {
    check_weights(graph, weights);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}", path.string(), error.what()));
  }
  return weights;
}

}  // namespace

Network read_keras_mobilenet_v2(const fs::path& path, const KerasOptions& options) {
  KerasFile file = read_keras_file(path);
  drop_depth_multiplier(file.weights);
  if (!file.weights.contains("Conv1/kernel")) name_numbered_layers(file);

  const KerasConfig config = parse_keras_config(file.model_config);
  MobileNetV2Spec spec{.width = width_of(path, file), .classes = 0};
  check_epsilon(path, config);
  spec.image_size = options.image_size  ? *options.image_size
                    : config.image_size ? *config.image_size
                                        : size_from_name(path).value_or(kDefaultImageSize);
  const Graph base = mobilenet_v2(spec);
  spec.classes = take_top(file.weights, base.shape(base.find(kPooledValue))[0]);

  Network network{.graph = mobilenet_v2(spec), .weights = {}};
  network.weights = take_weights(path, network.graph, file.weights);
  return network;
}

}  // namespace engraft
