#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engraft/base/progress.h"
#include "engraft/data/dataset.h"
#include "engraft/model/model.h"
#include "engraft/zoo/zoo.h"

namespace engraft::cli {

/// --model, --image-size, --threads, --ignore-exif: what every command that runs a network takes.
struct NetworkOptions {
  std::string model;
  std::optional<int> image_size;
  int threads = 0;
  Orientation orientation = Orientation::kUpright;

  void declare(CLI::App& command);
  [[nodiscard]] LoadOptions load() const { return {.image_size = image_size}; }
  /// The model's file; downloads it where need be. Where the default was asked for and another took
  /// its place, that is said on standard error.
  [[nodiscard]] DefaultModel find(Progress& progress, const std::stop_token& stop) const;
};

/// --precision: what a network is computed in.
struct PrecisionOption {
  std::optional<Precision> precision;  ///< none: not given

  void declare(CLI::App& command, const std::string& what);
};

/// Pictures with labels: the folder, --labels, --on-bad.
struct DatasetArguments {
  std::filesystem::path folder;
  std::filesystem::path labels;
  OnBad on_bad = OnBad::kSkip;

  void declare(CLI::App& command);
};

/// --json and --csv. Results go to standard output, everything else to standard error.
struct OutputOptions {
  bool json = false;
  bool csv = false;

  void declare(CLI::App& command);
};

/// "a,b,c" → its parts.
[[nodiscard]] std::vector<std::string> split_names(const std::string& text);

/// "95.7 % (95 % interval 85.8 to 98.8 %)"
struct PercentRange {
  double value, low, high;
};
[[nodiscard]] std::string percent(const PercentRange& share);

/// What was wrong with the data: a few lines for people, on standard error.
void print_problems(const std::vector<Problem>& problems);

}  // namespace engraft::cli
