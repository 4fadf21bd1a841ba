#include "engraft/train/parameter_groups.h"

#include <fmt/format.h>

#include <cmath>

#include "engraft/base/error.h"

namespace engraft {
namespace {

bool is_scale(float scale) {
  return scale >= 0 && std::isfinite(scale);
}

}  // namespace

float layer_rate_scale(float decay, int depth) {
  if (!(decay > 0 && decay <= 1)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the layers' rate decay must be in (0, 1], not {}: 0.75 slows early "
                            "layers down, 1 treats all alike",
                            decay));
  }
  if (depth < 0) {
    throw Error(ErrorKind::kUsage,
                fmt::format("a layer's depth must not be negative, not {}: the layer nearest the "
                            "head has 0",
                            depth));
  }
  return static_cast<float>(std::pow(static_cast<double>(decay), depth));
}

bool decays(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('/') + 1);  // the whole where there is no /
  return last.ends_with("kernel");
}

std::vector<ParameterGroup> make_parameter_groups(const ParameterLayout& layout,
                                                  std::span<const int> depths, float layer_decay) {
  const auto& slots = layout.slots();
  if (!depths.empty() && depths.size() != slots.size()) {
    throw Error(ErrorKind::kUsage, fmt::format("{} depths for {} parameters: each needs its own",
                                               depths.size(), slots.size()));
  }
  std::vector<ParameterGroup> groups;
  groups.reserve(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const int depth = depths.empty() ? 0 : depths[i];
    groups.push_back({.begin = slots[i].offset,
                      .end = slots[i].offset + slots[i].size,
                      .rate_scale = layer_rate_scale(layer_decay, depth),
                      .decay_scale = decays(slots[i].name) ? 1.0f : 0.0f});
  }
  return groups;
}

void check_parameter_groups(std::span<const ParameterGroup> groups, std::size_t size) {
  std::size_t done = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const ParameterGroup& group = groups[i];
    if (group.begin < done || group.end < group.begin || group.end > size) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("parameter group {} is [{}, {}): groups must follow one another "
                              "within {} elements",
                              i, group.begin, group.end, size));
    }
    if (!is_scale(group.rate_scale) || !is_scale(group.decay_scale)) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("parameter group {} has rate scale {} and decay scale {}: each must "
                              "be 0 or more, 1 for the plain one",
                              i, group.rate_scale, group.decay_scale));
    }
    done = group.end;
  }
}

}  // namespace engraft
