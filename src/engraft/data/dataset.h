#pragma once

#include <filesystem>
#include <string>
#include <string_view>
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
    kMissingFile,       ///< a row, a link or a class folder without a file behind it
    kUnlistedFile,      ///< a picture that no row names, or that lies in no class folder
    kDuplicateRow,      ///< the same file and label again; counted once
    kConflictingLabel,  ///< the same file, or the same pixels, with different labels
    kUndecodable,       ///< a picture that cannot be read or decoded
    kEmptyLabel,        ///< a row without a label
    kNotAPicture,       ///< no picture by its content, whatever its name says
    kBadName,           ///< a name or label that is not UTF-8 or holds control characters
    kStraddling,        ///< the same pixels on two sides of a split that the folders or a file gave
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
  std::vector<Problem> problems;  ///< of rows by line, then of files by name
};

/// engraft skips what is wrong and reports it, or refuses the whole set (with every problem in the
/// message).
enum class OnBad { kSkip, kFail };

struct DatasetOptions {
  std::filesystem::path labels;  ///< CSV; relative paths are tried from the folder first, then as
                                 ///< given. Empty: folder per class, else labels.csv or
                                 ///< metadata.csv in the folder
  std::vector<std::string>
      class_names;  ///< names for labels 0, 1, … of the CSV, or the order of the classes
};

/// Pictures under a folder with their labels; nothing is decoded, but the first bytes of each file
/// say whether it is a picture. Hidden files and folders, and what file managers leave behind, are
/// passed over; links are followed, and one that leads back to a folder above it is not entered.
///
/// With a CSV (csv.h), the rows. A file is looked for relative to the folder, to the CSV's folder
/// and to the current one; then, a bare name, anywhere below the folder; then without regard to
/// case; the last two only where one file answers. `\` serves for `/`. What lies outside both the
/// folder and the CSV's is not read (a table from elsewhere must not pull private pictures into a
/// report): such a row is a problem. Rows that give one file different labels are all left out.
///
/// Without, one folder per class, directly below or below train/ (training/), val/ (validation/,
/// valid/) and test/ (testing/), in any case; pictures of a class may lie in folders of its own.
/// Tables, texts and other well-known side files are passed over; other files that are no pictures
/// are problems. Where folders do not tell at least two classes apart, labels.csv or, without it,
/// metadata.csv directly in the folder is the CSV.
///
/// Class order: class_names if given, else whole-number labels by value ("1.0" is 1), else by name.
/// class_names must cover every label, by name or, for whole-number labels, as the names of 0 to
/// n-1; it may name classes without pictures.
///
/// Throws Error for what leaves nothing to work with: kNotFound for no folder or table, kIo for a
/// folder that cannot be read (naming it), kBadInput for no picture or a layout that says nothing
/// about classes, kUsage for class_names that do not fit.
[[nodiscard]] Dataset load_dataset(const std::filesystem::path& folder,
                                   const DatasetOptions& options = {});

/// Throws Error(kBadInput) if there is any problem: the number, then one line for each.
void fail_on_problems(const Dataset& dataset);

}  // namespace engraft
