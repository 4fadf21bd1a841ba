#pragma once

#include <filesystem>
#include <string>

namespace engraft {

/// A word as a POSIX shell takes it for just that word: in single quotes where it needs them, so
/// that commands which are printed can be copied. Any bytes but NUL.
[[nodiscard]] std::string shell_word(const std::string& word);

/// The same of a path, which no command takes for an option: "./-x" where it begins with a dash.
[[nodiscard]] std::string shell_path(const std::filesystem::path& path);

}  // namespace engraft
