// bench_growth [--quick] [FOLDER]: how engraft grows with threads, batch, picture size, width and
// rows of features. Prints a table a question and writes growth.json, growth.svg and growth.png to
// FOLDER (the current one). Everything is synthetic: no file is needed. --quick: less than half a
// minute, and no more than 10000 rows.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/thread_pool.h"
#include "fma_peak.h"
#include "growth_drawing.h"
#include "growth_measure.h"

namespace engraft::bench {
namespace {

namespace fs = std::filesystem;

struct Options {
  bool quick = false;
  fs::path folder = ".";
};

std::optional<Options> parse(std::span<char*> arguments) {
  Options options;
  bool named = false;
  for (const std::string_view argument : arguments) {
    if (argument == "--quick") {
      options.quick = true;
    } else if (!named && !argument.empty() && argument[0] != '-') {
      options.folder = argument;
      named = true;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "an unknown processor";
}

std::vector<Growth> measure(const Effort& effort) {
  std::vector<Growth> growths;
  const auto ask = [&](const char* about, Growth (*question)(const Effort&)) {
    fmt::print(stderr, "{} ...\n", about);
    growths.push_back(question(effort));
  };
  ask("threads", growth_with_threads);
  ask("pictures at once", growth_with_batch);
  ask("picture size", growth_with_image_size);
  ask("network width", growth_with_width);
  ask("feature cache", growth_of_cache);
  ask("head training", growth_of_head);
  return growths;
}

/// All columns of a question behind the x.
std::vector<Series> columns_of(const Growth& growth) {
  std::vector<Series> columns = growth.lines;
  columns.insert(columns.end(), growth.expected.begin(), growth.expected.end());
  columns.insert(columns.end(), growth.notes.begin(), growth.notes.end());
  return columns;
}

/// Whole where it is large, else four digits.
std::string cell(double value) {
  if (std::isnan(value)) return "-";
  return std::abs(value) >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
}

void print_table(const Growth& growth) {
  fmt::print("\n{} ({})\n", growth.title, growth.remark);
  const std::vector<Series> columns = columns_of(growth);
  std::string header = growth.x_name;
  for (const Series& column : columns) {
    const std::string name = column.name + (column.unit.empty() ? "" : ", " + column.unit);
    header += fmt::format("{:>{}}", name, std::max<std::size_t>(name.size() + 3, 12));
  }
  fmt::print("{}\n", header);
  for (std::size_t i = 0; i < growth.xs.size(); ++i) {
    std::string row = fmt::format("{:>{}}", cell(growth.xs[i]), growth.x_name.size());
    for (const Series& column : columns) {
      const std::size_t name =
          column.name.size() + (column.unit.empty() ? 0 : column.unit.size() + 2);
      row += fmt::format("{:>{}}", cell(column.values[i]), std::max<std::size_t>(name + 3, 12));
    }
    fmt::print("{}\n", row);
  }
  for (const std::string& words : growth.left_out) fmt::print("{}\n", words);
}

/// What could not be measured is null.
nlohmann::json json_of(const std::vector<double>& values) {
  nlohmann::json array = nlohmann::json::array();
  for (const double value : values) {
    array.push_back(std::isnan(value) ? nlohmann::json() : nlohmann::json(value));
  }
  return array;
}

nlohmann::json json_of(const Growth& growth) {
  nlohmann::json columns = nlohmann::json::array();
  for (const Series& series : columns_of(growth)) {
    columns.push_back(
        {{"name", series.name}, {"unit", series.unit}, {"values", json_of(series.values)}});
  }
  return {{"key", growth.key},          {"title", growth.title},   {"remark", growth.remark},
          {"x_name", growth.x_name},    {"x", json_of(growth.xs)}, {"columns", columns},
          {"left_out", growth.left_out}};
}

void write_results(const Options& options, const std::vector<Growth>& growths) {
  const int cores = available_cores();
  nlohmann::json all{{"processor", processor()},
                     {"cores", cores},
                     {"instruction", fma_instruction()},
                     {"quick", options.quick},
                     {"questions", nlohmann::json::array()}};
  for (const Growth& growth : growths) all["questions"].push_back(json_of(growth));
  const std::string machine = fmt::format("{}, {} {}, {}", processor(), cores,
                                          cores == 1 ? "core" : "cores", fma_instruction());
  const Drawing drawing = growth_drawing(growths, machine);
  write_file_atomic(options.folder / "growth.json", all.dump(1) + "\n");
  write_file_atomic(options.folder / "growth.svg", to_svg(drawing));
  write_file_atomic(options.folder / "growth.png", to_png(drawing));
  fmt::print("\nwritten to {}\n", (options.folder / "growth.{json,svg,png}").string());
}

}  // namespace
}  // namespace engraft::bench

int main(int argc, char** argv) {
  using namespace engraft::bench;
  const auto options = parse(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (!options) {
    std::fputs("usage: bench_growth [--quick] [FOLDER]\n", stderr);
    return 2;
  }
  try {
    const Effort quick{.seconds = 0.1, .repetitions = 3, .most_rows = 10000};
    const std::vector<Growth> growths = measure(options->quick ? quick : Effort{});
    for (const Growth& growth : growths) print_table(growth);
    write_results(*options, growths);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
