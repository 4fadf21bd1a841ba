#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "engraft/run/distill_run.h"

namespace engraft::cli {

/// The options of `engraft distill`.
struct DistillArguments {
  std::string teacher;
  DistillRequest request;
  std::optional<int> epochs;
  bool json = false;
  std::string budget, memory;
  std::filesystem::path resume;
};

/// Declares all of them. Returns the subcommand.
CLI::App* declare_distill_options(CLI::App& app,
                                  const std::shared_ptr<DistillArguments>& arguments);

/// args.json: what the student depends on, but for the run's length.
[[nodiscard]] std::string arguments_json(const DistillArguments& arguments);

void print_json(const DistillSummary& summary);
void print_for_people(const DistillSummary& summary);

}  // namespace engraft::cli
