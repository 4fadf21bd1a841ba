#include "engraft/data/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/data/strata.h"

namespace engraft {
namespace {

void require_share(double share) {
  if (share > 0 && share < 1) return;  // false for NaN too
  throw Error(
      ErrorKind::kUsage,
      fmt::format("validation share {}: give a number between 0 and 1, such as 0.2", share));
}

/// A set of groups whose sizes sum to the reachable value in [1, most] nearest to target. The
/// earlier in the (random) order of groups, the likelier.
std::vector<bool> choose_groups(const std::vector<const Group*>& groups, std::size_t target,
                                std::size_t most) {
  std::vector<bool> chosen(groups.size());
  std::size_t sum = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (sum + groups[i]->members.size() > target) continue;
    chosen[i] = true;
    sum += groups[i]->members.size();
  }
  if (sum == target) return chosen;
  // Only sets of many duplicates come here, for single pictures fill any gap. first[s]: the group
  // with which the sum s is first reached; the way back through it uses no group twice.
  constexpr auto kNever = static_cast<std::size_t>(-1);
  std::size_t largest = 0;
  for (const Group* group : groups) largest = std::max(largest, group->members.size());
  const std::size_t limit = std::min(most, target + largest);  // nothing nearer lies above
  std::vector<std::size_t> first(limit + 1, kNever);
  first[0] = groups.size();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::size_t size = groups[i]->members.size();
    for (std::size_t s = limit; s >= size; --s) {
      if (first[s] == kNever && first[s - size] != kNever) first[s] = i;
    }
  }
  const auto distance = [&](std::size_t s) { return s > target ? s - target : target - s; };
  std::size_t best = 0;
  for (std::size_t s = 1; s <= limit; ++s) {
    if (first[s] != kNever && (best == 0 || distance(s) < distance(best))) best = s;
  }
  chosen.assign(groups.size(), false);
  for (std::size_t s = best; s > 0; s -= groups[first[s]]->members.size()) chosen[first[s]] = true;
  return chosen;
}

/// The groups of one class among those to draw from.
struct ClassGroups {
  std::vector<const Group*> pure;
  std::size_t pure_pictures = 0;
  std::size_t mixed = 0;           ///< groups that have other labels too
  std::size_t mixed_pictures = 0;  ///< of them, those of this class
};

[[noreturn]] void refuse_class(const std::string& name, const ClassGroups& groups) {
  const std::size_t pictures = groups.pure_pictures + groups.mixed_pictures;
  const std::string what =
      pictures == 1 ? "has one picture"
      : groups.pure.empty()
          ? fmt::format("has {} pictures, and each of them is also labelled otherwise", pictures)
          : fmt::format("has {} pictures, but they are copies of one", pictures);
  throw Error(
      ErrorKind::kBadInput,
      fmt::format("class '{}' {}; training and validation need one each: add pictures of it "
                  "or leave the class out",
                  name, what));
}

std::map<int, ClassGroups> by_class(const std::vector<Group>& groups,
                                    std::span<const Sample> samples) {
  std::map<int, ClassGroups> classes;
  for (const Group& group : groups) {
    if (group.labels.size() == 1) {
      ClassGroups& entry = classes[group.labels.front()];
      entry.pure.push_back(&group);
      entry.pure_pictures += group.members.size();
      continue;
    }
    for (const int label : group.labels) ++classes[label].mixed;
    for (const std::size_t member : group.members) ++classes[samples[member].label].mixed_pictures;
  }
  return classes;
}

void draw_class(const std::string& name, const ClassGroups& groups, double share,
                std::vector<Subset>& subsets) {
  // Groups of several labels stay in training, so that a class may give all others away.
  if (groups.pure.empty() || groups.pure.size() + groups.mixed < 2) refuse_class(name, groups);
  const auto total = groups.pure_pictures + groups.mixed_pictures;
  const std::size_t most = groups.pure_pictures - (groups.mixed > 0 ? 0 : 1);
  const auto wanted = static_cast<std::size_t>(std::llround(share * static_cast<double>(total)));
  const std::size_t target = std::clamp<std::size_t>(wanted, 1, most);
  const std::vector<bool> chosen = choose_groups(groups.pure, target, most);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (!chosen[i]) continue;
    for (const std::size_t member : groups.pure[i]->members) subsets[member] = Subset::kValidation;
  }
}

