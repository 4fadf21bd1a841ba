#include "engraft/data/strata.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "engraft/base/error.h"
#include "engraft/base/hash.h"
#include "engraft/base/rng.h"
#include "engraft/data/split.h"

namespace engraft {
namespace {

std::uint64_t random_key(std::uint64_t seed, std::string_view name) {
  const std::uint64_t item = sha256(std::as_bytes(std::span(name))).leading_bits();
  constexpr std::uint64_t kSplitStream = 0x5350'4C49'54;  // keeps this draw apart from others
  return Rng(seed, kSplitStream, item).next_u64();
}

/// "a.jpg, b.jpg and 3 more"
std::string in_short(std::span<const Sample> samples, std::span<const std::size_t> members) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, members.size()); ++i) {
    text += (i == 0 ? "" : ", ") + samples[members[i]].name;
  }
  if (members.size() > kShown) text += fmt::format(" and {} more", members.size() - kShown);
  return text;
}

}  // namespace

std::vector<Group> shuffled_groups(std::span<const Sample> samples, std::span<const int> groups,
                                   std::span<const std::size_t> which, std::uint64_t seed) {
  std::map<int, Group> by_number;
  for (const std::size_t i : which) by_number[groups[i]].members.push_back(i);
  std::vector<std::tuple<std::uint64_t, std::string_view, Group>> keyed;
  for (auto& [number, group] : by_number) {
    std::sort(group.members.begin(), group.members.end(),
              [&](std::size_t a, std::size_t b) { return samples[a].name < samples[b].name; });
    std::set<int> labels;
    for (const std::size_t member : group.members) labels.insert(samples[member].label);
    group.labels.assign(labels.begin(), labels.end());
    const std::string_view name = samples[group.members.front()].name;
    keyed.emplace_back(random_key(seed, name), name, std::move(group));
  }
  std::sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
  });
  std::vector<Group> result;
  result.reserve(keyed.size());
  for (auto& [key, name, group] : keyed) result.push_back(std::move(group));
  return result;
}

void require_groups(std::span<const Group> groups, std::span<const std::string> class_names,
                    int least) {
  std::map<int, int> counts;
  for (const Group& group : groups) {
    for (const int label : group.labels) ++counts[label];
  }
  for (const auto& [label, count] : counts) {
    if (count >= least) continue;
    throw Error(ErrorKind::kBadInput,
                fmt::format("class '{}' has {} different picture{}, too few for {} folds; take "
                            "fewer folds, add pictures of it, or leave the class out",
                            class_names[static_cast<std::size_t>(label)], count,
                            count == 1 ? "" : "s", least));
  }
}

void require_training_pictures(std::span<const Sample> samples,
                               std::span<const std::string> class_names,
                               std::span<const Subset> subsets, std::string_view source) {
  std::set<int> all, trained;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    all.insert(samples[i].label);
    if (subsets[i] == Subset::kTrain) trained.insert(samples[i].label);
  }
  for (const int label : all) {
    if (trained.contains(label)) continue;
    throw Error(ErrorKind::kBadInput,
                fmt::format("class '{}': {} leave no picture of it for training; move some there",
                            class_names[static_cast<std::size_t>(label)], source));
  }
}

std::vector<Problem> duplicate_problems(std::span<const Sample> samples,
                                        std::span<const std::string> class_names,
                                        std::span<const int> groups,
                                        std::span<const Subset> subsets) {
  std::map<int, std::vector<std::size_t>> by_number;
  for (std::size_t i = 0; i < samples.size(); ++i) by_number[groups[i]].push_back(i);
  std::vector<Problem> problems;
  for (auto& entry : by_number) {
    std::vector<std::size_t>& members = entry.second;
    std::sort(members.begin(), members.end(),
              [&](std::size_t a, std::size_t b) { return samples[a].name < samples[b].name; });
    std::set<int> labels;
    std::set<Subset> sides;
    for (const std::size_t i : members) {
      labels.insert(samples[i].label);
      if (!subsets.empty()) sides.insert(subsets[i]);
    }
    const auto report = [&](Problem::Kind kind, std::string_view with,
                            const std::vector<std::string>& values) {
      const std::string others = in_short(samples, std::span(members).subspan(1));
      problems.push_back({kind, samples[members.front()].name,
                          fmt::format("the same pixels as {}, with the {} '{}'", others, with,
                                      fmt::join(values, "', '"))});
    };
    std::vector<std::string> values;
    values.reserve(labels.size());
    for (const int label : labels) values.push_back(class_names[static_cast<std::size_t>(label)]);
    if (labels.size() > 1) report(Problem::Kind::kConflictingLabel, "labels", values);
    values.clear();
    for (const Subset side : sides) values.emplace_back(name_of(side));
    if (sides.size() > 1) report(Problem::Kind::kStraddling, "subsets", values);
  }
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.where < b.where; });
  return problems;
}

}  // namespace engraft
