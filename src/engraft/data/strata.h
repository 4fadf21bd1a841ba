#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/data/dataset.h"

namespace engraft {

/// Samples that must stay together.
struct Group {
  std::vector<std::size_t> members;  ///< indices of samples, by name
  std::vector<int> labels;           ///< of them, sorted, each once
};

/// The groups of the given samples in a random order that follows the seed and the names, not the
/// order of the samples nor the numbers of the groups: a picture more or less leaves the order of
/// the others as it was.
[[nodiscard]] std::vector<Group> shuffled_groups(std::span<const Sample> samples,
                                                 std::span<const int> groups,
                                                 std::span<const std::size_t> which,
                                                 std::uint64_t seed);

/// Throws Error(kBadInput) naming a class with fewer groups than `least`.
void require_groups(std::span<const Group> groups, std::span<const std::string> class_names,
                    int least);

/// Throws Error(kBadInput) naming a class all of whose pictures are in other subsets than kTrain.
/// source: who says so.
void require_training_pictures(std::span<const Sample> samples,
                               std::span<const std::string> class_names,
                               std::span<const Subset> subsets, std::string_view source);

}  // namespace engraft
