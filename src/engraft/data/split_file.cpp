// split.csv: which picture was on which side.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/data/csv.h"
#include "engraft/data/listing.h"
#include "engraft/data/split.h"
#include "engraft/data/strata.h"

namespace engraft {
namespace {

constexpr std::string_view kHeader = "filename,label,subset";
constexpr std::string_view kFoldPrefix = "fold";

std::optional<Subset> subset_named(std::string_view text) {
  for (const Subset subset :
       {Subset::kUnassigned, Subset::kTrain, Subset::kValidation, Subset::kTest}) {
    if (lower_case(text) == name_of(subset)) return subset;
  }
  return std::nullopt;
}

/// "fold3" → 2.
std::optional<int> fold_named(std::string_view text) {
  if (!text.starts_with(kFoldPrefix)) return std::nullopt;
  text.remove_prefix(kFoldPrefix.size());
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number - 1;
}

struct SplitColumns {
  std::size_t file = 0;
  std::size_t subset = 0;
};

SplitColumns find_split_columns(const CsvTable& table, const std::string& name) {
  std::array<std::optional<std::size_t>, 2> found;
  if (!table.rows.empty()) {
    const auto& header = table.rows.front().fields;
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (lower_case(header[i]) == "filename") found[0] = i;
      if (lower_case(header[i]) == "subset") found[1] = i;
    }
  }
  if (!found[0] || !found[1]) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: no split file: its first line should be {}", name, kHeader));
  }
  return {*found[0], *found[1]};
}

/// Lines for the message, all of them at the end.
class Complaints {
 public:
  explicit Complaints(std::string name) : name_(std::move(name)) {}
  void add(int line, const std::string& what) {
    lines_.push_back(fmt::format("{}:{}: {}", name_, line, what));
  }
  void add(const std::string& what) { lines_.push_back(fmt::format("{}: {}", name_, what)); }
  void throw_if_any() const {
    if (lines_.empty()) return;
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: does not fit these pictures; leave it away to split anew\n  {}",
                            name_, fmt::join(lines_, "\n  ")));
  }

 private:
  std::string name_;
  std::vector<std::string> lines_;
};

/// What a subset cell may say, for one kind of file.
template <typename T>
struct Vocabulary {
  std::optional<T> (*parse)(std::string_view text);
  std::string_view wanted;
};

/// The subset cell of each sample; throws with all that does not fit.
template <typename T>
std::vector<T> read_assignments(const std::filesystem::path& csv, std::span<const Sample> samples,
                                const Vocabulary<T>& vocabulary) {
  const std::string name = csv.string();
  const CsvTable table = parse_csv(read_text_file(csv, kMaxCsvBytes), name);
  const SplitColumns columns = find_split_columns(table, name);
  std::map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < samples.size(); ++i) index[samples[i].name] = i;
  Complaints complaints(name);
  std::vector<std::optional<T>> found(samples.size());
  for (const CsvRow& row : std::span(table.rows).subspan(1)) {
    const auto cell = [&](std::size_t column) {
      return column < row.fields.size() ? std::string_view(row.fields[column]) : "";
    };
    const auto sample = index.find(cell(columns.file));
    const std::optional<T> value = vocabulary.parse(cell(columns.subset));
    if (sample == index.end()) {
      complaints.add(row.line, fmt::format("{}: no such picture", cell(columns.file)));
    } else if (found[sample->second]) {
      complaints.add(row.line, fmt::format("{}: again", cell(columns.file)));
    } else if (!value) {
      complaints.add(row.line,
                     fmt::format("'{}' is none of {}", cell(columns.subset), vocabulary.wanted));
    }
    if (sample != index.end()) found[sample->second] = value.value_or(T{});
  }
  std::vector<T> values;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!found[i]) complaints.add(fmt::format("{} is missing", samples[i].name));
    values.push_back(found[i].value_or(T{}));
  }
  complaints.throw_if_any();
  return values;
}

template <typename NameOf>
std::string assignments_csv(std::span<const Sample> samples,
                            std::span<const std::string> class_names, const NameOf& subset_name) {
  std::string text(kHeader);
  text += '\n';
  for (std::size_t i = 0; i < samples.size(); ++i) {
    text += fmt::format("{},{},{}\n", csv_field(samples[i].name),
                        csv_field(class_names[static_cast<std::size_t>(samples[i].label)]),
                        subset_name(i));
  }
  return text;
}

}  // namespace

std::string split_csv(std::span<const Sample> samples, std::span<const std::string> class_names,
                      std::span<const Subset> subsets) {
  return assignments_csv(samples, class_names, [&](std::size_t i) { return name_of(subsets[i]); });
}

std::string folds_csv(std::span<const Sample> samples, std::span<const std::string> class_names,
                      std::span<const int> folds) {
  return assignments_csv(samples, class_names, [&](std::size_t i) {
    return fmt::format("{}{}", kFoldPrefix, folds[i] + 1);
  });
}

bool holds_folds(const std::filesystem::path& csv) {
  const std::string name = csv.string();
  const CsvTable table = parse_csv(read_text_file(csv, kMaxCsvBytes), name);
  const SplitColumns columns = find_split_columns(table, name);
  return table.rows.size() > 1 && columns.subset < table.rows[1].fields.size() &&
         fold_named(table.rows[1].fields[columns.subset]).has_value();
}

std::vector<Subset> read_split(const std::filesystem::path& csv, std::span<const Sample> samples,
                               std::span<const std::string> class_names) {
  const auto subsets =
      read_assignments<Subset>(csv, samples, {.parse = subset_named, .wanted = "train, val, test"});
  require_training_pictures(samples, class_names, subsets, "the rows of " + csv.string());
  if (std::find(subsets.begin(), subsets.end(), Subset::kValidation) == subsets.end()) {
    throw Error(ErrorKind::kBadInput, fmt::format("{}: no row is of the subset val", csv.string()));
  }
  return subsets;
}

std::vector<int> read_folds(const std::filesystem::path& csv, std::span<const Sample> samples) {
  auto folds =
      read_assignments<int>(csv, samples, {.parse = fold_named, .wanted = "fold1, fold2, …"});
  const int last = folds.empty() ? 0 : *std::max_element(folds.begin(), folds.end());
  for (int fold = 0; fold <= std::max(last, 1); ++fold) {
    if (std::find(folds.begin(), folds.end(), fold) == folds.end()) {
      throw Error(ErrorKind::kBadInput, fmt::format("{}: no row is of {}{}; folds count from 1 and "
                                                    "there are at least 2",
                                                    csv.string(), kFoldPrefix, fold + 1));
    }
  }
  return folds;
}

}  // namespace engraft
