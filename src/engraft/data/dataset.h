#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace engraft {

/// Which part a picture belongs to; kUnassigned until split.
enum class Subset { kUnassigned, kTrain, kValidation, kTest };
[[nodiscard]] std::string_view name_of(Subset subset);  // "train", "val", "test", ""

/// One labelled picture.
struct Sample {
  std::filesystem::path path;
  std::string name;  ///< path relative to the dataset's folder, '/' between parts: what tables and
                     ///< reports show
  int label = 0;     ///< index into Dataset::class_names
  Subset subset = Subset::kUnassigned;  ///< set where the folders (train/val/test) say so
  bool operator==(const Sample&) const = default;
};

/// Something wrong with the data that does not stop the rest.
struct Problem {
  enum class Kind {
    kMissingFile,
    kUnlistedFile,
    kDuplicateRow,
    kConflictingLabel,
    kUndecodable,
    kEmptyLabel,
    kNotAPicture
  };
  Kind kind;
  std::string where;  ///< file name, or "metadata.csv:17"
  std::string what;   ///< one line
  bool operator==(const Problem&) const = default;
};
[[nodiscard]] std::string_view name_of(Problem::Kind kind);

struct Dataset {
  std::filesystem::path folder;
  std::vector<std::string> class_names;
  std::vector<Sample> samples;    ///< sorted by name
  std::vector<Problem> problems;  ///< in file order
};

/// engraft skips what is wrong and reports it, or refuses the whole set (with every problem in the
/// message).
enum class OnBad { kSkip, kFail };

struct DatasetOptions {
  std::filesystem::path labels;  ///< CSV; relative paths are tried from the folder first, then as
                                 ///< given. Empty: folder per class
  std::vector<std::string>
      class_names;  ///< names for labels 0, 1, … of the CSV, or the order of the classes
};

/// Pictures under a folder with their labels. With a CSV: the rows. Without: one folder per class,
/// directly below or below train/, val/ (validation/, valid/) and test/. Throws Error for what
/// leaves nothing to work with: no folder, an unreadable one, no picture, fewer than one class.
/// Class order: class_names if given, else numeric labels by value, else by name.
[[nodiscard]] Dataset load_dataset(const std::filesystem::path& folder,
                                   const DatasetOptions& options = {});

/// Throws Error(kBadInput) with one line a problem if there is any.
void fail_on_problems(const Dataset& dataset);

}  // namespace engraft
