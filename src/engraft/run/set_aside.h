#pragma once

#include <filesystem>
#include <string>

namespace engraft {

/// Where an unfinished run that had to make room lies now, and the commands that go on with it, in
/// words: under a free name, and by the subcommand that began it. earlier: its folder. run: the
/// name of the run that took its place, whose paths are said as this one is given.
[[nodiscard]] std::string set_aside_in_words(const std::filesystem::path& earlier,
                                             const std::filesystem::path& run);

}  // namespace engraft
