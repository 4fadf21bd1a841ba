// One folder per class, with or without train/, val/ and test/ above.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/data/classes.h"
#include "engraft/data/intake.h"
#include "engraft/data/listing.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

std::optional<Subset> subset_of(std::string_view folder) {
  constexpr std::array<std::pair<std::string_view, Subset>, 7> kNames{
      {{"train", Subset::kTrain},
       {"training", Subset::kTrain},
       {"val", Subset::kValidation},
       {"valid", Subset::kValidation},
       {"validation", Subset::kValidation},
       {"test", Subset::kTest},
       {"testing", Subset::kTest}}};
  const std::string lower = lower_case(folder);
  for (const auto& [name, subset] : kNames) {
    if (lower == name) return subset;
  }
  return std::nullopt;
}

/// "a/b/c" -> {"a", "b/c"}; a name without '/' has no head.
std::pair<std::string, std::string> split_head(const std::string& name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) return {"", name};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

/// What a folder directly below the dataset's holds.
struct TopFolder {
  std::vector<std::string> pictures;    ///< names relative to the dataset's folder
  bool has_direct_pictures = false;     ///< not only in folders of its own
  std::set<std::string> class_folders;  ///< directly below it
};

struct Contents {
  std::map<std::string, TopFolder> tops;
  std::vector<std::string> loose;  ///< pictures in no folder
  bool has_table = false;
};

Contents look_through(const fs::path& folder, const Listing& listing, Dataset& dataset) {
  Contents contents;
  for (const std::string& name : listing.folders) {
    const auto [top, rest] = split_head(name);
    if (top.empty()) {
      contents.tops[rest];
    } else if (rest.find('/') == std::string::npos) {
      contents.tops[top].class_folders.insert(rest);
    }
  }
  for (const std::string& name : listing.files) {
    if (is_side_file(name)) {
      contents.has_table |= name.find('/') == std::string::npos && name.ends_with(".csv");
      continue;
    }
    if (std::string objection = picture_objection(folder / name); !objection.empty()) {
      dataset.problems.push_back({Problem::Kind::kNotAPicture, name, std::move(objection)});
      continue;
    }
    const auto [top, rest] = split_head(name);
    if (top.empty()) {
      contents.loose.push_back(name);
      continue;
    }
    TopFolder& entry = contents.tops[top];
    entry.pictures.push_back(name);
    entry.has_direct_pictures |= rest.find('/') == std::string::npos;
  }
  return contents;
}

enum class Layout { kClasses, kSubsets };

/// Folders called train, val or test hold class folders when all that have pictures are called so,
/// or when two of the three are there; otherwise somebody has a class of trains.
Layout find_layout(const fs::path& folder, const Contents& contents) {
  std::set<Subset> subsets;
  std::string flat;
  bool others = false;
  for (const auto& [name, top] : contents.tops) {
    if (top.pictures.empty()) continue;
    const auto subset = subset_of(name);
    others |= !subset;
    if (subset) subsets.insert(*subset);
    if (subset && top.has_direct_pictures) flat = name;
  }
  if (subsets.empty()) return Layout::kClasses;
  if (flat.empty()) return others && subsets.size() < 2 ? Layout::kClasses : Layout::kSubsets;
  if (others) return Layout::kClasses;
  throw Error(ErrorKind::kBadInput,
              fmt::format("{}: {}/ holds pictures but says nothing of classes; put one folder a "
                          "class in it, or give a table of labels (--labels)",
                          folder.string(), flat));
}

/// A picture and the class folder that it lies in, before classes are numbered.
struct Found {
  std::string name;
  std::string class_folder;
  Subset subset = Subset::kUnassigned;
};

void note_empty(const std::string& class_folder, Dataset& dataset) {
  dataset.problems.push_back(
      {Problem::Kind::kMissingFile, class_folder + "/", "a class folder without pictures"});
}

std::vector<Found> take_classes(const Contents& contents, Dataset& dataset) {
  std::vector<Found> found;
  for (const auto& [name, top] : contents.tops) {
    if (top.pictures.empty()) note_empty(name, dataset);
    for (const std::string& picture : top.pictures) found.push_back({picture, name});
  }
  return found;
}

std::vector<Found> take_subsets(const Contents& contents, Dataset& dataset) {
  std::vector<Found> found;
  for (const auto& [name, top] : contents.tops) {
    const auto subset = subset_of(name);
    if (!subset) {
      dataset.problems.push_back({Problem::Kind::kUnlistedFile, name + "/",
                                  "lies beside train/, val/ or test/ and is left out"});
      continue;
    }
    std::set<std::string> empty = top.class_folders;
    for (const std::string& picture : top.pictures) {
      const std::string class_folder = split_head(split_head(picture).second).first;
      empty.erase(class_folder);
      found.push_back({picture, class_folder, *subset});
    }
    for (const std::string& class_folder : empty)
      note_empty(fmt::format("{}/{}", name, class_folder), dataset);
  }
  return found;
}

void require_classes(const fs::path& folder, const Contents& contents,
                     const std::vector<Found>& found) {
  if (!found.empty() || contents.loose.empty()) return;
  throw Error(
      ErrorKind::kBadInput,
      fmt::format("{}: its pictures lie in no class folders; make one folder a class{}",
                  folder.string(),
                  contents.has_table ? ", or name the CSV that lies there with --labels"
                                     : ", or give a table of file names and labels with --labels"));
}

}  // namespace

Dataset load_class_folders(const fs::path& folder, std::span<const std::string> class_names) {
  Dataset dataset;
  const Listing listing = list_folder(folder);
  dataset.problems = listing.problems;
  const Contents contents = look_through(folder, listing, dataset);
  const std::vector<Found> found = find_layout(folder, contents) == Layout::kSubsets
                                       ? take_subsets(contents, dataset)
                                       : take_classes(contents, dataset);
  require_classes(folder, contents, found);
  for (const std::string& name : contents.loose) {
    dataset.problems.push_back({Problem::Kind::kUnlistedFile, name, "lies in no class folder"});
  }
  std::set<std::string> labels;
  for (const Found& picture : found) labels.insert(picture.class_folder);
  const Classes classes =
      order_classes(labels, class_names, NumberNames::kAsWritten, folder.string());
  dataset.class_names = classes.names;
  for (const Found& picture : found) {
    dataset.samples.push_back({.path = folder / picture.name,
                               .name = picture.name,
                               .label = classes.index.at(picture.class_folder),
                               .subset = picture.subset});
  }
  std::stable_sort(dataset.problems.begin(), dataset.problems.end(),
                   [](const Problem& a, const Problem& b) { return a.where < b.where; });
  return dataset;
}

}  // namespace engraft
