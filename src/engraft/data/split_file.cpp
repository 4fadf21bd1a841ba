// split.csv: which picture was on which side.
#include <fmt/format.h>

#include <algorithm>
#include <array>
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

std::optional<Subset> subset_named(std::string_view text) {
  for (const Subset subset :
       {Subset::kUnassigned, Subset::kTrain, Subset::kValidation, Subset::kTest}) {
    if (lower_case(text) == name_of(subset)) return subset;
  }
  return std::nullopt;
}

struct Columns {
  std::size_t file = 0;
  std::size_t subset = 0;
};

Columns find_columns(const CsvTable& table, const std::string& name) {
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

}  // namespace

std::string split_csv(std::span<const Sample> samples, std::span<const std::string> class_names,
                      std::span<const Subset> subsets) {
  std::string text(kHeader);
  text += '\n';
  for (std::size_t i = 0; i < samples.size(); ++i) {
    text += fmt::format("{},{},{}\n", csv_field(samples[i].name),
                        csv_field(class_names[static_cast<std::size_t>(samples[i].label)]),
                        name_of(subsets[i]));
  }
  return text;
}

std::vector<Subset> read_split(const std::filesystem::path& csv, std::span<const Sample> samples,
                               std::span<const std::string> class_names) {
  const std::string name = csv.string();
  const CsvTable table = parse_csv(read_text_file(csv, kMaxCsvBytes), name);
  const Columns columns = find_columns(table, name);
  std::map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < samples.size(); ++i) index[samples[i].name] = i;
  Complaints complaints(name);
  std::vector<std::optional<Subset>> found(samples.size());
  for (const CsvRow& row : std::span(table.rows).subspan(1)) {
    const auto cell = [&](std::size_t column) {
      return column < row.fields.size() ? std::string_view(row.fields[column]) : "";
    };
    const auto sample = index.find(cell(columns.file));
    const auto subset = subset_named(cell(columns.subset));
    if (sample == index.end()) {
      complaints.add(row.line, fmt::format("{}: no such picture", cell(columns.file)));
    } else if (found[sample->second]) {
      complaints.add(row.line, fmt::format("{}: again", cell(columns.file)));
    } else if (!subset) {
      complaints.add(row.line,
                     fmt::format("'{}' is none of train, val, test", cell(columns.subset)));
    }
    if (sample != index.end()) found[sample->second] = subset.value_or(Subset::kUnassigned);
  }
  std::vector<Subset> subsets;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!found[i]) complaints.add(fmt::format("{} is missing", samples[i].name));
    subsets.push_back(found[i].value_or(Subset::kUnassigned));
  }
  complaints.throw_if_any();
  require_training_pictures(samples, class_names, subsets, "the rows of " + name);
  if (std::find(subsets.begin(), subsets.end(), Subset::kValidation) == subsets.end()) {
    throw Error(ErrorKind::kBadInput, fmt::format("{}: no row is of the subset val", name));
  }
  return subsets;
}

}  // namespace engraft
