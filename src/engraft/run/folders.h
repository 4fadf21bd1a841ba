#pragma once

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace engraft {

/// PATH.1, or the next number under which nothing stands.
[[nodiscard]] std::filesystem::path next_free(const std::filesystem::path& path);

/// Names of what is in a folder; none where it cannot be listed.
[[nodiscard]] std::vector<std::string> names_in(const std::filesystem::path& folder);

/// Makes a folder and those above it that are missing, and brings them to the disk, so that what is
/// put in it outlasts a crash of the machine. Returns whether anything was missing.
bool make_folders(const std::filesystem::path& folder, std::error_code& error);

}  // namespace engraft
