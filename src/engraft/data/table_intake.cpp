// Rows of file names and labels.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/utf8.h"
#include "engraft/data/classes.h"
#include "engraft/data/csv.h"
#include "engraft/data/intake.h"
#include "engraft/data/listing.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

/// The absolute form, without links resolved and without a '/' at the end.
fs::path plain(const fs::path& path) {
  fs::path result = fs::absolute(path).lexically_normal();
  return result.has_filename() ? result : result.parent_path();
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && relative != "." && *relative.begin() != "..";
}

/// What became of a file name in a table.
struct Lookup {
  std::string name;       ///< relative to the dataset's folder; empty when there is no such file
  std::string objection;  ///< then why
};

/// Finds the files that rows mean, in the order that load_dataset() promises.
class FileFinder {
 public:
  FileFinder(const fs::path& folder, const fs::path& table, const Listing& listing)
      : folder_(plain(folder)), table_folder_(plain(table).parent_path()), here_(plain(".")) {
    for (const std::string& name : listing.files) {
      by_name_[fs::path(name).filename().string()].push_back(name);
      by_lower_name_[lower_case(fs::path(name).filename().string())].push_back(name);
      by_lower_path_[lower_case(name)].push_back(name);
    }
  }

  [[nodiscard]] Lookup find(const std::string& text) const {
    Lookup lookup = find_path(text);
    if (lookup.name.empty() && text.find('\\') != std::string::npos) {
      std::string turned = text;
      std::replace(turned.begin(), turned.end(), '\\', '/');
      if (Lookup second = find_path(turned); !second.name.empty()) return second;
    }
    return lookup;
  }

 private:
  using Index = std::map<std::string, std::vector<std::string>>;

  [[nodiscard]] Lookup find_path(const std::string& text) const {
    const fs::path given = fs::path(text).lexically_normal();
    bool any_allowed = false;
    for (const fs::path& base : {folder_, table_folder_, here_}) {
      const fs::path path = (base / given).lexically_normal();  // of an absolute path, that path
      if (!is_inside(path, folder_) && !is_inside(path, table_folder_)) continue;
      any_allowed = true;
      std::error_code error;
      if (fs::exists(path, error) && !fs::is_directory(path, error))
        return {path.lexically_relative(folder_).generic_string(), ""};
    }
    if (!any_allowed) {
      return {"",
              "lies outside the folder and is not read; give the folder that holds all the "
              "pictures"};
    }
    return find_in_listing(given);
  }

  [[nodiscard]] Lookup find_in_listing(const fs::path& given) const {
    const std::string path = given.generic_string();
    const bool bare = path.find('/') == std::string::npos;
    if (bare) {
      if (auto lookup = unique(by_name_, path)) return *lookup;
    }
    if (auto lookup = unique(bare ? by_lower_name_ : by_lower_path_, lower_case(path)))
      return *lookup;
    return {"", "no such file"};
  }

  [[nodiscard]] static std::optional<Lookup> unique(const Index& index, const std::string& key) {
    const auto found = index.find(key);
    if (found == index.end()) return std::nullopt;
    const auto& names = found->second;
    if (names.size() == 1) return Lookup{names.front(), ""};
    return Lookup{"", fmt::format("{} files answer to this name ({} and {}); write its folder too",
                                  names.size(), names[0], names[1])};
  }

  fs::path folder_, table_folder_, here_;
  Index by_name_, by_lower_name_, by_lower_path_;
};

/// A row whose file is there.
struct FoundRow {
  int line = 0;
  std::string name;  ///< of the file
  std::string label;
};

class TableIntake {
 public:
  TableIntake(const fs::path& folder, const fs::path& table)
      : folder_(folder), table_(table), listing_(list_folder(folder)) {}

  Dataset load(std::span<const std::string> class_names) {
    const std::vector<FoundRow> rows = find_files();
    std::set<std::string> labels;
    for (const FoundRow& row : rows) labels.insert(row.label);
    const Classes classes =
        order_classes(labels, class_names, NumberNames::kByValue, table_.string());
    dataset_.class_names = classes.names;
    take_rows(rows, classes);
    std::stable_sort(row_problems_.begin(), row_problems_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [line, problem] : row_problems_) dataset_.problems.push_back(std::move(problem));
    note_unlisted();
    return std::move(dataset_);
  }

 private:
  void note(int line, Problem::Kind kind, std::string what) {
    row_problems_.push_back(
        {line, {kind, fmt::format("{}:{}", table_.filename().string(), line), std::move(what)}});
  }

