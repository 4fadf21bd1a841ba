#include "engraft/graph/parameter_layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"
#include "engraft/graph/shape_inference.h"

namespace engraft {
namespace {

/// Parameters of a batch norm from this one on are statistics.
constexpr std::size_t kFirstStatistic = 2;

bool is_statistic(const Node& node, std::size_t parameter) {
  return node.op == Op::kBatchNorm && parameter >= kFirstStatistic;
}

enum class Which { kTrainable, kStatistics };

ParameterLayout layout_of(const Graph& graph, Which which) {
  ParameterLayout layout;
  for (const Node& node : graph.nodes()) {
    const std::vector<Shape> shapes = parameter_shapes(graph, node);
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (is_statistic(node, i) == (which == Which::kStatistics)) {
        layout.append(node.parameters[i], shapes[i]);
      }
    }
  }
  return layout;
}

}  // namespace

void ParameterLayout::append(const std::string& name, const Shape& shape) {
  if (!index_.emplace(name, slots_.size()).second) return;
  const auto size = static_cast<std::size_t>(shape.elements());
  slots_.push_back({.name = name, .shape = shape, .offset = size_, .size = size});
  size_ += size;
}

const ParameterLayout::Slot& ParameterLayout::at(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    throw Error(ErrorKind::kNotFound, fmt::format("no parameter named {}", name));
  }
  return slots_[found->second];
}

std::span<float> ParameterLayout::of(std::span<float> flat, const std::string& name) const {
  if (name.empty()) return {};
  const Slot& slot = at(name);
  return flat.subspan(slot.offset, slot.size);
}

std::span<const float> ParameterLayout::of(std::span<const float> flat,
                                           const std::string& name) const {
  if (name.empty()) return {};
  const Slot& slot = at(name);
  return flat.subspan(slot.offset, slot.size);
}

std::vector<float> ParameterLayout::gather(const Weights& weights) const {
  std::vector<float> flat(size_);
  for (const Slot& slot : slots_) {
    const Tensor& tensor = weights.at(slot.name);
    if (tensor.shape() != slot.shape) {
      throw Error(ErrorKind::kBadInput,
                  fmt::format("parameter {} has shape {}, not {}", slot.name,
                              tensor.shape().to_string(), slot.shape.to_string()));
    }
    std::ranges::copy(tensor.values(), flat.begin() + static_cast<std::ptrdiff_t>(slot.offset));
  }
  return flat;
}

void ParameterLayout::scatter(std::span<const float> flat, Weights& weights) const {
  for (const Slot& slot : slots_) {
    weights.set(slot.name, Tensor(slot.shape, flat.subspan(slot.offset, slot.size)));
  }
}

ParameterLayout trainable_parameters(const Graph& graph) {
  return layout_of(graph, Which::kTrainable);
}

ParameterLayout moving_statistics(const Graph& graph) {
  return layout_of(graph, Which::kStatistics);
}

}  // namespace engraft
