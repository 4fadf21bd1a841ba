#include "engraft/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "engraft/base/error.h"
#include "engraft/data/intake.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

void require_folder(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (status.type() == fs::file_type::not_found) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no such folder", folder.string()));
  }
  if (!fs::status_known(status)) {
    throw Error(ErrorKind::kIo, fmt::format("{}: cannot look at this folder: {}", folder.string(),
                                            error.message()));
  }
  if (!fs::is_directory(status)) {
    throw Error(
        ErrorKind::kBadInput,
        fmt::format("{}: is no folder; give the folder that holds the pictures", folder.string()));
  }
}

fs::path find_table(const fs::path& folder, const fs::path& labels) {
  std::error_code ignored;
  fs::path inside = folder / labels;  // of an absolute path, that path
  if (fs::exists(inside, ignored)) return inside;
  if (fs::exists(labels, ignored)) return labels;
  throw Error(ErrorKind::kNotFound,
              labels.is_absolute()
                  ? fmt::format("{}: no such table of labels", labels.string())
                  : fmt::format("{}: no such table of labels, neither in {} nor in this folder",
                                labels.string(), folder.string()));
}

/// Classes whose every row was left out; numbers close up.
void drop_empty_classes(Dataset& dataset) {
  std::vector<int> number(dataset.class_names.size(), -1);
  for (const Sample& sample : dataset.samples) number[static_cast<std::size_t>(sample.label)] = 0;
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < number.size(); ++i) {
    if (number[i] < 0) continue;
    number[i] = static_cast<int>(kept.size());
    kept.push_back(std::move(dataset.class_names[i]));
  }
  dataset.class_names = std::move(kept);
  for (Sample& sample : dataset.samples) {
    sample.label = number[static_cast<std::size_t>(sample.label)];
  }
}

void require_samples(const Dataset& dataset) {
  if (!dataset.samples.empty()) return;
  std::string why = "; one folder a class, or a table of labels (--labels), is needed";
  if (!dataset.problems.empty()) {
    constexpr std::size_t kShown = 3;
    why = fmt::format("; {} problem{}", dataset.problems.size(),
                      dataset.problems.size() == 1 ? "" : "s");
    for (std::size_t i = 0; i < std::min(kShown, dataset.problems.size()); ++i) {
      why += fmt::format("; {}: {}", dataset.problems[i].where, dataset.problems[i].what);
    }
    if (dataset.problems.size() > kShown) why += "; …";
  }
  throw Error(ErrorKind::kBadInput,
              fmt::format("{}: no labelled picture{}", dataset.folder.string(), why));
}

/// A table that lies among the pictures under one of the usual names; none: empty.
fs::path table_inside(const fs::path& folder) {
  for (const char* name : {"labels.csv", "metadata.csv"}) {
    std::error_code unreadable;  // the folders' own reading says so
    if (fs::is_regular_file(folder / name, unreadable)) return folder / name;
  }
  return {};
}

bool tells_classes_apart(const Dataset& dataset) {
  return std::ranges::any_of(dataset.samples, [&](const Sample& sample) {
    return sample.label != dataset.samples.front().label;
  });
}

/// By its folders; where they do not tell classes apart, by a table inside.
Dataset load_unasked(const fs::path& folder, const std::vector<std::string>& class_names) {
  const fs::path table = table_inside(folder);
  if (table.empty()) return load_class_folders(folder, class_names);
  try {
    Dataset dataset = load_class_folders(folder, class_names);
    if (tells_classes_apart(dataset)) return dataset;
  } catch (const Error& error) {
    const bool of_folders =
        error.kind() == ErrorKind::kBadInput || error.kind() == ErrorKind::kUsage;
    if (!of_folders) throw;
  }
  return load_label_table(folder, table, class_names);
}

}  // namespace

std::string_view name_of(Subset subset) {
  switch (subset) {
    case Subset::kUnassigned:
      return "";
    case Subset::kTrain:
      return "train";
    case Subset::kValidation:
      return "val";
    case Subset::kTest:
      return "test";
  }
  return "";
}

std::string_view name_of(Problem::Kind kind) {
  switch (kind) {
    case Problem::Kind::kMissingFile:
      return "missing file";
    case Problem::Kind::kUnlistedFile:
      return "unlisted file";
    case Problem::Kind::kDuplicateRow:
      return "duplicate row";
    case Problem::Kind::kConflictingLabel:
      return "conflicting label";
    case Problem::Kind::kUndecodable:
      return "undecodable picture";
    case Problem::Kind::kEmptyLabel:
      return "empty label";
    case Problem::Kind::kNotAPicture:
      return "not a picture";
    case Problem::Kind::kBadName:
      return "bad name";
    case Problem::Kind::kStraddling:
      return "straddling duplicate";
  }
  return "";
}

Dataset load_dataset(const fs::path& folder, const DatasetOptions& options) {
  require_folder(folder);
  Dataset dataset =
      options.labels.empty()
          ? load_unasked(folder, options.class_names)
          : load_label_table(folder, find_table(folder, options.labels), options.class_names);
  dataset.folder = folder;
  if (options.class_names.empty()) drop_empty_classes(dataset);
  std::sort(dataset.samples.begin(), dataset.samples.end(),
            [](const Sample& a, const Sample& b) { return a.name < b.name; });
  require_samples(dataset);
  return dataset;
}

void fail_on_problems(const Dataset& dataset) {
  if (dataset.problems.empty()) return;
  std::string message = fmt::format(
      "{}: {} problem{}; mend them, or let the pictures concerned be skipped",
      dataset.folder.string(), dataset.problems.size(), dataset.problems.size() == 1 ? "" : "s");
  for (const Problem& problem : dataset.problems) {
    message += fmt::format("\n  {}: {}", problem.where, problem.what);
  }
  throw Error(ErrorKind::kBadInput, message);
}

}  // namespace engraft
