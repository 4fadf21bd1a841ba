#pragma once

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "engraft/base/rng.h"
#include "engraft/data/split.h"

namespace engraft::test {

inline const std::vector<std::string> kNames{"clean", "dirty", "third"};

/// Samples with the groups that tie some of them together.
struct Pictures {
  std::vector<Sample> samples;
  std::vector<int> groups;

  /// Adds `count` pictures of one label; they are one group or each its own.
  void add(int label, int count) {
    for (int i = 0; i < count; ++i) add_group({label});
  }
  void add_group(const std::vector<int>& labels) {
    const int group = groups.empty() ? 0 : *std::max_element(groups.begin(), groups.end()) + 1;
    for (const int label : labels) {
      samples.push_back({.path = {},
                         .name = "p" + std::to_string(samples.size()) + ".jpg",
                         .label = label,
                         .subset = Subset::kUnassigned});
      groups.push_back(group);
    }
  }
};

inline std::vector<Subset> split(const Pictures& pictures, double share = 0.2,
                                 std::uint64_t seed = 0) {
  return stratified_split(pictures.samples, kNames, pictures.groups,
                          {.validation = share, .seed = seed});
}

/// Does any group lie on more than one side?
template <typename Side>
bool straddles(const Pictures& pictures, const std::vector<Side>& sides) {
  std::map<int, Side> seen;
  for (std::size_t i = 0; i < sides.size(); ++i) {
    if (seen.try_emplace(pictures.groups[i], sides[i]).first->second != sides[i]) return true;
  }
  return false;
}

/// The same pictures in another order, with other group numbers.
inline Pictures reordered(const Pictures& pictures, std::uint64_t seed) {
  std::vector<std::size_t> order(pictures.samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Rng(seed).shuffle(std::span(order));
  Pictures other;
  for (const std::size_t i : order) {
    other.samples.push_back(pictures.samples[i]);
    other.groups.push_back(1000 - 7 * pictures.groups[i]);
  }
  return other;
}

inline Pictures random_pictures(std::uint64_t seed) {
  Rng rng(seed, 77);
  Pictures pictures;
  for (int label = 0; label < 3; ++label) pictures.add(label, 3 + static_cast<int>(rng.below(30)));
  for (std::uint32_t i = rng.below(6); i > 0; --i) {
    pictures.add_group(std::vector<int>(2 + rng.below(5), static_cast<int>(rng.below(3))));
  }
  if (rng.below(2) == 1) pictures.add_group({0, 1, 1});
  return pictures;
}

}  // namespace engraft::test
