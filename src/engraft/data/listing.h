#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/data/dataset.h"

namespace engraft {

/// Everything below a folder that may concern a dataset.
struct Listing {
  std::vector<std::string> files;    ///< paths relative to the folder, '/' between parts, sorted
  std::vector<std::string> folders;  ///< likewise
  std::vector<Problem> problems;     ///< links to nothing, names that cannot be printed; sorted
};

/// Lists a folder and all below it. Hidden entries and the folders of file managers and archives
/// are left out; links are followed, except to a folder that is open above. Throws Error(kIo)
/// naming a folder that cannot be read, Error(kBadInput) for a tree deeper than 64 folders or with
/// more than five million entries.
[[nodiscard]] Listing list_folder(const std::filesystem::path& folder);

/// Why a file cannot be a picture, by its first bytes ("is empty"); empty when it may be one.
[[nodiscard]] std::string picture_objection(const std::filesystem::path& path);

/// Is name that of a file which commonly lies beside pictures: tables, texts, archives, models,
/// programs, thumbnail stores.
[[nodiscard]] bool is_side_file(std::string_view name);

/// ASCII letters in lower case.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace engraft