  /// Rows that can be taken at their word; the others become problems.
  std::vector<FoundRow> find_files() {
    const LabelTable labels = read_labels(
        parse_csv(read_text_file(table_, kMaxCsvBytes), table_.string()), table_.string());
    has_header_ = labels.has_header;
    first_line_ = labels.rows.front().line;
    const FileFinder finder(folder_, table_, listing_);
    std::vector<FoundRow> rows;
    for (const LabelRow& row : labels.rows) {
      if (auto name = find_file(row, finder)) {
        listed_.insert(*name);
        if (is_labelled(row)) rows.push_back({row.line, *name, row.label});
      }
    }
    return rows;
  }

  std::optional<std::string> find_file(const LabelRow& row, const FileFinder& finder) {
    if (row.file.empty()) {
      note(row.line, Problem::Kind::kMissingFile, "a row without a file name");
      return std::nullopt;
    }
    if (!is_printable(row.file)) {
      note(row.line, Problem::Kind::kBadName,
           fmt::format("{}: the file name holds control characters", printable(row.file)));
      return std::nullopt;
    }
    const Lookup lookup = finder.find(row.file);
    if (!lookup.name.empty()) return lookup.name;
    const bool maybe_header = !has_header_ && row.line == first_line_;
    note(row.line, Problem::Kind::kMissingFile,
         fmt::format(
             "{}: {}{}", row.file, lookup.objection,
             maybe_header ? "; if this is the header, call its columns filename and label" : ""));
    return std::nullopt;
  }

  bool is_labelled(const LabelRow& row) {
    if (row.label.find_first_not_of(" \t") == std::string::npos) {
      note(row.line, Problem::Kind::kEmptyLabel, fmt::format("{}: no label", row.file));
      return false;
    }
    if (!is_printable(row.label)) {
      note(row.line, Problem::Kind::kBadName,
           fmt::format("{}: the label '{}' holds control characters", row.file,
                       printable(row.label)));
      return false;
    }
    return true;
  }

  void take_rows(const std::vector<FoundRow>& rows, const Classes& classes) {
    std::map<std::string, std::vector<const FoundRow*>> by_file;
    for (const FoundRow& row : rows) by_file[row.name].push_back(&row);
    for (const auto& [name, same] : by_file) {
      const auto label_of = [&](const FoundRow* row) { return classes.index.at(row->label); };
      const FoundRow& first = *same.front();
      const auto other = std::find_if(same.begin(), same.end(), [&](const FoundRow* row) {
        return label_of(row) != label_of(&first);
      });
      if (other != same.end()) {
        note_conflict(same, **other, classes);
        continue;
      }
      for (std::size_t i = 1; i < same.size(); ++i) {
        note(same[i]->line, Problem::Kind::kDuplicateRow,
             fmt::format("{}: the same as line {}; counted once", name, first.line));
      }
      if (const std::string objection = picture_objection(folder_ / name); !objection.empty()) {
        note(first.line, Problem::Kind::kNotAPicture, fmt::format("{} {}", name, objection));
        continue;
      }
      dataset_.samples.push_back({.path = folder_ / name, .name = name, .label = label_of(&first)});
    }
  }

  void note_conflict(const std::vector<const FoundRow*>& same, const FoundRow& other,
                     const Classes& classes) {
    const int other_class = classes.index.at(other.label);
    for (const FoundRow* row : same) {
      const bool agrees = classes.index.at(row->label) == other_class;
      const FoundRow& against = agrees ? *same.front() : other;
      note(row->line, Problem::Kind::kConflictingLabel,
           fmt::format("{}: '{}' here, '{}' in line {}; left out", row->name, row->label,
                       against.label, against.line));
    }
  }

  void note_unlisted() {
    for (const Problem& problem : listing_.problems) dataset_.problems.push_back(problem);
    for (const std::string& name : listing_.files) {
      // A table says what belongs to it: of the rest only pictures may have been forgotten.
      if (listed_.contains(name) || is_side_file(name)) continue;
      if (!picture_objection(folder_ / name).empty()) continue;
      dataset_.problems.push_back(
          {Problem::Kind::kUnlistedFile, name,
           fmt::format("a picture that {} does not name", table_.filename().string())});
    }
  }

  const fs::path& folder_;
  const fs::path& table_;
  Listing listing_;
  Dataset dataset_;
  std::vector<std::pair<int, Problem>> row_problems_;  ///< with the line
  std::set<std::string> listed_;
  bool has_header_ = false;
  int first_line_ = 0;
};

}  // namespace

Dataset load_label_table(const fs::path& folder, const fs::path& table,
                         std::span<const std::string> class_names) {
  return TableIntake(folder, table).load(class_names);
}

}  // namespace engraft
