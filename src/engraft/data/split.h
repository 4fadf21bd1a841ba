#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engraft/base/hash.h"
#include "engraft/data/dataset.h"

namespace engraft {

/// Numbers equal for samples whose digests are equal (exact duplicates), distinct otherwise: 0, 1,
/// … in first-seen order.
[[nodiscard]] std::vector<int> duplicate_groups(std::span<const Digest> pixels);

struct SplitOptions {
  double validation = 0.2;  ///< share of each class, (0, 1)
  std::uint64_t seed = 0;
};

/// Stratified and seeded: of each class about `validation` of the pictures (at least one on each
/// side) go to kValidation, the rest to kTrain. A duplicate group is never divided. Samples that
/// already have a subset (from folders) keep it when any has kValidation; then nothing is drawn.
/// The result follows (seed, name) and not the order. Throws Error(kUsage) for a share outside
/// (0,1), Error(kBadInput) naming a class that cannot be on both sides.
[[nodiscard]] std::vector<Subset> stratified_split(std::span<const Sample> samples,
                                                   std::span<const std::string> class_names,
                                                   std::span<const int> groups,
                                                   const SplitOptions& options);

/// Fold 0…folds-1 of each sample: stratified, seeded, duplicate groups undivided. Throws
/// Error(kUsage) for folds < 2, Error(kBadInput) naming a class with fewer groups than folds.
[[nodiscard]] std::vector<int> stratified_folds(std::span<const Sample> samples,
                                                std::span<const std::string> class_names,
                                                std::span<const int> groups, int folds,
                                                std::uint64_t seed);

/// split.csv: "filename,label,subset". Reading assigns the subset to each sample by name; throws
/// Error(kBadInput) listing samples that the file lacks and rows without a sample.
[[nodiscard]] std::string split_csv(std::span<const Sample> samples,
                                    std::span<const std::string> class_names,
                                    std::span<const Subset> subsets);
[[nodiscard]] std::vector<Subset> read_split(const std::filesystem::path& csv,
                                             std::span<const Sample> samples,
                                             std::span<const std::string> class_names);

}  // namespace engraft
