#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "engraft/data/dataset.h"

namespace engraft {

/// load_dataset() for one folder per class. folder is there.
[[nodiscard]] Dataset load_class_folders(const std::filesystem::path& folder,
                                         std::span<const std::string> class_names);

/// load_dataset() for the rows of a table. folder and table are there.
[[nodiscard]] Dataset load_label_table(const std::filesystem::path& folder,
                                       const std::filesystem::path& table,
                                       std::span<const std::string> class_names);

}  // namespace engraft
