#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "engraft/run/train_run.h"
#include "options.h"
#include "tune_options.h"

namespace engraft::cli {

/// The tutorial's share for a hidden layer; a linear head needs less.
inline constexpr float kMlpDropout = 0.5f;
/// The default is for decoupled decay, and far too much for a penalty in the gradient.
inline constexpr float kAdamWeightDecay = 0;

/// The options of `engraft train`.
struct TrainArguments {
  DatasetArguments dataset;
  std::string class_names;
  NetworkOptions network;
  OutputOptions output;
  PrecisionOption precision;
  TrainRequest request;
  std::optional<float> dropout;
  std::optional<float> weight_decay, label_smoothing;
  std::string balance;  ///< "", "weights" or "sampling"
  TuneOptions tune;
  std::optional<std::filesystem::path> cache;
  bool no_cache = false;
  std::filesystem::path out;
  std::filesystem::path resume;
  std::string base_note;  ///< of a run that is resumed: what it says of its base
};

/// Declares all of them. Returns the subcommand.
CLI::App* declare_train_options(CLI::App& app, const std::shared_ptr<TrainArguments>& arguments);

/// Throws Error(kUsage), naming it, for an option that does nothing beside the others.
void refuse_idle_options(const CLI::App& command, const TrainArguments& arguments);

/// Notes in the request which of its parts somebody set: for what train_run() says of them.
void note_given(const CLI::App& command, TrainArguments& arguments);

/// What they ask for, but for the base, the command and whether to resume.
[[nodiscard]] TrainRequest make_request(const TrainArguments& arguments);

/// Sets the base, and says in args.json which it is.
void set_base(TrainRequest& request, const DefaultModel& base);

}  // namespace engraft::cli
