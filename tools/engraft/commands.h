#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace engraft::cli {

/// What the command line asked for; run returns the exit code.
struct Command {
  std::stop_token stop;
  std::function<int()> run;
  std::vector<std::string> words;  ///< of the command line, without the program's name
};

/// Version, and the help text that belongs to no one command: examples, exit codes, environment.
void declare_program(CLI::App& app);

// One a subcommand: declares its options; once parsed, sets command.run.
void declare_classify(CLI::App& app, Command& command);
void declare_train(CLI::App& app, Command& command);
void declare_find_lr(CLI::App& app, Command& command);
void declare_distill(CLI::App& app, Command& command);
void declare_evaluate(CLI::App& app, Command& command);
void declare_models(CLI::App& app, Command& command);
void declare_compact(CLI::App& app, Command& command);
void declare_sample(CLI::App& app, Command& command);

}  // namespace engraft::cli
