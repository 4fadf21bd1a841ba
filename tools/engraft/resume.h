#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "commands.h"

namespace engraft::cli {

/// What `--resume` needs to say the same again, as a file: the words, where they were said, and
/// what else the command was begun with. A word that is not UTF-8, as a path may be, is written as
/// {"bytes": [numbers]}.
[[nodiscard]] std::string begun_command_json(const Command& command,
                                             const nlohmann::ordered_json& more = {});

/// Of the options that a command line is parsed into.
struct BegunCommandReader {
  std::function<void(CLI::App&)> declare;
  /// After parsing, with what else is in the file.
  std::function<void(const CLI::App&, const nlohmann::json&)> complete = {};
};

/// Reads that file of an unfinished run, goes to the folder where it was said and has the words
/// parsed; command.words become the words. Errors: kBadInput, naming the file, where it is damaged;
/// kUsage where another subcommand wrote it; kNotFound where the folder is gone.
void read_begun_command(const std::filesystem::path& unfinished, Command& command,
                        const BegunCommandReader& reader);

/// What is said beside --resume must not be at odds with what the run was begun with: throws
/// Error(kUsage) where an option is given that is not `allowed`.
void refuse_beside_resume(const CLI::App& subcommand,
                          std::initializer_list<std::string_view> allowed);

}  // namespace engraft::cli
