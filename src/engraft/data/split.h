#pragma once

#include <cstdint>
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

/// Stratified and seeded: of each class as near to `validation` of the pictures as its duplicate
/// groups allow, and at least one on each side, goes to kValidation, the rest to kTrain. A group is
/// never divided. A group with several labels goes to kTrain, for whatever a model says of such a
/// picture, the labels call it wrong. The draw follows (seed, name): not the order of the samples.
///
/// Samples that already have a subset (from folders) keep it when any has kValidation; then nothing
/// is drawn, and samples without one go to kTrain. When some have kTest and none kValidation, the
/// draw is from the others.
///
/// groups.size() == samples.size(), from duplicate_groups(). Throws Error(kUsage) for a share
/// outside (0, 1), Error(kBadInput) naming a class that cannot be on both sides, or that the
/// folders leave without a training picture.
[[nodiscard]] std::vector<Subset> stratified_split(std::span<const Sample> samples,
                                                   std::span<const std::string> class_names,
                                                   std::span<const int> groups,
                                                   const SplitOptions& options);

/// Fold 0…folds-1 of each sample: stratified (a class without duplicates differs by one at most
/// between folds), seeded, groups undivided, subsets not regarded. Throws Error(kUsage) for folds
/// < 2, Error(kBadInput) naming a class with fewer groups than folds.
[[nodiscard]] std::vector<int> stratified_folds(std::span<const Sample> samples,
                                                std::span<const std::string> class_names,
                                                std::span<const int> groups, int folds,
                                                std::uint64_t seed);

/// What duplicates do that no split can mend: the same pixels with different labels, and, where
/// subsets is not empty, the same pixels on different sides. One problem a group, at its first
/// sample.
[[nodiscard]] std::vector<Problem> duplicate_problems(std::span<const Sample> samples,
                                                      std::span<const std::string> class_names,
                                                      std::span<const int> groups,
                                                      std::span<const Subset> subsets = {});

/// split.csv: "filename,label,subset"; subset is train, val, test or empty.
[[nodiscard]] std::string split_csv(std::span<const Sample> samples,
                                    std::span<const std::string> class_names,
                                    std::span<const Subset> subsets);

/// The subset of each sample as such a file has it; the label column is for people and not read.
/// Throws Error(kBadInput) listing, all at once and with line numbers, samples that the file lacks,
/// rows without a sample, repeated rows and subsets that are none, or naming a class without a
/// training picture, or a file without a validation one.
[[nodiscard]] std::vector<Subset> read_split(const std::filesystem::path& csv,
                                             std::span<const Sample> samples,
                                             std::span<const std::string> class_names);

/// The same file for cross-validation: subset is fold1, fold2, … for folds 0, 1, …
[[nodiscard]] std::string folds_csv(std::span<const Sample> samples,
                                    std::span<const std::string> class_names,
                                    std::span<const int> folds);
/// Whether a split file's first row names a fold.
[[nodiscard]] bool holds_folds(const std::filesystem::path& csv);
/// The fold of each sample; errors as those of read_split, and a fold without a picture.
[[nodiscard]] std::vector<int> read_folds(const std::filesystem::path& csv,
                                          std::span<const Sample> samples);

}  // namespace engraft
