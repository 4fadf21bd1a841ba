#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "engraft/graph/parameter_layout.h"

namespace engraft {

/// A piece [begin, end) of parameters that lie in one flat array.
struct ParameterRange {
  std::size_t begin = 0, end = 0;
};

/// A piece of the flat array that is trained at a rate and with a decay of its own.
struct ParameterGroup {
  std::size_t begin = 0, end = 0;
  float rate_scale = 1;   ///< times the learning rate; 0: stays as it is
  float decay_scale = 1;  ///< times the weight decay; 0: none
};

/// decay^depth, the share of the learning rate that a layer gets: the further from the head, the
/// more general its features and the less they should move (Howard & Ruder 2018, §3.2, who divide
/// by 2.6 a layer; Bao et al. 2021 use 0.65 to 0.9 a block). Throws Error(kUsage) unless
/// 0 < decay ≤ 1 and depth ≥ 0.
[[nodiscard]] float layer_rate_scale(float decay, int depth);

/// Whether weight decay is for a parameter of this name. It shrinks kernels; biases, and a batch
/// norm's gamma and beta, have no direction to lose (Goyal et al. 2017, §5.3; He et al. 2019, §4).
[[nodiscard]] bool decays(std::string_view name);

/// A group for each parameter of the layout, in its order: rate_scale =
/// layer_rate_scale(layer_decay, depths[i]), decay_scale = 1 for kernels and 0 for the rest.
/// depths: of each slot, 0 for the parameters nearest the head and one more for each layer or block
/// towards the input; empty: all 0. Errors as in layer_rate_scale(), and Error(kUsage) for another
/// number of depths.
[[nodiscard]] std::vector<ParameterGroup> make_parameter_groups(const ParameterLayout& layout,
                                                                std::span<const int> depths = {},
                                                                float layer_decay = 1);

/// Throws Error(kUsage) unless the groups are in order, apart, within `size` elements, and have
/// scales that are finite and not negative.
void check_parameter_groups(std::span<const ParameterGroup> groups, std::size_t size);

}  // namespace engraft