/// How much each fold holds already.
class FoldLoads {
 public:
  FoldLoads(std::size_t folds, std::size_t classes)
      : of_class_(folds, std::vector<std::size_t>(classes)), totals_(folds) {}

  /// The fold that has least of the group's labels, then least of all, then the first.
  [[nodiscard]] std::size_t lightest(const Group& group) const {
    std::size_t best = 0;
    for (std::size_t fold = 1; fold < totals_.size(); ++fold) {
      if (load(fold, group) < load(best, group)) best = fold;
    }
    return best;
  }

  void add(std::size_t fold, int label) {
    ++of_class_[fold][static_cast<std::size_t>(label)];
    ++totals_[fold];
  }

 private:
  [[nodiscard]] std::pair<std::size_t, std::size_t> load(std::size_t fold,
                                                         const Group& group) const {
    std::size_t sum = 0;
    for (const int label : group.labels) sum += of_class_[fold][static_cast<std::size_t>(label)];
    return {sum, totals_[fold]};
  }

  std::vector<std::vector<std::size_t>> of_class_;
  std::vector<std::size_t> totals_;
};

bool any_has(std::span<const Sample> samples, Subset subset) {
  return std::any_of(samples.begin(), samples.end(),
                     [=](const Sample& sample) { return sample.subset == subset; });
}

std::vector<Subset> subsets_of_folders(std::span<const Sample> samples,
                                       std::span<const std::string> class_names) {
  std::vector<Subset> subsets;
  for (const Sample& sample : samples) {
    subsets.push_back(sample.subset == Subset::kUnassigned ? Subset::kTrain : sample.subset);
  }
  require_training_pictures(samples, class_names, subsets, "the folders");
  return subsets;
}

}  // namespace

std::vector<int> duplicate_groups(std::span<const Digest> pixels) {
  std::map<Digest, int> numbers;
  std::vector<int> groups;
  groups.reserve(pixels.size());
  for (const Digest& digest : pixels) {
    groups.push_back(numbers.try_emplace(digest, static_cast<int>(numbers.size())).first->second);
  }
  return groups;
}

std::vector<Subset> stratified_split(std::span<const Sample> samples,
                                     std::span<const std::string> class_names,
                                     std::span<const int> groups, const SplitOptions& options) {
  assert(groups.size() == samples.size());
  require_share(options.validation);
  if (any_has(samples, Subset::kValidation)) return subsets_of_folders(samples, class_names);
  std::vector<Subset> subsets(samples.size(), Subset::kTrain);
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].subset == Subset::kTest) {
      subsets[i] = Subset::kTest;
    } else {
      drawn.push_back(i);
    }
  }
  const std::vector<Group> strata = shuffled_groups(samples, groups, drawn, options.seed);
  for (const auto& [label, entry] : by_class(strata, samples)) {
    draw_class(class_names[static_cast<std::size_t>(label)], entry, options.validation, subsets);
  }
  return subsets;
}

std::vector<int> stratified_folds(std::span<const Sample> samples,
                                  std::span<const std::string> class_names,
                                  std::span<const int> groups, int folds, std::uint64_t seed) {
  assert(groups.size() == samples.size());
  if (folds < 2) {
    throw Error(ErrorKind::kUsage, fmt::format("{} folds: give 2 or more, such as 5", folds));
  }
  std::vector<std::size_t> all(samples.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::vector<Group> strata = shuffled_groups(samples, groups, all, seed);
  require_groups(strata, class_names, folds);
  // Largest first, to the fold that has least of the labels in question: the small ones then level
  // what the large ones left. Groups of several labels come before all, as they fit worst.
  std::stable_sort(strata.begin(), strata.end(), [](const Group& a, const Group& b) {
    const bool a_mixed = a.labels.size() > 1, b_mixed = b.labels.size() > 1;
    return a_mixed != b_mixed ? a_mixed : a.members.size() > b.members.size();
  });
  FoldLoads loads(static_cast<std::size_t>(folds), class_names.size());
  std::vector<int> result(samples.size());
  for (const Group& group : strata) {
    const std::size_t fold = loads.lightest(group);
    for (const std::size_t member : group.members) {
      result[member] = static_cast<int>(fold);
      loads.add(fold, samples[member].label);
    }
  }
  return result;
}

}  // namespace engraft
